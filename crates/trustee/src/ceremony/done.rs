//! The two ends: a manifest is endorsed, or the attempt has failed.

use ballot::Fingerprint;
use election::Manifest;

use super::{State, Turn, not_again};
use crate::refusal::{Refusal, code};

/// The manifest is endorsed.
pub(super) struct Done {
    endorsed: Fingerprint,
}

impl Done {
    pub(super) fn new(endorsed: Fingerprint) -> Self {
        Self { endorsed }
    }

    pub(super) fn on_posted(self) -> Turn {
        let refusal = not_again("the ceremony is over and the manifest endorsed");
        Turn::refused(State::Done(self), refusal)
    }

    /// The endorsed manifest again is nothing new; another one is refused.
    pub(super) fn on_sealed(self, manifest: &[u8]) -> Turn {
        let fingerprint = Manifest::decode(manifest).map(|manifest| manifest.fingerprint());
        if fingerprint == Ok(self.endorsed) {
            return Turn::quiet(State::Done(self));
        }
        let sentence = "Another manifest is endorsed already; a trustee endorses one only.";
        Turn::refused(State::Done(self), Refusal::new(code::OTHER_MANIFEST, sentence))
    }
}

/// This attempt has failed.
pub(super) struct Stopped {
    reason: Refusal,
}

impl Stopped {
    pub(super) fn new(reason: Refusal) -> Self {
        Self { reason }
    }

    pub(super) fn on_anything(self) -> Turn {
        let refusal = self.reason.clone();
        Turn::refused(State::Stopped(self), refusal)
    }
}
