//! The HTTP API over real authorities and a real store in memory, spoken by hand.

mod basics;
mod eyes;
mod feed;
mod outbox;
mod pages;
mod people;
mod provider;
mod rights;
mod server;
mod tools;
