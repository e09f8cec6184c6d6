//! The nodes a client knows, and which of them it talks to at the moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint as Address};

/// A node that cannot be reached within this time is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection with calls under way is probed this often, and given up when the probe is not
/// answered in [`PROBE_TIMEOUT`]. etcd refuses clients that probe more often than every 5 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// There is none.
    None,
    /// Not of the form `HOST:PORT`.
    Malformed(String),
    /// Asks for TLS.
    Tls(String),
}

impl std::fmt::Display for EndpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => {
                f.write_str("no address of a node was given; give at least one HOST:PORT")
            }
            Self::Malformed(text) => {
                write!(f, "`{text}` is no address of a node; expected HOST:PORT")
            }
            Self::Tls(text) => {
                write!(f, "`{text}` asks for TLS, which this client does not speak; give HOST:PORT")
            }
        }
    }
}

impl std::error::Error for EndpointError {}

/// One node.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: String,
    channel: Channel,
}

impl Endpoint {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.starts_with("https://") {
            return Err(EndpointError::Tls(text.to_owned()));
        }
        let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let malformed = || EndpointError::Malformed(text.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
        if host.is_empty() || host.contains('/') || port.parse::<u16>().is_err() {
            return Err(malformed());
        }
        let channel = Address::from_shared(format!("http://{address}"))
            .map_err(|_| malformed())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PROBE_INTERVAL)
            .keep_alive_timeout(PROBE_TIMEOUT)
            .connect_lazy();
        Ok(Self { address: address.to_owned(), channel })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The connection; cheap to clone, remade by itself after a failure.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// All nodes, and the position of the one in use: a hint shared by all calls, not a lock.
#[derive(Debug)]
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    position: AtomicUsize,
}

impl Endpoints {
    pub(super) fn parse<E: AsRef<str>>(
        endpoints: impl IntoIterator<Item = E>,
    ) -> Result<Self, EndpointError> {
        let all = endpoints
            .into_iter()
            .map(|text| Endpoint::parse(text.as_ref().trim()))
            .collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Err(EndpointError::None);
        }
        Ok(Self { all, position: AtomicUsize::new(0) })
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Endpoint> {
        self.all.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Position of the node in use.
    pub(super) fn position(&self) -> usize {
        self.position.load(Ordering::Relaxed)
    }

    /// The node at `position`.
    pub(super) fn at(&self, position: usize) -> &Endpoint {
        &self.all[position]
    }

    /// Makes the node at `position` the one in use.
    pub(super) fn set_position(&self, position: usize) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// Moves on from the node at `position`, unless another call did so already.
    pub(super) fn pass_over(&self, position: usize) {
        let next = (position + 1) % self.all.len();
        let _moved_already =
            self.position.compare_exchange(position, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{EndpointError, Endpoints};

    #[tokio::test(flavor = "current_thread")]
    async fn addresses_are_read_or_refused_with_a_sentence() {
        let good =
            Endpoints::parse(["127.0.0.1:1", " http://[::1]:2/ ", "host.example:3"]).unwrap();
        let addresses: Vec<_> = good.iter().map(super::Endpoint::address).collect();
        assert_eq!(addresses, ["127.0.0.1:1", "[::1]:2", "host.example:3"]);

        for bad in ["", "127.0.0.1", "host:", ":7", "host:65536", "ftp://host:7", "a b:7"] {
            let error = Endpoints::parse([bad]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("`{bad}` is no address of a node; expected HOST:PORT")
            );
        }
        let tls = Endpoints::parse(["https://host:7"]).unwrap_err();
        assert!(matches!(tls, EndpointError::Tls(_)), "{tls}");
        assert_eq!(Endpoints::parse::<&str>([]).unwrap_err(), EndpointError::None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn two_calls_that_fail_on_one_node_pass_over_it_once() {
        let endpoints = Endpoints::parse(["a:1", "b:2", "c:3"]).unwrap();
        let position = endpoints.position();
        assert_eq!(endpoints.at(position).address(), "a:1");
        endpoints.pass_over(position);
        endpoints.pass_over(position);
        assert_eq!(endpoints.at(endpoints.position()).address(), "b:2");
    }
}
