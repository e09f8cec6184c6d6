//! The HTTP API over real authorities and a real store in memory, spoken by hand.

mod audit;
mod basics;
mod eyes;
mod feed;
mod forward;
mod hooks;
mod outbox;
mod pages;
mod people;
mod provider;
mod record;
mod rights;
mod server;
mod tools;
