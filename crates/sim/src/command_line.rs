//! The few words that the simulator's command line knows.

use std::collections::BTreeSet;

use sim::faults::FaultId;
use sim::swarm::{Aim, Profile};

pub(crate) const USAGE: &str = "\
usage: sim run [--seeds N] [--first-seed S] [--profile harsh|mixed|idle] [--mutant NAME]
       sim report [--seeds N] [--first-seed S] [--profile P] [--mutant NAME]
       sim replay SEED [--until STEP] [--dump] [--profile P] [--mutant NAME]
                       [--aim NAME] [--faults LIST] [--calls LIST] [--members N]
       sim shrink SEED [--profile P] [--mutant NAME] [--aim NAME]
       sim mutants [--seeds N] [--first-seed S] [--mutant NAME]
       sim explore [WORLD …] [--states N] [--mutant NAME]
       sim voting [--seeds N] [--first-seed S] [--dump]

  run       N seeds (default 500) from S on (default 1); exit 1 if any violates an invariant
  report    the same and one page: faults by kind, phase x fault, marks; exit 1 on a gap
  replay    one seed again, to event STEP if given; --dump prints everything that happens, one
            column a member; with lists (`3,7,9` or `none`) only these faults and calls
  shrink    the shortest list of faults and calls by which a failing seed still fails
  mutants   each seeded bug until it is caught, at most N seeds; exit 1 if one is not; a seed
            means the world that `--aim` names (terms, lease, members, …) in what it prints
  explore   every order of events in small worlds (default all of them), each to the end or to N
            different states (default 2000000); exit 1 at the first violation
  voting    N whole elections (default 100) over a store that is slow, forgetful, or lies";

#[cfg(not(feature = "mutants"))]
pub(crate) const NO_MUTANTS: &str =
    "seeded bugs are not in this binary: build it with `--features mutants`";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run { range: Range, kind: Kind },
    Report { range: Range, kind: Kind },
    Replay { seed: u64, dump: bool, until: Option<u64>, cut: Cut, kind: Kind },
    Shrink { seed: u64, kind: Kind },
    Mutants { range: Range, only: Option<String> },
    Explore { worlds: Vec<String>, states: u64, mutant: Option<String> },
    Voting { range: Range, dump: bool },
}

/// Which seeds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) seeds: u64,
    pub(crate) first_seed: u64,
}

/// What kind of run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) profile: Profile,
    pub(crate) aim: Option<Aim>,
    #[cfg_attr(not(feature = "mutants"), allow(dead_code, reason = "refused without mutants"))]
    pub(crate) mutant: Option<String>,
}

/// What is not left out of a run; `None` = everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) faults: Option<BTreeSet<FaultId>>,
    pub(crate) calls: Option<BTreeSet<u64>>,
    pub(crate) members: Option<usize>,
}

impl Cut {
    pub(crate) fn is_set(&self) -> bool {
        self.faults.is_some() || self.calls.is_some() || self.members.is_some()
    }
}

const SEEDS: u64 = 500;
const ELECTIONS: u64 = 100;
const STATES: u64 = 2_000_000;

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err("a command is missing".to_owned());
    };
    let mut words = Words::read(rest)?;
    let command = match verb.as_str() {
        "run" => Command::Run { range: words.range(SEEDS)?, kind: words.kind()? },
        "report" => Command::Report { range: words.range(SEEDS)?, kind: words.kind()? },
        "replay" => Command::Replay {
            seed: words.seed(verb)?,
            dump: words.flag("--dump"),
            until: words.optional("--until")?,
            cut: words.cut()?,
            kind: words.kind()?,
        },
        "shrink" => Command::Shrink { seed: words.seed(verb)?, kind: words.kind()? },
        "mutants" => Command::Mutants { range: words.range(SEEDS)?, only: words.mutant()? },
        "voting" => Command::Voting { range: words.range(ELECTIONS)?, dump: words.flag("--dump") },
        "explore" => Command::Explore {
            worlds: core::mem::take(&mut words.free),
            states: words.optional("--states")?.unwrap_or(STATES),
            mutant: words.mutant()?,
        },
        other => return Err(format!("`{other}` is no command")),
    };
    words.nothing_left()?;
    Ok(command)
}

/// Options with values, `--dump`, and the rest.
struct Words {
    options: Vec<(String, String)>,
    free: Vec<String>,
}

impl Words {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut words = Self { options: Vec::new(), free: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if argument == "--dump" {
                words.options.push((argument.clone(), String::new()));
            } else if argument.starts_with("--") {
                let value = arguments.next().ok_or(format!("`{argument}` needs a value"))?;
                words.options.push((argument.clone(), value.clone()));
            } else {
                words.free.push(argument.clone());
            }
        }
        Ok(words)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.options.iter().position(|(option, _)| option == name)?;
        Some(self.options.remove(at).1)
    }

    fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    fn optional(&mut self, name: &str) -> Result<Option<u64>, String> {
        self.take(name).map(|text| number(name, &text)).transpose()
    }

    fn range(&mut self, seeds: u64) -> Result<Range, String> {
        let seeds = self.optional("--seeds")?.unwrap_or(seeds);
        Ok(Range { seeds, first_seed: self.optional("--first-seed")?.unwrap_or(1) })
    }

    fn seed(&mut self, verb: &str) -> Result<u64, String> {
        let seed = self.free.pop().ok_or(format!("`{verb}` needs a seed"))?;
        number("the seed", &seed)
    }

    fn kind(&mut self) -> Result<Kind, String> {
        let profile = match self.take("--profile").as_deref() {
            None | Some("harsh") => Profile::Harsh,
            Some("mixed") => Profile::Mixed,
            Some("idle") => Profile::Idle,
            Some(other) => return Err(format!("`{other}` is no profile: harsh, mixed or idle")),
        };
        Ok(Kind { profile, aim: self.aim()?, mutant: self.mutant()? })
    }

    fn aim(&mut self) -> Result<Option<Aim>, String> {
        let Some(name) = self.take("--aim") else { return Ok(None) };
        match Aim::ALL.into_iter().find(|aim| aim.name() == name) {
            Some(aim) => Ok(Some(aim)),
            None => {
                let names: Vec<&str> = Aim::ALL.iter().map(|aim| aim.name()).collect();
                Err(format!("`{name}` is no aim; there are {}", names.join(", ")))
            }
        }
    }

    fn cut(&mut self) -> Result<Cut, String> {
        let members = self.optional("--members")?.map(|members| members.max(1) as usize);
        Ok(Cut { faults: self.list("--faults")?, calls: self.list("--calls")?, members })
    }

    fn list(&mut self, name: &str) -> Result<Option<BTreeSet<u64>>, String> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let words = text.split(',').filter(|word| *word != "none");
        words.map(|word| number(name, word)).collect::<Result<_, _>>().map(Some)
    }

    #[cfg(feature = "mutants")]
    fn mutant(&mut self) -> Result<Option<String>, String> {
        let Some(name) = self.take("--mutant") else { return Ok(None) };
        match crate::mutants::by_name(&name) {
            Some(_) => Ok(Some(name)),
            None => Err(format!("`{name}` is no seeded bug; {}", crate::mutants::names())),
        }
    }

    #[cfg(not(feature = "mutants"))]
    fn mutant(&mut self) -> Result<Option<String>, String> {
        self.take("--mutant").map_or(Ok(None), |_| Err(NO_MUTANTS.to_owned()))
    }

    fn nothing_left(&self) -> Result<(), String> {
        let option = self.options.first().map(|(option, _)| option);
        match option.or(self.free.first()) {
            Some(word) => Err(format!("`{word}` does not belong here")),
            None => Ok(()),
        }
    }
}

fn number(what: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{what}: `{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Result<Command, &str>) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(parse(&words), expect.map_err(str::to_owned), "{line}");
    }

    fn range(seeds: u64, first_seed: u64) -> Range {
        Range { seeds, first_seed }
    }

    #[test]
    fn commands_and_mistakes() {
        check("run", Ok(Command::Run { range: range(500, 1), kind: Kind::default() }));
        let idle = || Kind { profile: Profile::Idle, ..Kind::default() };
        check(
            "run --first-seed 7 --profile idle --seeds 3",
            Ok(Command::Run { range: range(3, 7), kind: idle() }),
        );
        let cut = Cut {
            faults: Some(BTreeSet::from([3, 7])),
            calls: Some(BTreeSet::new()),
            members: Some(3),
        };
        let (seed, dump, until, kind) = (9, true, Some(80), Kind::default());
        check(
            "replay 9 --dump --until 80 --faults 3,7 --calls none --members 3",
            Ok(Command::Replay { seed, dump, until, cut, kind }),
        );
        let aimed = Kind { aim: Some(Aim::Terms), ..Kind::default() };
        check("shrink 9 --aim terms", Ok(Command::Shrink { seed: 9, kind: aimed }));
        let aims = "`luck` is no aim; there are terms, lease, members, snapshots, damage, disks, \
                    watches";
        check("shrink 9 --aim luck", Err(aims));
        check("shrink 9 --profile idle", Ok(Command::Shrink { seed: 9, kind: idle() }));
        check("mutants --seeds 5", Ok(Command::Mutants { range: range(5, 1), only: None }));
        check("voting", Ok(Command::Voting { range: range(100, 1), dump: false }));
        check("", Err("a command is missing"));
        check("play", Err("`play` is no command"));
        check("replay", Err("`replay` needs a seed"));
        check("run --seeds x", Err("--seeds: `x` is no number"));
        check("run --seeds", Err("`--seeds` needs a value"));
        check("run --profile mild", Err("`mild` is no profile: harsh, mixed or idle"));
        check("run 5", Err("`5` does not belong here"));
    }
}
