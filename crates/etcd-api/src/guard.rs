//! What stops at the door: requests that are wrong in themselves, and requests of the public for
//! the elections' keys. Everything from outside passes here before it goes on.

use kv::access;
use kv::api::{Access, Error, Request, WatchRequest};

/// Lets a request in that the public may make.
pub(crate) fn request(request: Request) -> Result<Request, Error> {
    request.check()?;
    access::check(&request, Access::Public)?;
    Ok(request)
}

/// Lets a watch in that the public may open.
pub(crate) fn watch(request: WatchRequest) -> Result<WatchRequest, Error> {
    access::check_watch(&request, Access::Public)?;
    Ok(request)
}
