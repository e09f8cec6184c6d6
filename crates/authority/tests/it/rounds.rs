//! Golden scripts of the finality rounds: one authority, and what it is told about the others.
//!
//! A value is written `SIZE:BRANCH`; the own tree holds every size up to its own on one branch.
//!
//! ```text
//! start me=1 n=4 f=1
//! grow 9:r
//! heard 0 proposal 9:r
//! ```

use authority::rounds::{Effect, Input, Leaves, Quorum, Recovered, Rounds, Setup, Timeouts};
use authority::vote::{Certificate, Kind, Statement, Value, Vote};
use testkit::{Command, Runner, run_golden};

/// A tree whose root names its branch; below `fork` all branches are one.
#[derive(Default)]
struct Tree {
    size: u64,
    branch: u8,
    fork: u64,
}

impl Tree {
    fn root(&self, size: u64) -> [u8; 32] {
        let mut root = [0; 32];
        root[0] = if size <= self.fork { b'r' } else { self.branch };
        root
    }
}

impl Leaves for Tree {
    fn size(&self) -> u64 {
        self.size
    }

    fn root_at(&self, size: u64) -> Option<[u8; 32]> {
        (size <= self.size).then(|| self.root(size))
    }
}

#[derive(Default)]
struct Script {
    rounds: Option<Rounds>,
    setup: Option<Setup>,
    tree: Tree,
    now_ms: u64,
    journal: Recovered,
    /// Statements whose record is not durable yet.
    unwritten: Vec<Statement>,
}

impl Script {
    fn play(&mut self, input: Input) -> Result<String, String> {
        let rounds = self.rounds.as_mut().ok_or("start first")?;
        let effects = rounds.step(input, &self.tree);
        let mut out = String::new();
        for effect in effects {
            match effect {
                Effect::Cast(statement) => {
                    out += &format!("say {}\n", show(&statement));
                    self.unwritten.push(statement);
                }
                Effect::Decided(certificate) => {
                    let Certificate { height, round, value, signatures } = certificate;
                    let authors: Vec<String> =
                        signatures.iter().map(|(author, _)| author.to_string()).collect();
                    let authors = authors.join(" ");
                    out += &format!(
                        "decided {height}/{round} {} by {authors}\n",
                        show_value(Some(value))
                    );
                    self.journal.decided = Some((height, value));
                }
                Effect::Equivocated { first, second } => {
                    let (author, first, second) =
                        (first.author, show(&first.statement), show(&second.statement));
                    out += &format!("{author} said both `{first}` and `{second}`\n");
                }
            }
        }
        Ok(out)
    }

    fn start(&mut self, command: &Command) -> Result<String, String> {
        let number = |key, default| Ok::<u8, String>(command.named(key)?.unwrap_or(default));
        let quorum = Quorum::new(number("n", 4)?, number("f", 1)?).ok_or("needs n >= 3f + 1")?;
        let timeouts = Timeouts {
            propose_ms: 1000,
            checked_ms: 300,
            ready_ms: 300,
            growth_ms: 100,
            cap_ms: 5000,
            batch_ms: 50,
        };
        let setup = Setup { me: number("me", 0)?, quorum, timeouts };
        self.setup = Some(setup);
        self.rounds = Some(Rounds::new(setup, &self.journal, self.now_ms));
        Ok(format!("quorum {}", quorum.votes()))
    }

    /// The records are on disk: the statements leave, and come back like everybody's.
    fn written(&mut self) -> Result<String, String> {
        let me = self.setup.ok_or("start first")?.me;
        let mut out = String::new();
        for statement in std::mem::take(&mut self.unwritten) {
            let rounds = self.rounds.as_ref().ok_or("start first")?;
            self.journal.heard.extend(rounds.evidence(&statement));
            let vote = Vote { author: me, statement, signature: [me; 64] };
            self.journal.cast.push(vote.clone());
            out += &self.play(Input::Heard(vote))?;
        }
        Ok(out)
    }

    fn crash(&mut self) -> Result<String, String> {
        let setup = self.setup.ok_or("start first")?;
        let lost = self.unwritten.len();
        self.unwritten.clear();
        let rounds = Rounds::new(setup, &self.journal, self.now_ms);
        let state = format!("lost {lost}, back in {}/{}", rounds.height(), rounds.round());
        self.rounds = Some(rounds);
        Ok(state)
    }

    /// `heard 0,2 ready 9:r round=1 height=0 valid=0`.
    fn heard(&mut self, command: &Command) -> Result<String, String> {
        let kinds = [Kind::Proposal, Kind::Checked, Kind::Ready];
        let name = command.arg(1, "a kind")?;
        let kind = kinds.into_iter().find(|kind| kind.name() == name).ok_or("no such kind")?;
        let rounds = self.rounds.as_ref().ok_or("start first")?;
        let height = command.named("height")?.unwrap_or(rounds.height());
        let round = command.named("round")?.unwrap_or(0);
        let value = parse_value(command.arg(2, "a value or nil")?)?;
        let valid_round = command.named("valid")?;
        let statement = Statement { height, round, kind, value, valid_round };
        let mut out = String::new();
        for author in command.arg(0, "authors")?.split(',') {
            let author = author.parse().map_err(|_| "not an author")?;
            let vote = Vote { author, statement, signature: [author; 64] };
            out += &self.play(Input::Heard(vote))?;
        }
        Ok(out)
    }

    fn certified(&mut self, command: &Command) -> Result<String, String> {
        let value = parse_value(command.arg(0, "a value")?)?.ok_or("nil is not decided")?;
        let height = command.named("height")?.unwrap_or(0);
        let signatures = vec![(0, [0; 64]), (2, [2; 64]), (3, [3; 64])];
        self.play(Input::Certified(Certificate { height, round: 0, value, signatures }))
    }

    fn grow(&mut self, command: &Command) -> Result<String, String> {
        let value = parse_value(command.arg(0, "a value")?)?.ok_or("a tree is not nil")?;
        let fork = command.named("fork")?.unwrap_or(0);
        self.tree = Tree { size: value.size, branch: value.root[0], fork };
        self.play(Input::Grown { hurry: command.args.iter().any(|arg| arg == "hurry") })
    }
}

impl Runner for Script {
    fn run(&mut self, command: &Command) -> Result<String, String> {
        match command.name.as_str() {
            "start" => self.start(command),
            "written" => self.written(),
            "crash" => self.crash(),
            "heard" => self.heard(command),
            "certified" => self.certified(command),
            "grow" => self.grow(command),
            "tick" => {
                self.now_ms +=
                    command.arg(0, "milliseconds")?.parse::<u64>().map_err(|e| e.to_string())?;
                self.play(Input::Ticked { now_ms: self.now_ms })
            }
            "state" => {
                let rounds = self.rounds.as_ref().ok_or("start first")?;
                let (height, round) = (rounds.height(), rounds.round());
                let (last, guarded) = (show_value(rounds.last()), show_value(rounds.guarded()));
                Ok(format!("in {height}/{round}, last {last}, guards {guarded}"))
            }
            other => Err(format!("no command `{other}`")),
        }
    }
}

fn parse_value(text: &str) -> Result<Option<Value>, String> {
    if text == "nil" {
        return Ok(None);
    }
    let (size, branch) = text.split_once(':').ok_or("a value is SIZE:BRANCH or nil")?;
    let size = size.parse().map_err(|_| "a size is a number")?;
    let branch = *branch.as_bytes().first().ok_or("a branch is a letter")?;
    let root = Tree { size, branch, fork: 0 }.root(size);
    Ok(Some(Value { size, root }))
}

fn show_value(value: Option<Value>) -> String {
    value.map_or("nil".to_owned(), |value| format!("{}:{}", value.size, value.root[0] as char))
}

fn show(statement: &Statement) -> String {
    let Statement { height, round, kind, value, valid_round } = statement;
    let valid = valid_round.map(|round| format!(" valid={round}")).unwrap_or_default();
    format!("{height}/{round} {} {}{valid}", kind.name(), show_value(*value))
}

#[test]
fn golden_scripts() {
    run_golden(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rounds"), Script::default);
}
