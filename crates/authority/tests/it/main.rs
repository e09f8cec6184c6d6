//! Tests through the public door.

mod rounds;
