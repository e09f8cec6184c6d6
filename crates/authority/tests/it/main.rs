//! Tests through the public door.

mod cluster;
mod machine;
mod reconciling;
mod rounds;
mod visible;
