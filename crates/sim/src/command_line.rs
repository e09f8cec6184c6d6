//! The few words that the simulator's command line knows.

pub(crate) const USAGE: &str = "\
usage: sim run [--seeds N] [--first-seed S] [--mutant NAME]
       sim replay SEED [--dump] [--mutant NAME]
       sim mutants [--seeds N] [--first-seed S]
       sim voting [--seeds N] [--first-seed S] [--dump]

  run       N seeds (default 500) from S on (default 1); exit 1 if any violates an invariant
  replay    one seed again; --dump prints everything that happens
  mutants   each seeded bug until it is caught, at most N seeds; exit 1 if one is not
  voting    N whole elections (default 100) over a store that is slow, forgetful, or lies";

#[cfg(not(feature = "mutants"))]
pub(crate) const NO_MUTANTS: &str =
    "seeded bugs are not in this binary: build it with `--features mutants`";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run { seeds: u64, first_seed: u64, mutant: Option<String> },
    Replay { seed: u64, dump: bool, mutant: Option<String> },
    Mutants { seeds: u64, first_seed: u64 },
    Voting { seeds: u64, first_seed: u64, dump: bool },
}

const SEEDS: u64 = 500;
const ELECTIONS: u64 = 100;

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err("a command is missing".to_owned());
    };
    let mut words = Words::read(rest)?;
    let command = match verb.as_str() {
        "run" => Command::Run {
            seeds: words.number("--seeds", SEEDS)?,
            first_seed: words.number("--first-seed", 1)?,
            mutant: words.mutant()?,
        },
        "replay" => {
            let seed = words.free.pop().ok_or("`replay` needs a seed")?;
            Command::Replay {
                seed: number("the seed", &seed)?,
                dump: words.flag("--dump"),
                mutant: words.mutant()?,
            }
        }
        "mutants" => Command::Mutants {
            seeds: words.number("--seeds", SEEDS)?,
            first_seed: words.number("--first-seed", 1)?,
        },
        "voting" => Command::Voting {
            seeds: words.number("--seeds", ELECTIONS)?,
            first_seed: words.number("--first-seed", 1)?,
            dump: words.flag("--dump"),
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

    fn number(&mut self, name: &str, default: u64) -> Result<u64, String> {
        self.take(name).map_or(Ok(default), |text| number(name, &text))
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

    #[test]
    fn commands_and_mistakes() {
        check("run", Ok(Command::Run { seeds: 500, first_seed: 1, mutant: None }));
        check(
            "run --first-seed 7 --seeds 3",
            Ok(Command::Run { seeds: 3, first_seed: 7, mutant: None }),
        );
        check("replay 9 --dump", Ok(Command::Replay { seed: 9, dump: true, mutant: None }));
        check("mutants --seeds 5", Ok(Command::Mutants { seeds: 5, first_seed: 1 }));
        check("voting", Ok(Command::Voting { seeds: 100, first_seed: 1, dump: false }));
        check("", Err("a command is missing"));
        check("play", Err("`play` is no command"));
        check("replay", Err("`replay` needs a seed"));
        check("run --seeds x", Err("--seeds: `x` is no number"));
        check("run --seeds", Err("`--seeds` needs a value"));
        check("run 5", Err("`5` does not belong here"));
    }
}
