//! `quorate issuer enrol` takes enrolments, from letters that were saved or over HTTP;
//! `quorate issuer roll` makes the public roll of them. Both run where the tokens are: on a machine
//! that is no node.
//!
//! What arrives holds no secret and cannot be altered on its way (`ballot::enrolment`), so the
//! listener needs no TLS of its own to be safe; a page that was fetched by https may still only
//! link to https, so a proxy that speaks it usually stands before it.

use super::desk::{Desk, NotTaken, Taken};
use super::tokens;
use crate::commands::Failure;
use crate::commands::election::bad_file;
use crate::http::block_on;
use crate::{exit, files};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ballot::enrolment::{EnrolmentError, EnrolmentRequest};
use clap::Args;
use election::{ElectionId, Roll};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Longest body that is read: a request in its text form, with room.
const BODY_BYTES_MAX: usize = 8 << 10;
/// Voters who have not enrolled are named up to this many.
const MISSING_SHOWN: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct EnrolArgs {
    #[command(flatten)]
    tokens: TokensFile,
    /// Letters or whole mailboxes with enrolments in them
    #[arg(value_name = "FILE", required_unless_present = "listen")]
    letters: Vec<PathBuf>,
    /// Take enrolments over HTTP at this address, until the program is ended
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "letters")]
    listen: Option<SocketAddr>,
}

#[derive(Args, Debug)]
pub(crate) struct RollArgs {
    #[command(flatten)]
    tokens: TokensFile,
    /// Where to put the public roll
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only those who are not in this earlier public roll: for `election change-roll --add-all`
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct TokensFile {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    /// The tokens that `issuer tokens` wrote; enrolments are noted in enrolled.csv beside it
    #[arg(long, value_name = "tokens.csv")]
    tokens: PathBuf,
}

impl TokensFile {
    fn desk(&self) -> Result<Desk, Failure> {
        Desk::open(self.election, &self.tokens, tokens::read(&self.tokens)?)
    }
}

/// `quorate issuer enrol`.
pub(super) fn run(args: &EnrolArgs) -> Result<(), Failure> {
    let mut desk = args.tokens.desk()?;
    if let Some(address) = args.listen {
        return block_on(listen(desk, address));
    }
    let (mut taken, mut before, mut refused) = (0, 0, Vec::new());
    for path in &args.letters {
        let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
        let found = EnrolmentRequest::find(&text, &args.tokens.election.0);
        if found.is_empty() {
            refused.push(format!("{}: there is no enrolment in it", path.display()));
        }
        for (number, request) in (1..).zip(found) {
            match request.map_err(NotTaken::Wrong).and_then(|request| desk.take(&request)) {
                Ok(Taken::Now) => taken += 1,
                Ok(Taken::Before) => before += 1,
                Err(why) => {
                    let why = why.for_issuer();
                    refused.push(format!("{}: enrolment {number}: {why}", path.display()));
                }
            }
        }
    }
    let (invited, enrolled) = desk.counts();
    println!("took {taken}, taken before {before}; {enrolled} of {invited} have enrolled");
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::new(exit::FAILED, format!("not taken:\n{}", refused.join("\n"))))
}

/// `quorate issuer roll`.
pub(super) fn roll(args: &RollArgs) -> Result<(), Failure> {
    let desk = args.tokens.desk()?;
    let known: BTreeSet<[u8; 32]> = match &args.after {
        None => BTreeSet::new(),
        Some(path) => {
            let roll = formats::roll::read_public_roll(&files::read(path)?)
                .map_err(|wrong| bad_file(path, &wrong))?;
            roll.voters().iter().map(|voter| voter.credential).collect()
        }
    };
    let voters: Vec<_> = desk.voters().filter(|one| !known.contains(&one.credential)).collect();
    if voters.is_empty() {
        return Err(Failure::new(exit::FAILED, "nobody has enrolled who would be on this roll"));
    }
    let roll = Roll::new(voters).map_err(Failure::because(exit::FAILED, "the roll"))?;
    files::write_public(&args.out, formats::roll::write_public_roll(&roll).as_bytes())?;
    let (invited, enrolled) = desk.counts();
    let count = roll.voters().len();
    println!("wrote {count} voters; {enrolled} of {invited} invited have enrolled");
    let missing: Vec<&str> = desk.missing().collect();
    if !missing.is_empty() {
        let named = missing[..missing.len().min(MISSING_SHOWN)].join(", ");
        let more = if missing.len() > MISSING_SHOWN { ", …" } else { "" };
        eprintln!("not enrolled: {named}{more}");
    }
    Ok(())
}

type Shared = Arc<Mutex<Desk>>;

async fn listen(desk: Desk, address: SocketAddr) -> Result<(), Failure> {
    let cannot = format!("cannot listen at {address}");
    let because = Failure::because(exit::FAILED, &cannot);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(&because)?;
    let own = listener.local_addr().map_err(&because)?;
    let (invited, enrolled) = desk.counts();
    println!("taking enrolments at http://{own}/enrol; {enrolled} of {invited} have enrolled");
    let routes = Router::new()
        .route("/enrol", get(from_link).post(from_body))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(Mutex::new(desk)));
    let end = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, routes).with_graceful_shutdown(end).await.map_err(because)
}

/// `?r=`: the bytes of a request as hexadecimal digits.
#[derive(Default, Deserialize)]
struct Link {
    r: String,
}

/// A link is opened by a person, who reads the answer. Opening it again does no harm.
async fn from_link(
    State(desk): State<Shared>,
    link: Result<Query<Link>, QueryRejection>,
) -> Response {
    // Without it, or with anything else behind the question mark, it is no enrolment.
    let link = link.map_or_else(|_| Link::default(), |Query(link)| link);
    let election = lock(&desk).election();
    let request = hex::decode(&link.r)
        .map_err(|_| EnrolmentError::Layout)
        .and_then(|bytes| EnrolmentRequest::decode(&bytes, &election.0));
    answer(&desk, request)
}

/// The text form of one request.
async fn from_body(State(desk): State<Shared>, body: String) -> Response {
    let election = lock(&desk).election();
    let mut found = EnrolmentRequest::find(&body, &election.0);
    let only = if found.len() == 1 { found.pop() } else { None };
    answer(&desk, only.unwrap_or(Err(EnrolmentError::Layout)))
}

fn answer(desk: &Shared, request: Result<EnrolmentRequest, EnrolmentError>) -> Response {
    let taken = request.map_err(NotTaken::Wrong).and_then(|request| {
        let mut desk = lock(desk);
        let taken = desk.take(&request)?;
        let (invited, enrolled) = desk.counts();
        println!("{enrolled} of {invited} have enrolled");
        Ok(taken)
    });
    let (status, text) = match taken {
        Ok(Taken::Now) => (StatusCode::OK, "You are enrolled. Keep your voting code.\n".to_owned()),
        Ok(Taken::Before) => (StatusCode::OK, "You are enrolled already.\n".to_owned()),
        Err(why @ NotTaken::Unwritten(_)) => {
            eprintln!("{why}");
            (StatusCode::INTERNAL_SERVER_ERROR, "Not enrolled; try again later.\n".to_owned())
        }
        Err(why @ (NotTaken::Used { .. } | NotTaken::KeyOfAnother)) => {
            println!("not taken: {}", why.for_issuer());
            (StatusCode::CONFLICT, format!("Not enrolled: {why}.\n"))
        }
        Err(why) => (StatusCode::BAD_REQUEST, format!("Not enrolled: {why}.\n")),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, text).into_response()
}

/// A panic while it was held has changed nothing that was not written.
fn lock(desk: &Shared) -> std::sync::MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
