//! How many ballots are verified per second: `cargo run --release -p verifier --example speed`.
//! Printed as ballots, seconds, ballots per second, for one contest with five options.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use election::testing::{ElectionBuilder, TestRng, choose};

fn main() {
    let voters: u32 = std::env::args().nth(1).map_or(1000, |text| text.parse().unwrap());
    let builder = ElectionBuilder::new(1).voters(voters).define(|definition| {
        definition.contests.truncate(1);
        definition.contests[0].options = (1..=4).map(|i| format!("Option {i}")).collect();
    });
    let mut election = builder.build();
    let mut run = election.open();
    for voter in 0..voters {
        election.vote(&mut run, voter as usize, &[choose((voter % 5) as u16)]);
    }
    let finished = election.finish(run);
    let mut rng = TestRng::new(1, "weights");
    let start = Instant::now();
    let report = verifier::verify(&finished.archive, Some(&finished.trust), &mut rng);
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", report.verdict);
    println!("{voters} ballots, {seconds:.3} s, {:.0} ballots/s", f64::from(voters) / seconds);
}
