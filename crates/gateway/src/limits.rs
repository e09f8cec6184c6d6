//! Throttling: how often a caller may come, decided without a clock of its own.
//!
//! The generic cell rate algorithm: for each key one number, the time at which its bucket would be
//! empty again. A request is taken when that lies no further ahead than the burst allows.
//!
//! | what | key | why that key |
//! |---|---|---|
//! | reading | address | nothing else is known of a stranger |
//! | acting | account | many people share an office |
//! | logging in | account, and address | guessing one password, and one password at many names |
//! | casting | credential | it is the voter |
//!
//! A credential is charged only once a ballot of it was ordered: whoever else writes it on a ballot
//! cannot use up its holder's share.
//!
//! A ballot is never refused by address: a whole campus has one. Against junk the gateway has the
//! cheap checks first, and the [`crate::shed`] of overload.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// Keys kept; later strangers share one bucket until others have emptied.
const KEYS_MAX: usize = 50_000;

/// So many in a burst, and so many in a minute after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests at once.
    pub burst: u32,
    /// Requests in each minute, in the long run.
    pub per_minute: u32,
}

/// One rate over many keys.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    /// When each bucket is empty again, in milliseconds.
    empty_at: HashMap<K, u64>,
    /// The bucket of those that found no place.
    shared: u64,
}

impl<K: Hash + Eq> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, empty_at: HashMap::new(), shared: 0 }
    }

    /// Takes one request of `key` at `now_ms`.
    ///
    /// # Errors
    /// In how many milliseconds the next one would be taken.
    pub(crate) fn take(&mut self, key: K, now_ms: u64) -> Result<(), u64> {
        if self.empty_at.len() >= KEYS_MAX && !self.empty_at.contains_key(&key) {
            self.empty_at.retain(|_, empty_at| *empty_at > now_ms);
            if self.empty_at.len() >= KEYS_MAX {
                return charge(self.rate, &mut self.shared, now_ms);
            }
        }
        charge(self.rate, self.empty_at.entry(key).or_insert(0), now_ms)
    }

    /// Whether `key` would be taken at `now_ms`, without charging it.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub(crate) fn look(&self, key: &K, now_ms: u64) -> Result<(), u64> {
        charge(self.rate, &mut self.empty_at.get(key).copied().unwrap_or(0), now_ms)
    }
}

fn charge(rate: Rate, empty_at: &mut u64, now_ms: u64) -> Result<(), u64> {
    let interval = 60_000 / u64::from(rate.per_minute.max(1));
    let ahead_max = interval * u64::from(rate.burst.max(1));
    let next = (*empty_at).max(now_ms) + interval;
    let ahead = next - now_ms;
    if ahead > ahead_max {
        return Err(ahead - ahead_max);
    }
    *empty_at = next;
    Ok(())
}

/// The network that counts as one caller: the address itself, or 64 bits of IPv6.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
    }
}

/// Whose address counts: the peer's, or behind trusted proxies the last one in `X-Forwarded-For`
/// that no trusted proxy has. What stands left of it is the caller's own invention.
pub(crate) fn client_address(
    peer: IpAddr,
    forwarded_for: Option<&str>,
    trusted: &[IpAddr],
) -> IpAddr {
    let mut address = peer.to_canonical();
    let mut hops = forwarded_for.into_iter().flat_map(|header| header.rsplit(','));
    while trusted.contains(&address) {
        let Some(hop) = hops.next().and_then(parse_hop) else { break };
        address = hop;
    }
    address
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1` or `[::1]:80`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bare = || text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    with_port().or_else(bare).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, per_minute: 60 };

    #[test]
    fn a_burst_and_then_one_a_second() {
        let mut limiter = Limiter::new(RATE);
        let mut take = |now| limiter.take("ada", now);
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(1000));
        assert_eq!(take(999), Err(1));
        assert_eq!(take(1000), Ok(()));
        assert_eq!(take(1000), Err(1000));
        assert_eq!([take(90_000), take(90_000), take(90_000)], [Ok(()); 3]);
        assert_eq!(take(90_000), Err(1000), "rest is not saved beyond the burst");
    }

    #[test]
    fn callers_do_not_spend_each_others_share_and_looking_is_free() {
        let mut limiter = Limiter::new(RATE);
        for _ in 0..3 {
            limiter.take("ada", 0).expect("in the burst");
        }
        assert!(limiter.look(&"ada", 0).is_err());
        for _ in 0..10 {
            assert_eq!(limiter.look(&"bob", 0), Ok(()));
        }
        assert_eq!(limiter.take("bob", 0), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_strangers_share_what_is_left() {
        let mut limiter = Limiter::new(RATE);
        for key in 0..KEYS_MAX {
            limiter.take(key, 0).expect("a bucket of its own");
        }
        let late: Vec<_> = (0..4).map(|key| limiter.take(KEYS_MAX + key, 0).is_ok()).collect();
        assert_eq!(late, [true, true, true, false]);
        assert_eq!(limiter.take(7, 0), Ok(()), "who was there keeps its bucket");
        assert_eq!(limiter.take(usize::MAX, 5000), Ok(()), "empty buckets make room");
        assert!(limiter.empty_at.len() <= KEYS_MAX);
    }

    #[test]
    fn forged_forwarding_is_not_believed() {
        let ip = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let check = |peer, header, expect: &str| {
            assert_eq!(client_address(ip(peer), header, &trusted), ip(expect), "{header:?}");
        };
        check("9.9.9.9", Some("1.1.1.1"), "9.9.9.9");
        check("10.0.0.1", None, "10.0.0.1");
        check("10.0.0.1", Some("6.6.6.6, 1.1.1.1"), "1.1.1.1");
        check("10.0.0.1", Some("6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1");
        check("10.0.0.1", Some("1.1.1.1:4711"), "1.1.1.1");
        check("10.0.0.1", Some("[2001:db8::1]:4711"), "2001:db8::1");
        check("10.0.0.1", Some("nonsense"), "10.0.0.1");
        check("::ffff:9.9.9.9", None, "9.9.9.9");
        assert_eq!(network_of(ip("2001:db8::1")), network_of(ip("2001:db8::2")));
        assert_ne!(network_of(ip("10.0.0.1")), network_of(ip("10.0.0.2")));
    }
}
