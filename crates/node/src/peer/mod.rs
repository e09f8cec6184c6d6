//! Members' connections: TCP, one per peer and direction, dialled by the sender.
//!
//! A connection opens with a [`frame::Hello`] that names cluster, sender and receiver; whoever
//! belongs elsewhere is turned away with a line in the log. After it come frames, each with
//! length, version and checksum. Messages may be lost (a full queue, a broken connection):
//! consensus repeats what matters. They are never reordered on one connection, never damaged
//! unnoticed.
pub(crate) mod accept;
pub(crate) mod dial;
pub mod frame;
