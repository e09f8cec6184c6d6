//! The web listener: HTTP and JSON for voters, administrators, trustees and auditors.
//!
//! The gateway decides nothing about elections. It finds out who asks ([`auth`]), whether they may
//! and how often ([`front`]), hands the request to the authority of this node ([`runner`]) and
//! renders the answer; it tells what happens ([`feed`]), how the nodes are ([`life`]), and sends
//! mail that holds no secrets ([`mail`]). Every refusal is a [`Problem`] with a stable code. The
//! whole surface, with the rights that each call asks for, is in [`openapi`].
#![forbid(unsafe_code)]

mod acts;
mod audit;
pub mod auth;
mod chart;
mod clock;
mod door;
mod encoding;
mod extract;
mod feed;
mod figures;
mod finality;
mod forward;
mod front;
mod headers;
mod hooks;
mod idempotency;
pub mod life;
pub mod limits;
mod look;
pub mod mail;
mod numbered;
pub mod openapi;
mod pages;
mod problem;
mod progress;
mod random;
mod request_id;
mod routes;
pub mod runner;
mod sentence;
mod shed;
mod store;
mod token;
mod trace;
mod views;

pub use auth::oidc::OidcSettings;
pub use front::Limits;
pub use pages::{Asset, Assets};
pub use problem::Problem;
pub use routes::demo::Supervisor;
pub use runner::{AskError, AuthorityHandle, Journal};
pub use token::{AdminToken, Standing};
pub use trace::TARGET as TRACE_TARGET;

use auth::office::Office;
use auth::oidc::Provider;
use auth::rights::Table;
use axum::ServiceExt;
use axum::extract::Request;
use client::Client;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use store::Store;
use tokio::sync::watch;

/// Largest body of a ballot, in bytes: it must fit an entry of the ledger.
pub const BALLOT_BYTES_MAX: usize = 65_535;

/// Largest body of any other request, in bytes (a roll of some 200,000 voters).
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// What every handler sees.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

/// The parts of a gateway; nothing of it is for others.
pub struct Inner {
    pub(crate) authority: AuthorityHandle,
    pub(crate) client: Arc<dyn Client>,
    pub(crate) store: Store,
    pub(crate) token: AdminToken,
    pub(crate) node: NodeFacts,
    pub(crate) settings: Settings,
    pub(crate) office: Office,
    pub(crate) table: Table,
    pub(crate) throttle: front::Throttle,
    pub(crate) busy: door::Busy,
    pub(crate) gauge: shed::Gauge,
    pub(crate) intake: shed::Intake,
    pub(crate) figures: figures::Figures,
    pub(crate) oidc: Option<Provider>,
    pub(crate) feed: feed::Feed,
    pub(crate) life: life::Life,
    pub(crate) post: mail::Post,
    pub(crate) charts: chart::Charts,
    pub(crate) hooks: hooks::Hooks,
    pub(crate) forward: forward::Forward,
    pub(crate) draining: watch::Sender<bool>,
}

impl std::ops::Deref for Gateway {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What this node says of itself.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// Number of the node.
    pub node: u64,
    /// Its name.
    pub name: String,
    /// Version of the binary.
    pub version: String,
    /// Verifier key of its authority, as text.
    pub authority_key: String,
    /// Id of the cluster; access tokens of another one are nothing here.
    pub cluster: u64,
    /// Where its listeners are, by name.
    pub addresses: Vec<(String, SocketAddr)>,
}

/// What the operator chose.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How browsers reach this node, like `https://n1.vote.example`; needed for logging in at an
    /// identity provider. Cookies are for TLS only when it begins with `https`.
    pub web_origin: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// An identity provider.
    pub oidc: Option<OidcSettings>,
    /// Where mail goes; none is sent without it.
    pub mail: Option<mail::MailSettings>,
    /// How often callers may come.
    pub limits: front::Limits,
    /// The built web pages.
    pub assets: Assets,
    /// Who steers this node, when it is part of a demonstration.
    pub demo: Option<Supervisor>,
}

impl Gateway {
    /// A gateway to `authority` and the store `client`. `probe` tells what only the node knows.
    ///
    /// # Errors
    /// A sentence: no randomness, a mail or identity provider's setting that cannot be used.
    pub fn new(
        (authority, client): (AuthorityHandle, Arc<dyn Client>),
        token: AdminToken,
        node: NodeFacts,
        settings: Settings,
        probe: life::Probe,
    ) -> Result<Self, String> {
        let store = Store { client: Arc::clone(&client) };
        let audience = format!("{:016x}", node.cluster);
        let office = Office::new(store.clone(), &audience, node.node)
            .map_err(|_| "the operating system gives no randomness".to_owned())?;
        let oidc = settings.oidc.clone().map(Provider::new).transpose()?;
        let post = mail::Post::new(store.clone(), node.node, settings.mail.clone())?;
        let hooks = hooks::Hooks::new(store.clone());
        let life = life::Life::new(store.clone(), &node, settings.web_origin.clone(), probe);
        Ok(Self(Arc::new(Inner {
            table: Table::read(openapi::DOCUMENT)?,
            throttle: front::Throttle::new(settings.limits),
            busy: door::Busy::new(node.node),
            gauge: shed::Gauge::default(),
            intake: shed::Intake::new(),
            figures: figures::Figures::new(),
            feed: feed::Feed::new(authority.clone(), store.clone(), life.clone()),
            draining: watch::Sender::new(false),
            authority,
            client,
            store,
            token,
            node,
            settings,
            office,
            oidc,
            life,
            post,
            charts: chart::Charts::default(),
            hooks,
            forward: forward::Forward::new()?,
        })))
    }

    /// What is under way: ballots, other requests, subscribers of the feed.
    pub fn load(&self) -> (usize, usize, usize) {
        let (ballots, others) = self.gauge.counts();
        (ballots, others, self.feed.subscribers())
    }

    /// Figures in OpenMetrics, without the end mark.
    pub fn figures(&self) -> String {
        let ((ballots, others, listeners), ordering) = (self.load(), self.intake.counts());
        self.figures.render(figures::Load { requests: (ballots, others), ordering, listeners })
    }

    /// Whether the node takes leave.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// From now on the node takes leave: `/readyz` elsewhere says so, feeds are closed with 1001,
    /// the other nodes see it as draining.
    pub fn drain(&self) {
        self.draining.send_replace(true);
        self.life.drain();
    }

    /// Tells the other nodes that this one stops on purpose.
    pub async fn farewell(&self) {
        self.life.farewell().await;
    }

    /// Serves HTTP/1.1 on `listener` until `stop` resolves. gRPC needs HTTP/2, which this
    /// listener does not speak, so no call of the store's API can reach anything here.
    ///
    /// # Errors
    /// Of the listener.
    pub async fn serve(
        self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        self.office.start();
        self.life.start();
        self.feed.start();
        self.post.start();
        tokio::spawn(self.clone().keep_audit());
        tokio::spawn(self.clone().send_hooks());
        let door = door::Door::new(self.clone(), routes::router(self));
        let service =
            ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(door);
        axum::serve(listener, service).with_graceful_shutdown(stop).await
    }
}

/// Chooses the one TLS implementation of this process, once; later calls do nothing.
pub fn install_tls() {
    // An error says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
