//! What the demonstration votes on: a real election from a file, or a built-in one; more voters
//! with random choices on demand; and the count made in the clear to hold the result against.

use base::Prng;
use formats::pabulib::{PbElection, PbKind};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Longest text of a title or option in an election, in bytes.
const TEXT_BYTES_MAX: usize = 500;

/// Voters of the built-in election.
const SAMPLE_VOTERS: usize = 120;

/// Who is on the roll and left to whoever watches.
pub(super) const GUEST: &str = "guest";

/// Every so many voters one votes for something else first.
const REVOTES_EVERY: usize = 7;

/// How one contest is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Exactly one option.
    One,
    /// Any set of that many.
    Some { min: u16, max: u16 },
}

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Contest {
    pub(super) title: String,
    pub(super) rule: Rule,
    pub(super) options: Vec<String>,
    /// Whether an answer "(blank)" is offered after the options.
    pub(super) blank: bool,
    /// The published totals, where the file has them.
    pub(super) official: Vec<Option<u64>>,
}

impl Contest {
    /// Answers on a ballot, the blank one included.
    pub(super) fn answers(&self) -> u16 {
        self.options.len() as u16 + u16::from(self.blank)
    }

    /// The text of an answer.
    pub(super) fn answer(&self, number: usize) -> &str {
        self.options.get(number).map_or("(blank)", String::as_str)
    }
}

/// What one voter chooses: for each contest the numbers of the answers, ascending.
pub(super) type Choices = Vec<Vec<u16>>;

/// One voter.
#[derive(Clone)]
pub(super) struct Voter {
    /// Name in the electoral roll; never leaves the issuer.
    pub(super) id: String,
    /// What the voter votes for first and then takes back.
    pub(super) at_first: Option<Choices>,
    /// What counts.
    pub(super) choices: Choices,
}

/// A whole election in the clear.
pub(super) struct Scenario {
    pub(super) title: String,
    pub(super) contests: Vec<Contest>,
    pub(super) voters: Vec<Voter>,
    /// Whether the official totals speak about exactly these voters.
    pub(super) has_officials: bool,
    /// Whether [`GUEST`] is on the roll.
    has_guest: bool,
}

impl Scenario {
    /// The election of a file, `synthetic` random voters beside it.
    pub(super) fn from_pabulib(election: &PbElection, synthetic: usize, seed: u64) -> Self {
        let rule = match election.kind {
            PbKind::ChooseOne => Rule::One,
            PbKind::Approval { min, max } => Rule::Some { min, max },
        };
        let contest = Contest {
            title: "Which projects shall be paid for?".to_owned(),
            rule,
            options: option_texts(election),
            blank: false,
            official: election.projects.iter().map(|project| project.official).collect(),
        };
        let votes = election.votes.iter();
        let cast = votes.map(|vote| (vote.voter.clone(), vec![vote.chosen.clone()])).collect();
        let complete = contest.official.iter().all(Option::is_some);
        Self::new(text(&election.title), vec![contest], cast, synthetic, seed)
            .with_officials(complete && synthetic == 0)
    }

    /// The built-in election of a board.
    pub(super) fn sample(synthetic: usize, seed: u64) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let chair = Contest {
            title: "Chair of the board".into(),
            rule: Rule::One,
            options: names(&["Ada Lindqvist", "Bruno Keita", "Chiara Novak", "David Okafor"]),
            blank: true,
            official: Vec::new(),
        };
        let projects = Contest {
            title: "Which projects shall we pay for? (up to three)".into(),
            rule: Rule::Some { min: 0, max: 3 },
            options: names(&[
                "A roof over the bicycles",
                "Benches under the lime trees",
                "Evening courses in first aid",
                "New lamps along the river",
                "Repair workshop",
                "Summer cinema",
            ]),
            blank: false,
            official: Vec::new(),
        };
        let contests = vec![chair, projects];
        let mut rng = Prng::named(seed, "sample");
        let ids = (1..=SAMPLE_VOTERS).map(|number| format!("member-{number:03}"));
        let cast = ids.map(|id| (id, random_choices(&contests, &mut rng))).collect();
        Self::new("Election of the board".into(), contests, cast, synthetic, seed)
    }

    fn new(
        title: String,
        contests: Vec<Contest>,
        mut cast: Vec<(String, Choices)>,
        synthetic: usize,
        seed: u64,
    ) -> Self {
        let mut rng = Prng::named(seed, "synthetic");
        cast.extend(
            (1..=synthetic)
                .map(|number| (format!("synthetic-{number}"), random_choices(&contests, &mut rng))),
        );
        let mut rng = Prng::named(seed, "second thoughts");
        let voters = (0..).zip(cast).map(|(place, (id, choices))| {
            let rethinks = place % REVOTES_EVERY == REVOTES_EVERY - 1;
            let at_first = rethinks.then(|| other_choices(&contests, &choices, &mut rng));
            Voter { id, at_first, choices }
        });
        let voters = voters.collect();
        Self { title, contests, voters, has_officials: false, has_guest: false }
    }

    /// The same with [`GUEST`] on the roll, who does not vote by itself.
    #[must_use]
    pub(super) fn with_guest(self) -> Self {
        Self { has_guest: true, ..self }
    }

    fn with_officials(self, has_officials: bool) -> Self {
        Self { has_officials, ..self }
    }

    /// Votes by contest and answer, counted in the clear.
    pub(super) fn count(&self) -> Vec<Vec<u64>> {
        let zeros = |contest: &Contest| vec![0; usize::from(contest.answers())];
        let mut counts: Vec<Vec<u64>> = self.contests.iter().map(zeros).collect();
        for voter in &self.voters {
            for (count, chosen) in counts.iter_mut().zip(&voter.choices) {
                chosen.iter().for_each(|answer| count[usize::from(*answer)] += 1);
            }
        }
        counts
    }

    /// Ballots that will be cast, first thoughts included.
    pub(super) fn ballots(&self) -> usize {
        self.voters.iter().map(|voter| 1 + usize::from(voter.at_first.is_some())).sum()
    }

    /// The definition as an administrator would write it.
    pub(super) fn definition(&self) -> String {
        let mut toml = String::new();
        let mut line = |text: String| {
            toml.push_str(&text);
            toml.push('\n');
        };
        line(format!("title = {}", quoted(&self.title)));
        line("domain = \"demo.quorate.example\"".into());
        line("trustees = [\"Trustee 1\", \"Trustee 2\", \"Trustee 3\"]".into());
        line("threshold = 2".into());
        line("revote = \"last-counts\"".into());
        line("issuer = \"separate\"".into());
        line(format!("minimum_ballots = {}", self.voters.len().clamp(1, 10)));
        line(format!("accept_small_classes = {}", self.voters.len() < 20));
        line("test = true".into());
        for contest in &self.contests {
            line(String::new());
            line("[[contests]]".into());
            line(format!("title = {}", quoted(&contest.title)));
            match contest.rule {
                Rule::One => line("kind = \"one\"".into()),
                Rule::Some { min, max } => {
                    line("kind = \"some\"".into());
                    line(format!("min = {min}"));
                    line(format!("max = {max}"));
                }
            }
            line(format!("blank = {}", contest.blank));
            let options: Vec<String> = contest.options.iter().map(|text| quoted(text)).collect();
            line(format!("options = [\n    {},\n]", options.join(",\n    ")));
        }
        toml
    }

    /// The electoral roll, for the issuer.
    pub(super) fn roll(&self) -> String {
        let mut csv = "voter_id\n".to_owned();
        for voter in &self.voters {
            let written = writeln!(csv, "{}", voter.id);
            debug_assert!(written.is_ok(), "writing to a string succeeds");
        }
        if self.has_guest {
            csv.push_str(GUEST);
            csv.push('\n');
        }
        csv
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// At most [`TEXT_BYTES_MAX`] bytes in one line.
fn text(raw: &str) -> String {
    let plain: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = plain.len().min(TEXT_BYTES_MAX);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    plain[..end].trim().to_owned()
}

/// The projects' names; one that appears twice is told apart by its id.
fn option_texts(election: &PbElection) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for project in &election.projects {
        *seen.entry(text(&project.name)).or_default() += 1;
    }
    let one = |project: &formats::pabulib::Project| {
        let name = text(&project.name);
        if seen.get(&name) == Some(&1) { name } else { text(&format!("[{}] {name}", project.id)) }
    };
    election.projects.iter().map(one).collect()
}

fn random_choices(contests: &[Contest], rng: &mut Prng) -> Choices {
    contests.iter().map(|contest| random_choice(contest, rng)).collect()
}

fn random_choice(contest: &Contest, rng: &mut Prng) -> Vec<u16> {
    let answers = contest.answers();
    match contest.rule {
        Rule::One => vec![skewed(answers, rng)],
        Rule::Some { min, max } => {
            let count = rng.between(u64::from(min), u64::from(max.min(answers))) as usize;
            let mut numbers: Vec<u16> = (0..answers).collect();
            rng.shuffle(&mut numbers);
            numbers.truncate(count);
            numbers.sort_unstable();
            numbers
        }
    }
}

/// The smaller of two draws: results with a clear order look like results.
fn skewed(bound: u16, rng: &mut Prng) -> u16 {
    let bound = u64::from(bound);
    rng.below(bound).min(rng.below(bound)) as u16
}

/// A valid ballot that differs from `choices` wherever the contest has anything else to offer.
fn other_choices(contests: &[Contest], choices: &Choices, rng: &mut Prng) -> Choices {
    const ATTEMPTS: usize = 16;
    let other = |(contest, chosen): (&Contest, &Vec<u16>)| {
        let mut drawn = || random_choice(contest, rng);
        std::iter::repeat_with(&mut drawn)
            .take(ATTEMPTS)
            .find(|other| other != chosen)
            .unwrap_or_else(|| chosen.clone())
    };
    contests.iter().zip(choices).map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_the_same_for_a_seed_and_its_ballots_are_valid() {
        let (one, same) = (Scenario::sample(30, 7), Scenario::sample(30, 7));
        assert_eq!(one.count(), same.count());
        assert_ne!(one.count(), Scenario::sample(30, 8).count());
        assert_eq!(one.voters.len(), SAMPLE_VOTERS + 30);
        assert_eq!(one.ballots(), 150 + 150 / REVOTES_EVERY);
        for voter in &one.voters {
            for choices in voter.at_first.iter().chain([&voter.choices]) {
                assert_eq!(choices[0].len(), 1);
                assert!(choices[0][0] < 5 && choices[1].len() <= 3);
                assert!(choices[1].windows(2).all(|pair| pair[0] < pair[1]));
            }
            assert!(voter.at_first.as_ref() != Some(&voter.choices));
        }
    }

    #[test]
    fn officials_are_compared_only_when_they_speak_about_the_same_voters() {
        let pb = "META\nkey;value\ndescription;Park\nnum_projects;2\nnum_votes;2\n\
            vote_type;approval\nmax_length;2\nPROJECTS\nproject_id;cost;votes;name\n\
            p1;10;2;Trees\np2;20;1;Trees\nVOTES\nvoter_id;vote\n1;p1\n2;p2,p1\n";
        let pb = PbElection::parse(pb.as_bytes()).expect("well-formed");
        let scenario = Scenario::from_pabulib(&pb, 0, 1);
        assert!(scenario.has_officials);
        assert_eq!(scenario.count(), [[2, 1]]);
        assert_eq!(scenario.contests[0].options, ["[p1] Trees", "[p2] Trees"]);
        assert!(!Scenario::from_pabulib(&pb, 5, 1).has_officials);
    }
}
