//! Figures of the gateway for Prometheus. Labels hold templates and codes, never an id, a name or
//! a title.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// All of them.
#[derive(Clone)]
pub(crate) struct Figures {
    registry: Arc<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    ballots_ordered: Counter,
    ballots_refused: Family<Reason, Counter>,
    shed: Family<Reason, Counter>,
    under_way: Family<Reason, Gauge>,
    ordering: Family<Reason, Gauge>,
    listeners: Gauge,
}

/// What is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Ballots and other requests.
    pub(crate) requests: (usize, usize),
    /// Ballots on their way into the ledger, and how many may be.
    pub(crate) ordering: (usize, usize),
    /// Subscribers of the feed.
    pub(crate) listeners: usize,
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Figures {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("quorate");
        let mut figures = Self {
            registry: Arc::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            ballots_ordered: Counter::default(),
            ballots_refused: Family::default(),
            shed: Family::default(),
            under_way: Family::default(),
            ordering: Family::default(),
            listeners: Gauge::default(),
        };
        let own = &figures;
        registry.register("http_requests", "Requests answered", own.requests.clone());
        let help = "Time from a request's head to its answer's head";
        registry.register("http_request_duration_seconds", help, own.seconds.clone());
        registry.register("ballots_ordered", "Ballots ordered", own.ballots_ordered.clone());
        registry.register("ballots_refused", "Ballots refused", own.ballots_refused.clone());
        registry.register("http_requests_shed", "Requests turned away", own.shed.clone());
        registry.register("http_requests_under_way", "Requests now", own.under_way.clone());
        let help = "Ballots on their way into the ledger, and places for them";
        registry.register("ballots_ordering", help, own.ordering.clone());
        registry.register("feed_listeners", "Connections to the feed", own.listeners.clone());
        figures.registry = Arc::new(registry);
        figures
    }

    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, time: Duration) {
        // Methods are the caller's words; only those that routes take become labels.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
        let method = if known.contains(&method) { method } else { "other" };
        let route = if route.is_empty() { "none" } else { route };
        let label = Answered { route: route.to_owned(), method: method.to_owned(), status };
        self.requests.get_or_create(&label).inc();
        let label = Route { route: route.to_owned() };
        self.seconds.get_or_create(&label).observe(time.as_secs_f64());
    }

    pub(crate) fn ordered(&self) {
        self.ballots_ordered.inc();
    }

    pub(crate) fn refused(&self, code: &str) {
        self.ballots_refused.get_or_create(&Reason { reason: code.to_owned() }).inc();
    }

    pub(crate) fn shed(&self, kind: &'static str) {
        self.shed.get_or_create(&Reason { reason: kind.to_owned() }).inc();
    }

    /// The text form, without the end mark.
    pub(crate) fn render(&self, load: Load) -> String {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let set = |family: &Family<Reason, Gauge>, kind: &str, count| {
            family.get_or_create(&Reason { reason: kind.to_owned() }).set(number(count));
        };
        let Load { requests: (ballots, others), ordering: (waiting, places), listeners } = load;
        set(&self.under_way, "ballot", ballots);
        set(&self.under_way, "other", others);
        set(&self.ordering, "waiting", waiting);
        set(&self.ordering, "places", places);
        self.listeners.set(number(listeners));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            return String::new();
        }
        text.strip_suffix("# EOF\n").map(str::to_owned).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Load};
    use std::time::Duration;

    #[test]
    fn labels_are_templates_and_methods_are_known() {
        let figures = Figures::new();
        figures.answered("/api/v1/elections/{id}", "GET", 200, Duration::from_millis(3));
        figures.answered("", "BREW", 405, Duration::ZERO);
        let text = figures.render(Load { listeners: 3, ordering: (4, 5), ..Load::default() });
        assert!(
            text.contains(
                "quorate_http_requests_total{route=\"/api/v1/elections/{id}\",method=\"GET\",\
             status=\"200\"} 1"
            ),
            "{text}"
        );
        assert!(text.contains("method=\"other\""), "{text}");
        assert!(text.contains("quorate_feed_listeners 3"), "{text}");
        assert!(text.contains("quorate_ballots_ordering{reason=\"places\"} 5"), "{text}");
        assert!(!text.contains("# EOF"));
    }
}
