//! The seeds of every target, and a few thousand simple mutations of them.

use base::Prng;

/// Mutated inputs a target; each takes microseconds, curve arithmetic a few hundred.
const MUTATIONS: u64 = 2000;

#[test]
fn seeds_and_simple_mutations_of_them_break_nothing() {
    for target in decoders::targets() {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in &seeds {
            (target.check)(seed);
        }
        let mut random = Prng::named(1, target.name);
        for _ in 0..MUTATIONS {
            let mut input = seeds[random.below(seeds.len() as u64) as usize].clone();
            decoders::mutate(&mut input, target.bytes_max, &mut random);
            (target.check)(&input);
        }
    }
}
