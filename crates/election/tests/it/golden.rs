//! Golden scripts: an election told as a conversation with the fold.
//!
//! `election` makes one (`seed voters trustees=m/t authorities=n/f revote=off weights=1,2
//! minimum opens closes large-classes`); `setup` appends everything up to the endorsements;
//! `append` any single entry; `vote` casts and appends; `again` appends the bytes of an earlier
//! ballot (`flip=` changes a byte first, `signed=` signs that again; `fresh=` begins the chain);
//! `order` appends an order of the administrator; `phase`, `turnout`, `counted`, `counts` look.
//! Every entry takes `by=` and `stamp=`.

use std::collections::BTreeMap;

use bytes::Bytes;
use election::{
    Act, Body, ElectionId, Endorser, Fold, Order, Phase, Refusal, Revote, Voter,
    testing::{Answer, ElectionBuilder, STAMP, TestElection},
};
use testkit::{Command, Runner, run_golden};

#[test]
fn scripts() {
    run_golden("testdata/fold", Script::default);
}

#[derive(Default)]
struct Script {
    state: Option<(TestElection, Fold)>,
    ballots: BTreeMap<String, Vec<u8>>,
}

type Answered = Result<String, String>;

impl Runner for Script {
    fn run(&mut self, command: &Command) -> Answered {
        match command.name.as_str() {
            "election" => self.create(command),
            "setup" => self.setup(),
            "append" => self.append(command),
            "vote" => self.vote(command),
            "again" => self.again(command),
            "check" => self.check(command),
            "phase" => self.phase(),
            "turnout" => self.turnout(),
            "order" => self.order(command),
            "counts" => self.counts(),
            "counted" => self.counted(),
            other => Err(format!("unknown command {other}")),
        }
    }
}

fn number<T: std::str::FromStr>(command: &Command, name: &str, default: T) -> Result<T, String> {
    match command.named.get(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{name}={text} is no number")),
    }
}

fn pair(command: &Command, name: &str, default: (u8, u8)) -> Result<(u8, u8), String> {
    let Some(text) = command.named.get(name) else { return Ok(default) };
    let parsed = text.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parsed.ok_or(format!("{name}={text} is not like 3/2"))
}

fn show(verdict: &Result<election::Accepted, Refusal>) -> String {
    match verdict {
        Ok(accepted) => format!("leaf {}", accepted.leaf_index),
        Err(refusal) => refusal.to_string(),
    }
}

impl Script {
    fn state(&mut self) -> Result<&mut (TestElection, Fold), String> {
        self.state.as_mut().ok_or("make an election first".to_owned())
    }

    fn create(&mut self, command: &Command) -> Answered {
        let (trustees, threshold) = pair(command, "trustees", (3, 2))?;
        let (authorities, faulty) = pair(command, "authorities", (3, 0))?;
        let minimum = number(command, "minimum", 1)?;
        let minute = |name| {
            Ok::<_, String>(match command.named.get(name) {
                None => None,
                Some(_) => Some(STAMP.wrapping_add_signed(number(command, name, 0)?)),
            })
        };
        let (opens, closes) = (minute("opens")?, minute("closes")?);
        let has = |word: &str| command.args.iter().any(|arg| arg == word);
        let mut builder = ElectionBuilder::new(number(command, "seed", 1)?)
            .voters(number(command, "voters", 3)?)
            .trustees(trustees, threshold)
            .authorities(authorities, faulty)
            .define(|definition| {
                definition.minimum_ballots = minimum;
                (definition.opens, definition.closes) = (opens, closes);
                if has("revote-off") {
                    definition.revote = Revote::Off;
                }
                definition.accept_small_classes = !has("large-classes");
                definition.test = !has("serious");
                (definition.roll_changes, definition.paper) = (has("roll-changes"), has("paper"));
            });
        if let Some(until) = minute("extendable")? {
            builder = builder.define(|definition| definition.extendable_until = Some(until));
        }
        if has("open-poll") {
            builder = builder.open_poll();
        }
        if has("weighted") {
            builder = builder.classes(|voter| voter + 1, |voter| (voter % 2) as u8);
        }
        let election = builder.build();
        let fold = Fold::new(election.id());
        self.state = Some((election, fold));
        Ok(String::new())
    }

    fn setup(&mut self) -> Answered {
        let (election, fold) = self.state()?;
        let entries = election.setup_entries();
        let verdicts = entries.iter().map(|entry| show(&fold.push(entry)));
        let refused: Vec<String> = verdicts.filter(|text| !text.starts_with("leaf")).collect();
        Ok(if refused.is_empty() {
            format!("{} leaves", entries.len())
        } else {
            refused.join("\n")
        })
    }

    fn append(&mut self, command: &Command) -> Answered {
        let kind = command.args.first().ok_or("append what?")?.clone();
        let (by, stamp) = place(command)?;
        let index = number(command, "of", 1u8)?;
        let foreign = command.args.iter().any(|arg| arg == "forged");
        let (election, fold) = self.state()?;
        let fingerprint = election.manifest.fingerprint();
        let admin = if foreign { &election.appenders[0].key } else { &election.admin };
        let sign = |act: Act| act.sign(&fingerprint, admin);
        let manifest = election.manifest.encode();
        let chunks = election.roll.chunks();
        let outcome = fold.decrypt().map(|outcome| outcome.encode());
        let entry = match kind.as_str() {
            "manifest" => {
                let body = Body::Manifest { manifest: &manifest, signature: sign(Act::Seal) };
                election.entry_by(by, stamp, &body)
            }
            "roll" => election.entry_by(by, stamp, &Body::RollChunk(&chunks[0])),
            "ceremony" => {
                let message = &election.messages[usize::from(index) - 1];
                election.entry_by(by, stamp, &Body::Ceremony(message))
            }
            "trustee" | "authority" => {
                let (endorser, key) = if kind == "trustee" {
                    let key = election.trustees[usize::from(index) - 1].signing_key();
                    (Endorser::Trustee(index), key)
                } else {
                    let key = election.appenders[usize::from(index) - 1].key.clone();
                    (Endorser::Authority(index), key)
                };
                let key = if foreign { election.admin.clone() } else { key };
                election.endorsement(endorser, &key)
            }
            "open" => election.entry_by(by, stamp, &Body::Open { signature: sign(Act::Open) }),
            "close" => election.entry_by(by, stamp, &Body::Close { signature: sign(Act::Close) }),
            "share" if fold.tally_statement().is_none() => {
                election.entry_by(by, stamp, &Body::Share { trustee: index, share: &[0; 32] })
            }
            "share" => election.share(fold, index),
            "result" => {
                let body = outcome.map_err(|refusal| refusal.to_string())?;
                election.entry_by(by, stamp, &Body::Result(&body))
            }
            "bytes" => Bytes::from(vec![1u8; usize::from(number(command, "count", 10u16)?) + 60]),
            "huge" => Bytes::from(vec![1u8; 65_536]),
            other => return Err(format!("unknown entry {other}")),
        };
        Ok(show(&fold.push(&entry)))
    }

    fn vote(&mut self, command: &Command) -> Answered {
        let voter: usize = number(command, "voter", 0)?;
        let (by, stamp) = place(command)?;
        let signed = command.named.contains_key("signed");
        let answers = command.args.iter().map(|arg| {
            let options = arg.split(',').filter(|one| !one.is_empty() && *one != "-");
            options.map(|one| one.parse().map_err(|_| format!("{arg}?"))).collect()
        });
        let answers: Vec<Vec<u16>> = answers.collect::<Result<_, String>>()?;
        let answers: Vec<Answer> = answers.into_iter().map(Answer::Options).collect();
        let seq = command.named.get("seq").map(|_| number(command, "seq", 0)).transpose()?;
        let flip = command.named.get("flip").map(|_| number(command, "flip", 0)).transpose()?;
        let fresh = command.named.contains_key("fresh");
        let (election, fold) = self.state()?;
        let mut ballot = match seq {
            _ if fresh => election.cast_at(voter, 0, [0; 32], &answers),
            None => election.cast(voter, &answers),
            Some(seq) => {
                let prev = election.chains[voter].1;
                election.cast_at(voter, seq, prev, &answers)
            }
        };
        if let Some(at) = flip {
            let length = ballot.len() as i64;
            ballot[usize::try_from((at + length) % length).unwrap()] ^= 1;
        }
        if signed {
            election.sign_again(voter, &mut ballot);
        }
        let verdict = show(&fold.push(&election.entry_by(by, stamp, &Body::Ballot(&ballot))));
        if let Some(name) = command.named.get("as") {
            self.ballots.insert(name.clone(), ballot);
        }
        Ok(verdict)
    }

    fn again(&mut self, command: &Command) -> Answered {
        let (by, stamp) = place(command)?;
        let name = command.args.first().ok_or("again what?")?;
        let ballot = self.ballots.get(name).cloned().ok_or(format!("no ballot {name}"))?;
        let (election, fold) = self.state()?;
        Ok(show(&fold.push(&election.entry_by(by, stamp, &Body::Ballot(&ballot)))))
    }

    fn check(&mut self, command: &Command) -> Answered {
        let name = command.args.first().ok_or("check what?")?;
        let ballot = self.ballots.get(name).cloned().ok_or(format!("no ballot {name}"))?;
        let (election, fold) = self.state()?;
        let verdict = fold.check_ballot(&ballot, &mut election.rng);
        Ok(match verdict {
            Ok(checked) => format!("would be accepted, number {}", checked.seq),
            Err(refusal) => refusal.to_string(),
        })
    }

    fn phase(&mut self) -> Answered {
        let (_, fold) = self.state()?;
        Ok(match fold.phase() {
            Phase::Setup { missing } => {
                let missing = missing.iter().map(|blocker| format!("\n- {blocker}"));
                format!("setup{}", missing.collect::<String>())
            }
            Phase::Closed { shares } => format!("closed, shares of {shares:?}"),
            Phase::Published => format!("published: {}", fold.result().unwrap()),
            Phase::Empty => "empty".to_owned(),
            Phase::Open | Phase::Paused => fold.phase().name().to_owned(),
        })
    }

    /// `order pause|resume|reset|extend|add|withdraw|replace|paper`, for `voter=`, as `number=`.
    fn order(&mut self, command: &Command) -> Answered {
        let kind = command.args.first().ok_or("order what?")?.clone();
        let (by, stamp) = place(command)?;
        let voter: usize = number(command, "voter", 0)?;
        let minutes: i32 = number(command, "to", 0)?;
        let weight = number(command, "weight", 1)?;
        let foreign = command.args.iter().any(|arg| arg == "forged");
        let (election, fold) = self.state()?;
        let credential = election.credentials[voter].public().to_bytes();
        let order = match kind.as_str() {
            "pause" => Order::Pause,
            "resume" => Order::Resume,
            "reset" => Order::Reset,
            "extend" => Order::Extend { closes: STAMP.wrapping_add_signed(minutes) },
            "add" => Order::Add(election.newcomer(weight, 0)),
            "again" => {
                let group = election.groups[voter];
                Order::Add(Voter { credential, weight, group })
            }
            "withdraw" => Order::Withdraw { credential },
            "replace" => {
                let new = election.newcomer(weight, election.groups[voter]).credential;
                Order::Replace { old: credential, new }
            }
            "paper" => Order::MarkPaper { credential },
            other => return Err(format!("unknown order {other}")),
        };
        let next = number(command, "number", fold.next_order())?;
        let admin = if foreign { &election.appenders[0].key } else { &election.admin };
        let signed = order.sign(next, &election.manifest.fingerprint(), admin);
        let entry = election.entry_by(by, stamp, &Body::Order(signed));
        Ok(show(&fold.push(&entry)))
    }

    fn counts(&mut self) -> Answered {
        Ok(match self.state()?.1.live_counts() {
            Some((size, counts)) => format!("{counts:?} at {size} leaves"),
            None => "secret".to_owned(),
        })
    }

    fn turnout(&mut self) -> Answered {
        let turnout = self.state()?.1.turnout();
        let changed = turnout.added + turnout.withdrawn + turnout.replaced + turnout.paper.voters;
        let changes = format!(
            "; {} added, {} withdrawn, {} replaced, {} on paper",
            turnout.added, turnout.withdrawn, turnout.replaced, turnout.paper
        );
        let changes = if changed > 0 { changes } else { String::new() };
        Ok(format!(
            "{} of {} voters, weight {} of {}, {} ballots{changes}",
            turnout.voters,
            turnout.roll_voters,
            turnout.weight,
            turnout.roll_weight,
            turnout.ballots
        ))
    }

    fn counted(&mut self) -> Answered {
        let mut counted = self.state()?.1.counted();
        counted.sort_unstable();
        let lines = counted.iter().map(|(leaf, weight)| format!("leaf {leaf} × {weight}"));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

fn place(command: &Command) -> Result<(u8, u32), String> {
    let shift: i32 = number(command, "stamp", 0)?;
    Ok((number(command, "by", 1)?, STAMP.wrapping_add_signed(shift)))
}

#[test]
fn a_fold_is_of_one_election() {
    let election = ElectionBuilder::new(3).build();
    let mut fold = Fold::new(ElectionId([0; 16]));
    let refusal = fold.push(&election.setup_entries()[0]).unwrap_err();
    assert_eq!(refusal.code, "wrong-election");
}
