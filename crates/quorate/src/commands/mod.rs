//! One file per command.

pub(crate) mod authority;
pub(crate) mod booth;
pub(crate) mod cluster;
pub(crate) mod demo;
mod demo_side;
pub(crate) mod election;
pub(crate) mod issuer;
pub(crate) mod kv;
pub(crate) mod progress;
pub(crate) mod serve;
pub(crate) mod user;
pub(crate) mod verify;

/// Why a command ends with another exit code than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// For the person: what went wrong and what to do.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(code: u8, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }

    /// For `map_err`: what was attempted, and the error.
    pub(crate) fn because<E: std::fmt::Display>(code: u8, what: &str) -> impl Fn(E) -> Self + '_ {
        move |error| Self::new(code, format!("{what}: {error}"))
    }
}
