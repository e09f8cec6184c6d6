//! Which node a call goes to: round robin over those that are well, the others later.
//!
//! A node that fails rests, at first for a moment, then twice as long each time, up to
//! [`REST_MS_MAX`]; one that answers is well again at once. Nobody is given up: when all rest, the
//! one that has rested longest is asked first. Time comes in as an argument.

/// First rest of a node that failed, in milliseconds.
const REST_MS: u64 = 250;

/// Longest rest, in milliseconds.
const REST_MS_MAX: u64 = 15_000;

/// What is known of one node.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// Failures since the last answer.
    failures: u32,
    /// Not asked before this, unless nobody else is left.
    rests_until_ms: u64,
}

/// The nodes and whose turn it is.
#[derive(Clone, Debug)]
pub struct Balancer {
    nodes: Vec<Health>,
    turn: usize,
}

impl Balancer {
    /// Over `count` nodes, numbered from 0; all well.
    pub fn new(count: usize) -> Self {
        Self { nodes: vec![Health::default(); count], turn: 0 }
    }

    /// Every node once, in the order in which to try them; the next call begins one further on.
    pub fn order(&mut self, now_ms: u64) -> Vec<usize> {
        let order = self.order_from(self.turn, now_ms);
        self.turn = self.turn.wrapping_add(1) % self.nodes.len().max(1);
        order
    }

    /// Every node once, `first` before the others if it is well.
    pub fn order_from(&self, first: usize, now_ms: u64) -> Vec<usize> {
        let count = self.nodes.len();
        let mut order: Vec<usize> = (0..count).map(|step| (first + step) % count).collect();
        // Stable: those that are well keep their turn.
        order.sort_by_key(|node| {
            let until = self.nodes[*node].rests_until_ms;
            if until <= now_ms { 0 } else { until }
        });
        order
    }

    /// `node` gave an answer.
    pub fn answered(&mut self, node: usize) {
        if let Some(health) = self.nodes.get_mut(node) {
            *health = Health::default();
        }
    }

    /// `node` gave none, or said "not now".
    pub fn failed(&mut self, node: usize, now_ms: u64) {
        if let Some(health) = self.nodes.get_mut(node) {
            let rest = (REST_MS << health.failures.min(16)).min(REST_MS_MAX);
            health.failures += 1;
            health.rests_until_ms = now_ms + rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_the_same_share() {
        let mut balancer = Balancer::new(3);
        let firsts: Vec<usize> = (0..6).map(|_| balancer.order(0)[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
        assert_eq!(balancer.order(0), [0, 1, 2], "and every order holds all");
    }

    #[test]
    fn who_fails_rests_longer_each_time_and_is_well_after_one_answer() {
        let mut balancer = Balancer::new(3);
        balancer.failed(0, 1000);
        assert_eq!(balancer.order_from(0, 1100), [1, 2, 0]);
        assert_eq!(balancer.order_from(0, 1250), [0, 1, 2]);
        balancer.failed(0, 2000);
        assert_eq!(balancer.order_from(0, 2400), [1, 2, 0]);
        assert_eq!(balancer.order_from(0, 2500), [0, 1, 2]);
        (0..20).for_each(|_| balancer.failed(0, 3000));
        assert_eq!(balancer.order_from(0, 3000 + REST_MS_MAX), [0, 1, 2], "never given up");
        balancer.answered(0);
        assert_eq!(balancer.order_from(0, 3001), [0, 1, 2]);
    }

    #[test]
    fn when_all_rest_the_one_longest_at_rest_comes_first() {
        let mut balancer = Balancer::new(3);
        balancer.failed(2, 100);
        balancer.failed(0, 110);
        balancer.failed(1, 120);
        assert_eq!(balancer.order(130), [2, 0, 1]);
        assert!(Balancer::new(0).order(0).is_empty());
    }
}
