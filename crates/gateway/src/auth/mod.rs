//! Who may do what.
//!
//! Accounts, sessions, API tokens and the nodes' signing keys live in the store under
//! `\0q/auth/`. Every node follows them with one watch and folds the changes into a [`Directory`],
//! so that every question is answered from memory, and a change at one node (a logout, a lost
//! right) is in force at all of them as soon as they have applied it: within milliseconds.
//!
//! ```text
//! login ──► argon2id ──► session in the store (8 h) ──► access token (5 min, EdDSA, in a header)
//!                             │                              valid at every node
//!                             └── refresh secret in a cookie of the node that was logged in at;
//!                                 each use replaces it, an old one used late ends the session
//! ```
//!
//! An access token names account and session and carries no rights: they are looked up at each
//! request. What a route asks for stands in the OpenAPI document (`x-rights`) and is enforced from
//! there by [`rights`]. Voters have no accounts: their ballots carry a credential's signature.
//!
//! Decisions ([`account`], [`access`], [`directory`], [`eyes`], [`password`], [`rights`],
//! [`session`]) know neither clock nor store; [`office`] reads and writes, [`follow`] watches.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod directory;
pub(crate) mod eyes;
pub(crate) mod follow;
pub(crate) mod keys;
#[cfg(test)]
mod matrix;
pub(crate) mod office;
pub(crate) mod oidc;
pub(crate) mod password;
pub(crate) mod rights;
pub(crate) mod secret;
pub(crate) mod session;

pub use account::{Account, AccountName, Grant, Role};
