//! `quorate kv lease`: granted, kept alive until Ctrl-C, looked at, ended.

use super::{Session, explain, render};
use crate::commands::Failure;
use crate::exit;
use clap::Subcommand;
use client::Client;
use kv::api::{LeaseGrantRequest, Request, Response};
use std::time::Duration;

/// A lease is renewed so often within its time: two renewals may be lost.
const RENEWALS_PER_TTL: u32 = 3;

#[derive(Subcommand, Debug)]
pub(super) enum LeaseAction {
    /// Begin one:  lease grant SECONDS
    Grant {
        /// How long it lives without being renewed; at least 2 s
        seconds: i64,
        /// Its number, instead of one that the store chooses
        #[arg(long, default_value_t = 0)]
        id: i64,
    },
    /// Keep one alive until Ctrl-C:  lease keep-alive ID
    KeepAlive {
        /// Its number
        id: i64,
        /// Renew it once and end
        #[arg(long)]
        once: bool,
    },
    /// How long one has, and its keys:  lease show ID
    Show {
        /// Its number
        id: i64,
    },
    /// All of them
    List,
    /// End one and delete its keys:  lease revoke ID
    Revoke {
        /// Its number
        id: i64,
    },
}

impl Session {
    pub(super) async fn lease(&self, action: LeaseAction) -> Result<(), Failure> {
        let request = match action {
            LeaseAction::Grant { seconds, id } => {
                Request::LeaseGrant(LeaseGrantRequest { ttl: seconds, id })
            }
            LeaseAction::KeepAlive { id, once } => return self.keep_alive(id, once).await,
            LeaseAction::Show { id } => Request::LeaseTimeToLive { id, keys: true },
            LeaseAction::List => Request::LeaseLeases,
            LeaseAction::Revoke { id } => Request::LeaseRevoke { id },
        };
        self.ask(request).await
    }

    async fn keep_alive(&self, id: i64, once: bool) -> Result<(), Failure> {
        loop {
            let answer = self.client.call(Request::LeaseKeepAlive { id }).await.map_err(explain)?;
            let ttl = match &answer {
                Response::LeaseKeepAlive(renewed) => u64::try_from(renewed.ttl).unwrap_or(0),
                _ => 0,
            };
            if ttl == 0 {
                return Err(Failure::new(exit::FAILED, format!("lease {id} has ended")));
            }
            print!("{}", render::response(&answer));
            if once {
                return Ok(());
            }
            let pause = Duration::from_secs(ttl) / RENEWALS_PER_TTL;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    }
}
