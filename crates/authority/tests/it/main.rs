//! Tests through the public door.

mod cluster;
mod machine;
mod rounds;
