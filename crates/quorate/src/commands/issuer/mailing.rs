//! `quorate issuer mail`: invitations with the codes, sent by the issuer and by nobody else.

use super::invitation::{self, Filling, Template};
use super::journal::{Journal, Standing};
use super::tokens::TOKENS_HEADER;
use super::{BoothArgs, Issued, Way, read_codes, read_issued};
use crate::commands::{Failure, progress};
use crate::exit;
use crate::http::block_on;
use clap::Args;
use election::ElectionId;
use gateway::mail::{self, Letter, MailSettings, Outcome, Sender};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct MailArgs {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    /// Its title, as voters know it
    #[arg(long, value_name = "TEXT")]
    title: String,
    /// The codes that `issuer codes` wrote; an address may be put right there
    #[arg(long, value_name = "codes.csv", required_unless_present = "tokens")]
    codes: Option<PathBuf>,
    /// The tokens that `issuer tokens` wrote, instead of codes
    #[arg(long, value_name = "tokens.csv", conflicts_with = "codes", requires = "enrol_at")]
    tokens: Option<PathBuf>,
    /// Where enrolments are taken: the address of `issuer enrol --listen`, or mailto:ADDRESS
    #[arg(long, value_name = "URL", requires = "tokens")]
    enrol_at: Option<String>,
    /// How mail leaves: smtp://HOST:PORT?tls=required, smtps://…, or file:///FOLDER; user and
    /// password, if any, stand in the URL, so prefer the environment
    #[arg(long, env = "QUORATE_MAIL_SERVER", hide_env_values = true, value_name = "URL")]
    server: Option<String>,
    /// Sender, like 'Elections <elections@example.org>'
    #[arg(long, env = "QUORATE_MAIL_FROM", value_name = "ADDRESS")]
    from: Option<String>,
    /// Folder with own texts, a file LANGUAGE.txt each: 'Subject: …', a blank line, the body with
    /// {name}, {title}, {code}, {link}
    #[arg(long, value_name = "DIR")]
    texts: Option<PathBuf>,
    /// Print the first voter's mail, with an invented code, and send nothing
    #[arg(long, conflicts_with_all = ["test_to", "failed", "unknown"])]
    preview: bool,
    /// Send that mail to this address only, to see how it arrives
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["failed", "unknown"])]
    test_to: Option<String>,
    /// Send again what the server refused
    #[arg(long)]
    failed: bool,
    /// Send again what may have arrived or not, since a run was cut off
    #[arg(long)]
    unknown: bool,
    /// Letters a minute at most; mail servers have limits
    #[arg(long, value_name = "N", default_value = "300")]
    per_minute: std::num::NonZeroU32,
    #[command(flatten)]
    booth: BoothArgs,
}

impl MailArgs {
    /// The file of whom to write to; clap makes sure that there is one.
    fn list(&self) -> &Path {
        self.tokens.as_deref().or(self.codes.as_deref()).unwrap_or(Path::new("codes.csv"))
    }
}

/// What became of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    sent: usize,
    failed: usize,
    later: usize,
    unknown: usize,
    /// Sent by an earlier run.
    before: usize,
    no_address: usize,
}

/// `quorate issuer mail`.
pub(super) fn run(args: &MailArgs) -> Result<(), Failure> {
    let issued = match &args.tokens {
        Some(tokens) => read_issued(tokens, &TOKENS_HEADER)?,
        None => read_codes(args.list())?,
    };
    let texts = invitation::texts(args.tokens.is_some(), args.texts.as_deref())
        .map_err(|reason| Failure::new(exit::BAD_DATA, reason))?;
    let Some(first) = issued.first() else {
        return Err(Failure::new(exit::BAD_DATA, "there is nobody in the list of codes"));
    };
    if args.preview {
        let (subject, body) = letter(args, &texts, &invented(first))?;
        println!("To: {}\nSubject: {subject}\n\n{body}", first.email);
        return Ok(());
    }
    let (Some(server), Some(from)) = (&args.server, &args.from) else {
        let message = "say how mail leaves: --server URL and --from ADDRESS";
        return Err(Failure::new(exit::BAD_CONFIG, message));
    };
    let settings = MailSettings { server: server.clone(), from: from.clone() };
    let way = mail::Way::new(&settings).map_err(|reason| Failure::new(exit::BAD_CONFIG, reason))?;
    block_on(async {
        let sender = way.sender();
        match &args.test_to {
            Some(to) => test(args, &texts, &sender, first, to).await,
            None => mail_all(args, &texts, &sender, &issued).await,
        }
    })
}

/// The voter with a code that opens nothing.
fn invented(voter: &Issued) -> Issued {
    let Issued { voter_id, name, email, language, .. } = voter;
    let [voter_id, name, email, language] = [voter_id, name, email, language].map(Clone::clone);
    Issued { voter_id, name, email, language, code: ballot::Code::from_bytes([0; 15]) }
}

fn letter(
    args: &MailArgs,
    texts: &BTreeMap<String, Template>,
    voter: &Issued,
) -> Result<(String, String), Failure> {
    let text = invitation::text_for(texts, &voter.language)
        .ok_or_else(|| Failure::new(exit::BAD_DATA, "there is no English text to fall back on"))?;
    let name = if voter.name.is_empty() { &voter.voter_id } else { &voter.name };
    let (election, enrol_at) = (args.election, args.enrol_at.as_deref());
    let link = Way { election, booth: &args.booth.address, enrol_at }.link(&voter.code);
    let code = voter.code.to_string();
    Ok(text.fill(&Filling { name, title: &args.title, code: &code, link: &link }))
}

/// The same letter has the same id at every try, and the id tells nothing of the voter.
fn letter_id(election: ElectionId, voter_id: &str) -> String {
    let hash = Sha256::new()
        .chain_update(b"quorate invitation")
        .chain_update(election.0)
        .chain_update(voter_id);
    hex::encode(&hash.finalize()[..16])
}

async fn test(
    args: &MailArgs,
    texts: &BTreeMap<String, Template>,
    sender: &Sender,
    first: &Issued,
    to: &str,
) -> Result<(), Failure> {
    let (subject, text) = letter(args, texts, &invented(first))?;
    let id = letter_id(args.election, "test");
    match sender.send(&Letter { id: &id, to, subject: &subject, text: &text }).await {
        Outcome::Taken => {
            println!("the mail server has taken a test letter to {to}; its code opens nothing");
            Ok(())
        }
        Outcome::Refused(said) | Outcome::NotNow(said) | Outcome::Unknown(said) => {
            Err(Failure::new(exit::FAILED, format!("the test letter was not taken: {said}")))
        }
    }
}

async fn mail_all(
    args: &MailArgs,
    texts: &BTreeMap<String, Template>,
    sender: &Sender,
    issued: &[Issued],
) -> Result<(), Failure> {
    let mut journal = Journal::open(&args.list().with_extension("mail"))?;
    let mut count = Count::default();
    let mut pace = tokio::time::interval(Duration::from_secs(60) / args.per_minute.get());
    let bar = progress::bar_on_stderr("letters");
    bar.set_length(issued.len() as u64);
    for voter in issued {
        bar.inc(1);
        if voter.email.is_empty() {
            count.no_address += 1;
            continue;
        }
        let is_due = match journal.standing(&voter.voter_id) {
            None | Some(Standing::Later(_)) => true,
            Some(Standing::Sent) => {
                count.before += 1;
                false
            }
            Some(Standing::Failed(_)) => args.failed || (count.failed += 1, false).1,
            Some(Standing::Unknown(_)) => args.unknown || (count.unknown += 1, false).1,
        };
        if is_due {
            let (subject, text) = letter(args, texts, voter)?;
            pace.tick().await;
            journal.note(&voter.voter_id, Standing::Unknown(String::new()))?;
            let id = letter_id(args.election, &voter.voter_id);
            let letter = Letter { id: &id, to: &voter.email, subject: &subject, text: &text };
            let standing = standing(sender.send(&letter).await);
            count.add(&standing);
            journal.note(&voter.voter_id, standing)?;
        }
    }
    bar.finish_and_clear();
    report(&count, issued, &journal)
}

fn standing(outcome: Outcome) -> Standing {
    match outcome {
        Outcome::Taken => Standing::Sent,
        Outcome::Refused(said) => Standing::Failed(said),
        Outcome::NotNow(said) => Standing::Later(said),
        Outcome::Unknown(said) => Standing::Unknown(said),
    }
}

impl Count {
    fn add(&mut self, standing: &Standing) {
        *match standing {
            Standing::Sent => &mut self.sent,
            Standing::Failed(_) => &mut self.failed,
            Standing::Later(_) => &mut self.later,
            Standing::Unknown(_) => &mut self.unknown,
        } += 1;
    }
}

/// Tells what became of all; an error when somebody with an address was not reached.
fn report(count: &Count, issued: &[Issued], journal: &Journal) -> Result<(), Failure> {
    let Count { sent, failed, later, unknown, before, no_address } = count;
    println!("sent {sent}, sent before {before}, without an address {no_address}");
    if failed + later + unknown == 0 {
        return Ok(());
    }
    let mut lines = Vec::new();
    for voter in issued {
        let (word, said) = match journal.standing(&voter.voter_id) {
            Some(Standing::Failed(said)) => ("refused", said),
            Some(Standing::Later(said)) => ("not now", said),
            Some(Standing::Unknown(said)) => ("may have arrived", said),
            _ => continue,
        };
        lines.push(format!("  {} <{}>: {word} {said}", voter.voter_id, voter.email));
    }
    let message = format!(
        "{failed} refused, {later} to be tried later, {unknown} that may have arrived:\n{}\n\
         Put addresses right in the list of codes; the same command sends what is to be tried \
         later, --failed what was refused, --unknown what may have arrived",
        lines.join("\n")
    );
    Err(Failure::new(exit::FAILED, message))
}
