//! Tests through the public door.

mod cluster;
mod machine;
mod publishing;
mod reconciling;
mod rounds;
mod visible;
