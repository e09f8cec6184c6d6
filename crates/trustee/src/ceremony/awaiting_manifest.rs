//! The ceremony is complete: the trustee waits for the manifest and endorses it if it is exactly
//! what the draft and the ceremony make.

use ballot::ceremony::Dealings;
use ballot::threshold::VerificationKey;
use election::{Act, Endorser, Manifest};

use super::done::Done;
use super::{Effect, Posted, Seat, State, Turn, not_again};
use crate::refusal::{Refusal, code};

pub(super) struct AwaitingManifest {
    seat: Seat,
    dealings: Dealings,
}

impl AwaitingManifest {
    pub(super) fn new(seat: Seat, dealings: Dealings) -> Self {
        Self { seat, dealings }
    }

    pub(super) fn on_posted(self, posted: &Posted) -> Turn {
        let refusal = not_again(&format!(
            "the ceremony is complete, and nothing may follow it (a {} of {} was posted)",
            posted.round.name(),
            self.seat.name(posted.trustee.into())
        ));
        Turn::refused(State::AwaitingManifest(self), refusal)
    }

    pub(super) fn on_sealed(self, bytes: &[u8], signature: &[u8; 64]) -> Turn {
        let manifest = match self.check(bytes, signature) {
            Ok(manifest) => manifest,
            Err(refusal) => return Turn::refused(State::AwaitingManifest(self), refusal),
        };
        let fingerprint = manifest.fingerprint();
        let act = Act::Endorse(Endorser::Trustee(self.seat.number));
        let signature = act.sign(&fingerprint, &self.seat.secret.signing_key());
        let effects = vec![Effect::Pin { fingerprint }, Effect::Endorse { signature }];
        Turn { state: State::Done(Done::new(fingerprint)), effects }
    }

    fn check(&self, bytes: &[u8], signature: &[u8; 64]) -> Result<Manifest, Refusal> {
        let manifest = Manifest::decode(bytes).map_err(|error| bad(format!("{error}.")))?;
        if let Some(problem) = manifest.check().err().and_then(|all| all.into_iter().next()) {
            return Err(bad(format!("The manifest breaks a rule: {problem}.")));
        }
        self.check_draft(&manifest)?;
        self.check_ceremony(&manifest)?;
        let fingerprint = manifest.fingerprint();
        if !Act::Seal.verify(&manifest, &fingerprint, signature) {
            return Err(bad("The manifest is not signed by its administrator."));
        }
        match self.seat.endorsed {
            Some(endorsed) if endorsed != fingerprint => Err(Refusal::new(
                code::OTHER_MANIFEST,
                "You have endorsed another manifest of this election before; a trustee endorses \
                 one only.",
            )),
            _ => Ok(manifest),
        }
    }

    fn check_draft(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let draft = &self.seat.draft;
        if manifest.id != draft.id {
            return Err(bad(format!("The manifest is of election {}.", manifest.id)));
        }
        if manifest.definition != draft.definition {
            return Err(bad("The manifest has other questions or rules than the draft."));
        }
        if manifest.admin != draft.admin {
            return Err(bad("The manifest names another administrator than the draft."));
        }
        Ok(())
    }

    fn check_ceremony(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let dealings = &self.dealings;
        if manifest.ceremony_attempt != self.seat.attempt {
            let (named, own) = (manifest.ceremony_attempt, self.seat.attempt);
            let sentence =
                format!("The manifest is of attempt {named} of the ceremony, not {own}.");
            return Err(bad(sentence));
        }
        let named = || manifest.trustees.iter();
        let announced = dealings.announcements().all().iter().map(|one| one.signing_key());
        for (number, (named, announced)) in (1u16..).zip(named().zip(announced)) {
            if named.signing != announced.to_bytes() {
                let name = self.seat.name(number);
                let sentence =
                    format!("The manifest has another signing key than {name} announced.");
                return Err(bad(sentence));
            }
        }
        if manifest.joint_key != dealings.election_key().to_bytes() {
            return Err(bad("The manifest has another joint key than the ceremony."));
        }
        let keys = dealings.verification_keys();
        if !keys.iter().map(VerificationKey::to_bytes).eq(named().map(|one| one.verification)) {
            return Err(bad("The manifest has other verification keys than the ceremony."));
        }
        if manifest.ceremony_hash != *dealings.transcript_hash() {
            return Err(bad("The manifest has another hash of the ceremony's messages."));
        }
        Ok(())
    }
}

fn bad(sentence: impl Into<String>) -> Refusal {
    let sentence = format!("{} It is not endorsed.", sentence.into());
    Refusal::new(code::BAD_MANIFEST, sentence)
}
