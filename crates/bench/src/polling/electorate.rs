//! Voters of nobody's election, and their ballots, made before anything is measured.

use ballot::{Choice, Credential};
use bytes::Bytes;
use chacha20::ChaCha20Rng;
use election::Manifest;
use rand_core::SeedableRng;

use crate::failure::Failure;

/// Options of the one question, as in the figures of verification.
pub(crate) const OPTIONS: u16 = 5;

/// Voters with keys of their own. The keys follow from their numbers: they protect nothing.
pub(crate) struct Electorate(Vec<Credential>);

impl Electorate {
    pub(crate) fn new(voters: usize) -> Self {
        let one = |number: usize| Credential::generate(&mut random(number, 0));
        Self((0..voters).map(one).collect())
    }

    /// The public roll: key, weight and group of each voter, by key.
    pub(crate) fn roll(&self) -> String {
        let mut lines: Vec<String> = self
            .0
            .iter()
            .map(|voter| format!("{},1,0\n", hex::encode(voter.public().to_bytes())))
            .collect();
        lines.sort_unstable();
        lines.concat()
    }

    /// One ballot of each voter, encrypted and signed, on all cores.
    ///
    /// # Errors
    /// When the manifest takes no such ballots.
    pub(crate) fn ballots(&self, manifest: &Manifest) -> Result<Vec<Bytes>, Failure> {
        let context = manifest.ballot_context();
        let context = context.map_err(|problem| Failure::new(problem.to_string()))?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = self.0.len().div_ceil(threads).max(1);
        let one = |number: usize, voter: &Credential| {
            let choice = Choice::One((number % usize::from(OPTIONS)) as u16);
            let mut random = random(number, 1);
            let sealed = ballot::cast(&context, voter, 0, 0, [0; 32], &[choice], &mut random);
            sealed.map(|sealed| Bytes::copy_from_slice(sealed.as_bytes()))
        };
        let several = |(part, voters): (usize, &[Credential])| {
            let numbered = (part * share..).zip(voters);
            numbered.map(|(number, voter)| one(number, voter)).collect::<Result<Vec<_>, _>>()
        };
        let made: Result<Vec<Vec<Bytes>>, _> = std::thread::scope(|scope| {
            let parts = self.0.chunks(share).enumerate();
            let running: Vec<_> = parts.map(|part| scope.spawn(move || several(part))).collect();
            running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
        });
        made.map(|parts| parts.concat()).map_err(Failure::because("a ballot cannot be made"))
    }
}

fn random(number: usize, purpose: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64((number as u64) << 1 | purpose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::testing::ElectionBuilder;
    use election::{Contest, Rule};

    #[test]
    fn voters_differ_and_the_roll_is_in_order() {
        let electorate = Electorate::new(40);
        let roll = electorate.roll();
        let lines: Vec<&str> = roll.lines().collect();
        assert!(lines.is_sorted() && lines.len() == 40);
        assert!(lines.iter().all(|line| line.len() == 68 && line.ends_with(",1,0")), "{roll}");
        let unlike: std::collections::BTreeSet<_> = lines.into_iter().collect();
        assert_eq!(unlike.len(), 40);
    }

    #[test]
    fn each_voter_has_one_ballot() {
        let contest = Contest::new("Question", Rule::One, &["a", "b", "c", "d", "e"]);
        let builder = ElectionBuilder::new(17).voters(3);
        let manifest =
            builder.define(|definition| definition.contests = vec![contest]).build().manifest;
        let ballots = Electorate::new(5).ballots(&manifest).unwrap();
        let unlike: std::collections::BTreeSet<_> = ballots.iter().collect();
        assert_eq!((ballots.len(), unlike.len()), (5, 5));
    }
}
