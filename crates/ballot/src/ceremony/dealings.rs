//! Round 2 complete: the joint key, the verification keys, everyone's own share, and a rehearsal.

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use super::trustee::commitment_at;
use super::{Announcements, CeremonyError, Complaint, Confirmation, Dealing, Fault, TrusteeSecret};
use crate::contest::Fingerprint;
use crate::elgamal::{Ciphertext, ElectionKey, KeyTable};
use crate::hash::Framed;
use crate::tally::{EncryptedTally, TallyStatement};
use crate::threshold::{SecretShare, VerificationKey};

/// All dealings, and the keys that follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealings {
    announcements: Announcements,
    all: Vec<Dealing>,
    election_key: ElectionKey,
    transcript: [u8; 32],
}

impl Dealings {
    /// Puts the dealings of all trustees together, given in any order.
    ///
    /// # Errors
    /// When one is missing or given twice, or the joint key is the identity.
    pub fn new(announcements: Announcements, mut all: Vec<Dealing>) -> Result<Self, CeremonyError> {
        all.sort_by_key(Dealing::trustee);
        let parameters = announcements.parameters();
        if !all.iter().map(Dealing::trustee).eq(1..=parameters.trustees()) {
            return Err(CeremonyError::general(Fault::Missing));
        }
        let joint: RistrettoPoint = all.iter().map(|one| one.commitments[0]).sum();
        let election_key =
            ElectionKey::from_point(joint).map_err(|_| CeremonyError::general(Fault::JointKey))?;
        let head = Framed::new("quorate/ceremony/v1/transcript")
            .field(&parameters.ceremony_id())
            .field(announcements.digest());
        let transcript = all.iter().fold(head, |hash, one| hash.field(one.as_bytes())).short();
        Ok(Self { announcements, all, election_key, transcript })
    }

    /// Reads and puts together the dealings of all trustees.
    ///
    /// # Errors
    /// As [`Dealing::parse`] and [`Self::new`].
    pub fn parse<B: AsRef<[u8]>>(
        announcements: Announcements,
        messages: &[B],
    ) -> Result<Self, CeremonyError> {
        let parse = |bytes: &B| Dealing::parse(bytes.as_ref(), &announcements);
        let all = messages.iter().map(parse).collect::<Result<_, _>>()?;
        Self::new(announcements, all)
    }

    /// Round 1 of this ceremony.
    pub fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// The dealings by number.
    pub fn all(&self) -> &[Dealing] {
        &self.all
    }

    /// The joint key, for the manifest once every trustee has confirmed.
    pub fn election_key(&self) -> &ElectionKey {
        &self.election_key
    }

    /// The hash of rounds 1 and 2 that every trustee confirms.
    pub fn transcript_hash(&self) -> &[u8; 32] {
        &self.transcript
    }

    /// `V_i = Σ_dealers Σ_k i^k A_k` of every trustee, by number.
    pub fn verification_keys(&self) -> Vec<VerificationKey> {
        let key = |trustee| {
            let values = self.all.iter().map(|one| commitment_at(&one.commitments, trustee));
            VerificationKey::new(trustee, values.sum())
        };
        (1..=self.announcements.parameters().trustees()).map(key).collect()
    }

    /// Whether these are valid confirmations of every trustee.
    ///
    /// # Errors
    /// When one is missing or given twice. (Each was checked when it was read.)
    pub fn check_confirmed(&self, confirmations: &[Confirmation]) -> Result<(), CeremonyError> {
        let mut numbers: Vec<u16> = confirmations.iter().map(Confirmation::trustee).collect();
        numbers.sort_unstable();
        let foreign = confirmations.iter().find(|one| one.transcript_hash() != &self.transcript);
        if let Some(foreign) = foreign {
            return Err(CeremonyError::of(foreign.trustee(), Fault::Transcript));
        }
        if !numbers.into_iter().eq(1..=self.announcements.parameters().trustees()) {
            return Err(CeremonyError::general(Fault::Missing));
        }
        Ok(())
    }

    /// A public ciphertext of a known number under the joint key, for decrypting once before an
    /// election opens. Its randomness is public: decrypting it reveals nothing.
    pub fn rehearsal(&self) -> Rehearsal {
        let draw = |tag| Framed::new(tag).field(&self.transcript);
        let randomness = draw("quorate/ceremony/v1/rehearsal-randomness").scalar();
        let number = draw("quorate/ceremony/v1/rehearsal-number").short();
        let number = u64::from(u16::from_le_bytes([number[0], number[1]]));
        let table = KeyTable::new(&self.election_key);
        let ciphertext = Ciphertext::encrypt(&table, &Scalar::from(number), &randomness);
        let statement = TallyStatement {
            fingerprint: Fingerprint(self.transcript),
            checkpoint_root: [0; 32],
            checkpoint_size: 0,
            tally: EncryptedTally::of(alloc::vec![alloc::vec![ciphertext]]),
        };
        Rehearsal { statement, number }
    }

    pub(crate) fn of(&self, trustee: u16) -> &Dealing {
        &self.all[usize::from(trustee) - 1]
    }
}

/// A test decryption: shares for `statement` must combine to one count, `number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// What to decrypt, as a tally of one option; its bound is 65,535.
    pub statement: TallyStatement,
    /// What must come out.
    pub number: u64,
}

/// What a trustee holds after round 2.
pub enum Received {
    /// Every share fits: the trustee's part of the key. Confirm.
    Share(SecretShare),
    /// At least one share does not fit. Complain about each.
    Complaints(Vec<Complaint>),
}

impl TrusteeSecret {
    /// Opens and checks every share dealt to trustee number `trustee`. The same secret and
    /// messages give the same share, so it need not be stored.
    ///
    /// # Errors
    /// When this trustee's own dealing was replaced.
    pub fn receive(&self, dealings: &Dealings, trustee: u16) -> Result<Received, CeremonyError> {
        let announcements = dealings.announcements();
        let parameters = announcements.parameters();
        let own = self.deal(announcements, trustee)?;
        if own != *dealings.of(trustee) {
            return Err(CeremonyError::of(trustee, Fault::NotMine));
        }
        let mut sum = self.polynomial(parameters, trustee).at(trustee);
        let mut complaints = Vec::new();
        for dealing in dealings.all().iter().filter(|one| one.trustee() != trustee) {
            match self.open_share(announcements, dealing, trustee) {
                Some(share) => *sum += *share,
                None => complaints.push(self.complain(dealings, dealing, trustee)?),
            }
        }
        if complaints.is_empty() {
            Ok(Received::Share(SecretShare::new(trustee, *sum)))
        } else {
            Ok(Received::Complaints(complaints))
        }
    }

    fn open_share(
        &self,
        announcements: &Announcements,
        dealing: &Dealing,
        trustee: u16,
    ) -> Option<Zeroizing<Scalar>> {
        let secret = self.encryption_secret(announcements.parameters());
        let shared = dealing.ephemeral * *secret;
        dealing.channel(announcements, trustee).open(&shared, dealing.share_for(trustee))
    }
}
