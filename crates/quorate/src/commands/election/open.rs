//! `quorate election open`: seals what draft, roll and ceremony make, and opens when enough have
//! signed it.

use super::ceremony::number_of;
use super::close::Signed;
use super::{Progress, act, drafted, failed, path};
use crate::commands::Failure;
use crate::files;
use crate::http::{
    ApiClient, AuthorityView, CeremonyMessage, CeremonyMessages, NodeView, Octets, PAUSE,
    RollChunks,
};
use ballot::ceremony::{Announcements, CeremonyError, Confirmation, Dealings, Parameters};
use ballot::signature::SigningKey;
use ballot::threshold::VerificationKey;
use clap::Args;
use election::{
    Act, Authority, Draft, ElectionId, Manifest, Roll, Secrecy, Trustee, refusal::code,
    roll::SMALL_CLASS, roll::decode_chunk,
};
use ledger::AuthorityKey;
use reqwest::Method;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;
use trustee::Round;

/// How long to wait until all nodes have published their authorities' keys.
const AUTHORITIES_PATIENCE: Duration = Duration::from_secs(15);
/// How many minutes the stamps of an authority may run backwards.
const STAMP_SLACK_MINUTES: u16 = 10;

#[derive(Args, Debug)]
pub(super) struct OpenArgs {
    /// The election
    id: ElectionId,
    /// The administrator's key
    #[arg(long, value_name = "FILE")]
    admin_key: PathBuf,
    /// How many authorities there must be [default: as many as --nodes names]
    #[arg(long, value_name = "N")]
    authorities: Option<usize>,
    /// How many authorities may be malicious [default: as many as their number can stand]
    #[arg(long, value_name = "F")]
    faulty: Option<u8>,
    /// How long to wait for the endorsements of trustees and authorities
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
}

#[derive(Serialize)]
struct Seal {
    manifest: Octets,
    signature: Octets,
}

pub(super) async fn run(api: &ApiClient, args: OpenArgs) -> Result<(), Failure> {
    let admin = files::admin_key(&args.admin_key, false)?;
    let (view, draft) = drafted(api, args.id).await?;
    if draft.admin != admin.public().to_bytes() {
        return Err(failed("this key is not the administrator's of this election"));
    }
    let manifest = match view.phase.as_str() {
        "draft" => build(api, &draft, &args).await?,
        "setup" => sealed(api, &draft).await?,
        phase => {
            println!("the election is {phase}");
            return Ok(());
        }
    };
    seal(api, &manifest, &admin).await?;
    wait_for_endorsements(api, args.id, Duration::from_secs(args.wait)).await?;
    let signature = Octets(Act::Open.sign(&manifest.fingerprint(), &admin).to_vec());
    let done = [code::REPEATED, code::WRONG_PHASE];
    act(api, (Method::POST, &path(args.id, "open")), &Signed { signature }, &done).await?;
    let open = |view: &crate::http::ElectionView| (view.phase == "open").then_some(());
    api.wait_for_election(args.id, open, |_| {}).await?;
    println!("'{}' is open", draft.definition.title);
    Ok(())
}

/// What the ledger holds already, from an earlier call that was interrupted.
async fn sealed(api: &ApiClient, draft: &Draft) -> Result<Manifest, Failure> {
    let bytes = api.get_bytes(&path(draft.id, "manifest")).await?;
    let manifest = Manifest::decode(&bytes).map_err(failed)?;
    if (manifest.id, &manifest.definition, manifest.admin)
        != (draft.id, &draft.definition, draft.admin)
    {
        return Err(failed("the sealed manifest is not what was drafted"));
    }
    Ok(manifest)
}

async fn seal(api: &ApiClient, manifest: &Manifest, admin: &SigningKey) -> Result<(), Failure> {
    let fingerprint = manifest.fingerprint();
    let body = Seal {
        manifest: Octets(manifest.encode()),
        signature: Octets(Act::Seal.sign(&fingerprint, admin).to_vec()),
    };
    act(api, (Method::POST, &path(manifest.id, "manifest")), &body, &[code::REPEATED]).await?;
    eprintln!("the manifest is sealed; fingerprint {}", hex::encode(fingerprint.0));
    Ok(())
}

async fn wait_for_endorsements(
    api: &ApiClient,
    id: ElectionId,
    patience: Duration,
) -> Result<(), Failure> {
    let mut progress = Progress::default();
    let started = Instant::now();
    loop {
        let view = api.election(id).await?;
        if view.phase != "draft" && view.blockers.is_empty() {
            return Ok(());
        }
        let blockers: Vec<&str> =
            view.blockers.iter().map(|blocker| blocker.text.as_str()).collect();
        let blockers = blockers.join("; ");
        if started.elapsed() > patience {
            return Err(failed(format!("the election cannot open yet: {blockers}")));
        }
        progress.tell(format!("waiting: {blockers}"));
        tokio::time::sleep(PAUSE).await;
    }
}

/// The manifest that draft, roll, ceremony and authorities make.
async fn build(api: &ApiClient, draft: &Draft, args: &OpenArgs) -> Result<Manifest, Failure> {
    let mut blockers = Vec::new();
    let roll = roll(api, draft).await.map_err(|blocker| blockers.push(blocker)).ok();
    let open_poll = draft.definition.secrecy == Secrecy::Open;
    let ceremony = if open_poll {
        Ok(None)
    } else {
        let messages: CeremonyMessages = api.get_json(&path(draft.id, "ceremony")).await?;
        ceremony(draft, &messages.messages).map(Some).map_err(|blocker| blockers.push(blocker))
    };
    let (Some(roll), Ok(ceremony)) = (roll, ceremony) else {
        return Err(failed(format!("the election cannot open yet: {}", blockers.join("; "))));
    };
    let needed = args.authorities.unwrap_or(api.nodes().len());
    let authorities = authorities(api, needed).await?;
    let most = u8::try_from(authorities.len().saturating_sub(1) / 3).unwrap_or(u8::MAX);
    let dealings = ceremony.as_ref().map(|(_, dealings)| dealings);
    let trustees = dealings.map(trustees_of).unwrap_or_default();
    let manifest = Manifest {
        id: draft.id,
        definition: draft.definition.clone(),
        admin: draft.admin,
        trustees,
        joint_key: dealings.map_or([0; 32], |all| all.election_key().to_bytes()),
        ceremony_attempt: ceremony.as_ref().map_or(0, |(attempt, _)| *attempt),
        ceremony_hash: dealings.map_or([0; 32], |all| *all.transcript_hash()),
        roll: roll.summary(),
        authorities,
        faulty: args.faulty.unwrap_or(most),
        stamp_slack_minutes: STAMP_SLACK_MINUTES,
    };
    manifest.check().map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        failed(format!("the election cannot open like this: {}", all.join("; ")))
    })?;
    eprintln!(
        "{} voters, {} trustees, {} authorities of which {} may be malicious, quorum {}",
        manifest.roll.count,
        manifest.trustees.len(),
        manifest.authorities.len(),
        manifest.faulty,
        manifest.quorum()
    );
    Ok(manifest)
}

fn trustees_of(dealings: &Dealings) -> Vec<Trustee> {
    let announced = dealings.announcements().all().iter();
    let trustee = |(one, key): (&ballot::ceremony::Announcement, VerificationKey)| Trustee {
        signing: one.signing_key().to_bytes(),
        verification: key.to_bytes(),
    };
    announced.zip(dealings.verification_keys()).map(trustee).collect()
}

/// The roll, as far as it may be opened with; else what is missing.
async fn roll(api: &ApiClient, draft: &Draft) -> Result<Roll, String> {
    let chunks: RollChunks =
        api.get_json(&path(draft.id, "roll")).await.map_err(|error| error.to_string())?;
    if chunks.chunks.is_empty() {
        return Err("there is no roll; use `quorate election roll`".to_owned());
    }
    let mut voters = Vec::new();
    for chunk in chunks.chunks {
        voters.extend(decode_chunk(&chunk.0).map_err(|error| error.to_string())?.1);
    }
    let roll = Roll::new(voters).map_err(|error| format!("the roll: {error}"))?;
    match roll.classes().smallest() {
        Some(((group, weight), voters))
            if !draft.definition.accept_small_classes
                && draft.definition.secrecy == Secrecy::Secret =>
        {
            Err(format!(
                "the class of group {group} and weight {weight} has {voters} of the voters, fewer \
             than {SMALL_CLASS}: merge the class, or announce the election again with \
             accept_small_classes = true"
            ))
        }
        _ => Ok(roll),
    }
}

/// The latest complete attempt at the key ceremony; else what is missing in it.
fn ceremony(draft: &Draft, messages: &[CeremonyMessage]) -> Result<(u32, Dealings), String> {
    let latest = messages.iter().map(|one| u32::from(one.round.saturating_sub(1)) / 3).max();
    let attempt = latest.unwrap_or(0);
    let mut rounds = Vec::new();
    for round in Round::ALL {
        let number = number_of(attempt, round);
        let of_round = messages.iter().filter(|one| Some(one.round) == number);
        let present: Vec<&CeremonyMessage> = of_round.collect();
        let absent = (1u8..).zip(&draft.definition.trustees);
        let absent: Vec<String> = absent
            .filter(|(trustee, _)| !present.iter().any(|one| one.trustee == *trustee))
            .map(|(trustee, name)| format!("trustee {trustee} ({name})"))
            .collect();
        if !absent.is_empty() {
            let (what, who) = (round.name(), absent.join(", "));
            return Err(format!("the key ceremony waits for the {what} of {who}"));
        }
        rounds.push(present.iter().map(|one| one.message.0.as_slice()).collect::<Vec<_>>());
    }
    let trustees = u16::try_from(draft.definition.trustees.len()).unwrap_or(u16::MAX);
    let threshold = draft.definition.threshold.into();
    let complete = || -> Result<Dealings, CeremonyError> {
        let parameters = Parameters::new(draft.id.0, attempt, trustees, threshold)?;
        let announcements = Announcements::parse(parameters, &rounds[0])?;
        let dealings = Dealings::parse(announcements, &rounds[1])?;
        let read = |bytes: &&[u8]| Confirmation::parse(bytes, &dealings);
        let confirmed: Vec<Confirmation> = rounds[2].iter().map(read).collect::<Result<_, _>>()?;
        dealings.check_confirmed(&confirmed)?;
        Ok(dealings)
    };
    complete().map(|dealings| (attempt, dealings)).map_err(|error| error.to_string())
}

/// The authorities that published their keys, once there are enough.
async fn authorities(api: &ApiClient, needed: usize) -> Result<Vec<Authority>, Failure> {
    let started = Instant::now();
    loop {
        let node: NodeView = api.get_json("/api/v1/node").await?;
        let found = node.authorities.len();
        if found >= needed.max(1) {
            return read_authorities(node.authorities).map_err(failed);
        }
        if started.elapsed() > AUTHORITIES_PATIENCE {
            let message = format!(
                "{found} of {needed} nodes have published their authority's key; start them, or \
                 say --authorities {found} to open without the others"
            );
            return Err(failed(message));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn read_authorities(mut views: Vec<AuthorityView>) -> Result<Vec<Authority>, String> {
    views.sort();
    let read = |view: AuthorityView| {
        let key = AuthorityKey::parse(&view.vkey)
            .map_err(|error| format!("the key of authority {}: {error}", view.index))?;
        Ok(Authority { index: view.index, key })
    };
    views.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::testing::{ElectionBuilder, TestElection};

    fn messages(election: &TestElection) -> Vec<CeremonyMessage> {
        let numbered = election.messages.iter().enumerate();
        let message = |(at, message): (usize, &Vec<u8>)| CeremonyMessage {
            round: (at / 3 + 1) as u8,
            trustee: (at % 3 + 1) as u8,
            message: Octets(message.clone()),
        };
        numbered.map(message).collect()
    }

    #[test]
    fn a_complete_ceremony_gives_the_manifests_keys() {
        let election = ElectionBuilder::new(1).voters(1).build();
        let (attempt, dealings) =
            ceremony(&election.draft, &messages(&election)).expect("complete");
        assert_eq!(attempt, 0);
        assert_eq!(dealings.election_key().to_bytes(), election.manifest.joint_key);
    }

    #[test]
    fn what_the_ceremony_lacks_is_told_by_name() {
        let election = ElectionBuilder::new(1).voters(1).build();
        let check = |messages: &[CeremonyMessage], expect: &str| {
            assert_eq!(ceremony(&election.draft, messages).expect_err("incomplete"), expect);
        };
        let mut all = messages(&election);
        check(
            &[],
            "the key ceremony waits for the announcement of trustee 1 (Tara), trustee 2 (Theo), \
             trustee 3 (Thea)",
        );
        check(&all[..5], "the key ceremony waits for the dealing of trustee 3 (Thea)");
        check(&all[..8], "the key ceremony waits for the confirmation of trustee 3 (Thea)");
        all[4].message.0[60] ^= 1;
        check(
            &all,
            "trustee 2: the message is not signed: the signature was not made by this key over \
             these bytes",
        );
    }
}
