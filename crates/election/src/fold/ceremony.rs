//! The key ceremony as entries: every announcement, then every dealing, then every confirmation,
//! each in the order of the trustees' numbers. When the last dealing is there, the keys that
//! follow from it must be those of the manifest.

use ballot::ceremony::{
    Announcement, Announcements, CeremonyError, Confirmation, Dealing, Dealings,
};

use crate::{
    manifest::Manifest,
    refusal::{Refusal, code},
};

/// How far the ceremony's messages have come.
#[derive(Clone)]
pub(crate) enum CeremonyLog {
    /// Round 1.
    Announcing(Vec<Announcement>),
    /// Round 2.
    Dealing(Announcements, Vec<Dealing>),
    /// Round 3, and its end.
    Confirming(Box<Dealings>, Vec<Confirmation>),
}

impl CeremonyLog {
    pub(crate) fn new() -> Self {
        Self::Announcing(Vec::new())
    }

    /// What is expected next: the message's name and the trustee's number. `None` when complete.
    pub(crate) fn expected(&self, manifest: &Manifest) -> Option<(&'static str, u16)> {
        let (name, done) = match self {
            Self::Announcing(all) => ("announcement", all.len()),
            Self::Dealing(_, all) => ("dealing", all.len()),
            Self::Confirming(_, all) => ("confirmation", all.len()),
        };
        (done < manifest.trustees.len()).then_some((name, done as u16 + 1))
    }

    /// The log with one more message.
    pub(crate) fn with(&self, message: &[u8], manifest: &Manifest) -> Result<Self, Refusal> {
        let Some((name, trustee)) = self.expected(manifest) else {
            return Err(bad("The key ceremony is complete; nothing may follow it."));
        };
        let expected = |found: u16| {
            let sentence = format!("The {name} of trustee {trustee} was expected, not {found}'s.");
            if found == trustee { Ok(()) } else { Err(bad(sentence)) }
        };
        let next = match self {
            Self::Announcing(all) => {
                let parameters = manifest.ceremony_parameters();
                let one = Announcement::parse(message, &parameters).map_err(refuse)?;
                expected(one.trustee())?;
                check_signing_key(&one, manifest)?;
                let all = with(all, one);
                if all.len() < manifest.trustees.len() {
                    return Ok(Self::Announcing(all));
                }
                let announcements = Announcements::new(parameters, all).map_err(refuse)?;
                Self::Dealing(announcements, Vec::new())
            }
            Self::Dealing(announcements, all) => {
                let one = Dealing::parse(message, announcements).map_err(refuse)?;
                expected(one.trustee())?;
                let all = with(all, one);
                if all.len() < manifest.trustees.len() {
                    return Ok(Self::Dealing(announcements.clone(), all));
                }
                let dealings = Dealings::new(announcements.clone(), all).map_err(refuse)?;
                check_keys(&dealings, manifest)?;
                Self::Confirming(Box::new(dealings), Vec::new())
            }
            Self::Confirming(dealings, all) => {
                let one = Confirmation::parse(message, dealings).map_err(refuse)?;
                expected(one.trustee())?;
                Self::Confirming(dealings.clone(), with(all, one))
            }
        };
        Ok(next)
    }
}

fn with<T: Clone>(all: &[T], one: T) -> Vec<T> {
    let mut all = all.to_vec();
    all.push(one);
    all
}

fn check_signing_key(one: &Announcement, manifest: &Manifest) -> Result<(), Refusal> {
    let named = u8::try_from(one.trustee()).ok().and_then(|index| manifest.trustee(index));
    if named.is_some_and(|trustee| trustee.signing == one.signing_key().to_bytes()) {
        return Ok(());
    }
    let trustee = one.trustee();
    Err(bad(format!("Trustee {trustee} announced another signing key than the manifest has.")))
}

fn check_keys(dealings: &Dealings, manifest: &Manifest) -> Result<(), Refusal> {
    if dealings.election_key().to_bytes() != manifest.joint_key {
        return Err(bad("The dealings give another joint key than the manifest has."));
    }
    if *dealings.transcript_hash() != manifest.ceremony_hash {
        return Err(bad("The messages have another hash than the manifest says."));
    }
    let computed = dealings.verification_keys();
    let named = manifest.trustees.iter().map(|trustee| trustee.verification);
    if !computed.iter().map(ballot::threshold::VerificationKey::to_bytes).eq(named) {
        return Err(bad("The dealings give other verification keys than the manifest has."));
    }
    Ok(())
}

fn bad(sentence: impl Into<String>) -> Refusal {
    Refusal::new(code::BAD_CEREMONY, sentence)
}

fn refuse(error: CeremonyError) -> Refusal {
    bad(format!("{error}."))
}
