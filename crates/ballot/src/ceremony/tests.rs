//! Whole ceremonies, and everyone who may spoil one.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;

use super::message::{HEADER_LEN, Round};
use super::*;
use crate::signature::SIGNATURE_LEN;
use crate::tests::TestRng;
use crate::threshold::{DecryptionShare, SecretShare, combine};

/// A ceremony after round 1.
struct Table {
    secrets: Vec<TrusteeSecret>,
    announcements: Announcements,
}

fn parameters(trustees: u16, threshold: u16) -> Parameters {
    Parameters::new([7; 16], 0, trustees, threshold).expect("possible")
}

impl Table {
    fn new(trustees: u16, threshold: u16) -> Self {
        let parameters = parameters(trustees, threshold);
        let mut rng = TestRng::new(3, "ceremony");
        let secrets: Vec<_> = (0..trustees).map(|_| TrusteeSecret::generate(&mut rng)).collect();
        let messages: Vec<Vec<u8>> = (1..)
            .zip(&secrets)
            .map(|(number, secret)| secret.announce(&parameters, number).expect("a number"))
            .map(|one| one.as_bytes().to_vec())
            .collect();
        let announcements = Announcements::parse(parameters, &messages).expect("all are there");
        Self { secrets, announcements }
    }

    fn deal(&self) -> Vec<Vec<u8>> {
        let deal = |(number, secret): (u16, &TrusteeSecret)| {
            secret.deal(&self.announcements, number).expect("own").as_bytes().to_vec()
        };
        (1..).zip(&self.secrets).map(deal).collect()
    }

    fn dealings(&self) -> Dealings {
        Dealings::parse(self.announcements.clone(), &self.deal()).expect("all are honest")
    }

    fn share(&self, dealings: &Dealings, number: u16) -> SecretShare {
        match self.secrets[usize::from(number) - 1].receive(dealings, number) {
            Ok(Received::Share(share)) => share,
            Ok(Received::Complaints(_)) => panic!("all dealers are honest"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Signs a changed message again, as its author can.
fn sign_again(bytes: &mut Vec<u8>, round: Round, secret: &TrusteeSecret) {
    bytes.truncate(bytes.len() - SIGNATURE_LEN);
    *bytes = message::sign(core::mem::take(bytes), round, &secret.signing_key());
}

/// The same for a dealing, for the vectors.
pub(crate) fn sign_again_dealing(bytes: &mut Vec<u8>, secret: &TrusteeSecret) {
    sign_again(bytes, Round::Dealing, secret);
}

#[test]
fn every_threshold_of_trustees_decrypts_the_rehearsal() {
    for (trustees, threshold) in [(1, 1), (2, 1), (2, 2), (3, 2), (5, 3)] {
        let table = Table::new(trustees, threshold);
        let dealings = table.dealings();
        let Rehearsal { statement, number } = dealings.rehearsal();
        let mut rng = TestRng::new(4, "rehearsal");
        let keys = dealings.verification_keys();
        let mut shares = Vec::new();
        let mut confirmations = Vec::new();
        for trustee in (1..=trustees).rev() {
            let share = table.share(&dealings, trustee);
            let key = keys[usize::from(trustee) - 1];
            assert_eq!(share.verification_key(), key);
            let share = DecryptionShare::new(&statement, &share, &mut rng);
            shares.push(share.verify(&statement, &key).expect("an honest share"));
            let secret = &table.secrets[usize::from(trustee) - 1];
            confirmations.push(secret.confirm(&dealings, trustee).expect("own"));
        }
        assert_eq!(dealings.check_confirmed(&confirmations), Ok(()));
        for chosen in shares.windows(threshold.into()) {
            let result = combine(&statement, chosen, threshold, 65_535);
            assert_eq!(result, Ok(vec![vec![number]]), "{threshold} of {trustees}");
        }
        if threshold > 1 {
            let few = &shares[..usize::from(threshold) - 1];
            assert!(combine(&statement, few, threshold - 1, 65_535).is_err());
        }
    }
}

#[test]
fn a_repeated_trustee_sends_the_same_bytes() {
    let table = Table::new(3, 2);
    assert_eq!(table.deal(), table.deal());
    let next = Parameters::new([7; 16], 1, 3, 2).expect("possible");
    let again = table.secrets[0].announce(&next, 1).expect("a number");
    let before = &table.announcements.all()[0];
    assert_eq!(again.signing_key(), before.signing_key());
    assert_ne!(again.as_bytes()[68..132], before.as_bytes()[68..132], "keys and polynomial change");
}

#[test]
fn impossible_ceremonies_are_refused() {
    for (trustees, threshold) in [(0, 0), (3, 0), (2, 3), (65, 2)] {
        let error = Parameters::new([7; 16], 0, trustees, threshold).expect_err("impossible");
        assert_eq!(error.code(), "ceremony-parameters");
    }
}

#[test]
fn no_bit_of_any_message_can_be_changed() {
    let table = Table::new(2, 2);
    let dealings = table.dealings();
    let confirmation = table.secrets[0].confirm(&dealings, 1).expect("own");
    let dealing = dealings.all()[0].clone();
    let complaint = table.secrets[0].complain(&dealings, &dealings.all()[1], 1).expect("own");
    let check = |bytes: &[u8], parse: &dyn Fn(&[u8]) -> bool| {
        assert!(parse(bytes));
        for place in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[place] ^= 1 << (place % 8);
            assert!(!parse(&changed), "byte {place} may be changed");
        }
    };
    let parameters = *table.announcements.parameters();
    let announcement = &table.announcements.all()[0];
    check(announcement.as_bytes(), &|bytes| Announcement::parse(bytes, &parameters).is_ok());
    check(dealing.as_bytes(), &|bytes| Dealing::parse(bytes, &table.announcements).is_ok());
    check(confirmation.as_bytes(), &|bytes| Confirmation::parse(bytes, &dealings).is_ok());
    check(complaint.as_bytes(), &|bytes| Complaint::parse(bytes, &dealings).is_ok());
}

#[test]
fn a_rushing_trustee_cannot_choose_commitments_late() {
    let table = Table::new(2, 2);
    let mut late = table.deal().remove(1);
    let commitments = HEADER_LEN + 32;
    let other = Scalar::from(99_u8);
    let point = curve25519_dalek::ristretto::RistrettoPoint::mul_base(&other).compress();
    late[commitments..commitments + 32].copy_from_slice(point.as_bytes());
    sign_again(&mut late, Round::Dealing, &table.secrets[1]);
    let error = Dealing::parse(&late, &table.announcements).expect_err("late");
    assert_eq!(error.to_string(), "trustee 2: the commitments are not those announced before");
}

#[test]
fn a_trustee_cannot_use_commitments_without_knowing_the_secret() {
    // Trustee 2 announces commitments whose constant term cancels trustee 1's, so that the joint
    // key would be its own. The hash comes first, but say trustee 1's polynomial has leaked.
    let table = Table::new(2, 1);
    let parameters = *table.announcements.parameters();
    let theirs = table.secrets[0].polynomial(&parameters, 1).commitments()[0];
    let own = table.secrets[1].polynomial(&parameters, 2).commitments()[0];
    let rogue = (own - theirs).compress();
    let honest = table.announcements.all()[1].as_bytes().to_vec();
    let mut announced = honest.clone();
    let hash = crate::hash::Framed::new("quorate/ceremony/v1/commitments")
        .field(&parameters.ceremony_id())
        .u16(2)
        .field(rogue.as_bytes())
        .short();
    announced[HEADER_LEN + 64..HEADER_LEN + 96].copy_from_slice(&hash);
    sign_again(&mut announced, Round::Announcement, &table.secrets[1]);
    let messages = [table.announcements.all()[0].as_bytes().to_vec(), announced];
    let announcements = Announcements::parse(parameters, &messages).expect("well-formed");
    let mut dealing = table.deal().remove(1);
    dealing[HEADER_LEN..HEADER_LEN + 32].copy_from_slice(announcements.digest());
    dealing[HEADER_LEN + 32..HEADER_LEN + 64].copy_from_slice(rogue.as_bytes());
    sign_again(&mut dealing, Round::Dealing, &table.secrets[1]);
    let error = Dealing::parse(&dealing, &announcements).expect_err("rogue");
    assert_eq!(error.to_string(), "trustee 2: the proof of the constant term does not hold");
}

#[test]
fn copied_announcements_are_refused() {
    let table = Table::new(2, 2);
    let parameters = *table.announcements.parameters();
    let first = &table.announcements.all()[0];
    // The same keys and commitments under another number, by the same person twice.
    let mut copy = first.as_bytes().to_vec();
    copy[HEADER_LEN - 2] = 2;
    sign_again(&mut copy, Round::Announcement, &table.secrets[0]);
    let copy = Announcement::parse(&copy, &parameters).expect("well-formed");
    let error = Announcements::new(parameters, vec![first.clone(), copy]).expect_err("a copy");
    assert_eq!((error.trustee, error.fault), (Some(2), Fault::Repeated));
    let error = Announcements::new(parameters, vec![first.clone()]).expect_err("one missing");
    assert_eq!(error.fault, Fault::Missing);
    let twice = vec![first.clone(), first.clone()];
    assert_eq!(Announcements::new(parameters, twice).expect_err("twice").fault, Fault::Missing);
}

#[test]
fn messages_of_another_attempt_or_trustee_are_refused() {
    let table = Table::new(2, 2);
    let next = Parameters::new([7; 16], 1, 2, 2).expect("possible");
    let error = Announcement::parse(table.announcements.all()[0].as_bytes(), &next);
    assert_eq!(error.expect_err("another attempt").fault, Fault::Ceremony);
    let other = Table { announcements: table.announcements.clone(), secrets: vec![] };
    let stranger = TrusteeSecret::from_bytes([0xee; 32]);
    let error = stranger.deal(&other.announcements, 1).expect_err("not theirs");
    assert_eq!(error.fault, Fault::NotMine);
    let dealings = table.dealings();
    let error = stranger.confirm(&dealings, 1).expect_err("not theirs");
    assert_eq!(error.code(), "ceremony-signature");
    let confirmation = table.secrets[0].confirm(&dealings, 1).expect("own");
    let error = dealings.check_confirmed(&[confirmation]).expect_err("one missing");
    assert_eq!(error.fault, Fault::Missing);
}

/// A table where dealer 1 sent trustee 2 something wrong.
fn spoiled() -> (Table, Dealings) {
    let table = Table::new(3, 2);
    let mut messages = table.deal();
    let share = messages[0].len() - SIGNATURE_LEN - 2 * share::SEALED_LEN;
    messages[0][share] ^= 1;
    sign_again(&mut messages[0], Round::Dealing, &table.secrets[0]);
    let dealings = Dealings::parse(table.announcements.clone(), &messages).expect("looks fine");
    (table, dealings)
}

#[test]
fn a_wrong_share_is_proven_to_everyone() {
    let (table, dealings) = spoiled();
    let Ok(Received::Complaints(complaints)) = table.secrets[1].receive(&dealings, 2) else {
        panic!("the share does not fit");
    };
    assert_eq!(complaints.len(), 1);
    let seen = Complaint::parse(complaints[0].as_bytes(), &dealings).expect("proven");
    assert_eq!((seen.trustee(), seen.dealer()), (2, 1));
    assert_eq!(seen.judge(&dealings), Verdict::Dealer(1));
    assert!(matches!(table.secrets[2].receive(&dealings, 3), Ok(Received::Share(_))));
    // The dealer notices that their own message is not the one they made.
    let error = table.secrets[0].receive(&dealings, 1).err().expect("replaced");
    assert_eq!(error.fault, Fault::NotMine);
}

#[test]
fn a_share_that_decrypts_but_does_not_fit_is_the_dealers_fault() {
    let table = Table::new(2, 2);
    let mut messages = table.deal();
    let dealing = Dealing::parse(&messages[0], &table.announcements).expect("honest");
    let place: [&[u8]; 2] = [table.announcements.digest(), &1_u16.to_le_bytes()];
    let ephemeral = table.secrets[0].derive("quorate/trustee/v1/ephemeral", &place);
    let shared = table.announcements.all()[1].encryption * *ephemeral;
    let wrong = dealing.channel(&table.announcements, 2).seal(&shared, &Scalar::from(5_u8));
    let at = messages[0].len() - SIGNATURE_LEN - share::SEALED_LEN;
    messages[0][at..at + share::SEALED_LEN].copy_from_slice(&wrong);
    sign_again(&mut messages[0], Round::Dealing, &table.secrets[0]);
    let dealings = Dealings::parse(table.announcements.clone(), &messages).expect("looks fine");
    let Ok(Received::Complaints(complaints)) = table.secrets[1].receive(&dealings, 2) else {
        panic!("the share does not fit");
    };
    assert_eq!(complaints[0].judge(&dealings), Verdict::Dealer(1));
}

#[test]
fn an_unfounded_complaint_blames_the_complainer() {
    let table = Table::new(3, 2);
    let dealings = table.dealings();
    let complaint = table.secrets[1].complain(&dealings, &dealings.all()[0], 2).expect("own");
    assert_eq!(complaint.judge(&dealings), Verdict::Complainer(2));
    // With a false shared secret it would look founded: the proof forbids that.
    let mut bytes = complaint.as_bytes().to_vec();
    let shared = HEADER_LEN + 34;
    let other = dealings.election_key().to_bytes();
    bytes[shared..shared + 32].copy_from_slice(&other);
    sign_again(&mut bytes, Round::Complaint, &table.secrets[1]);
    let error = Complaint::parse(&bytes, &dealings).expect_err("a false secret");
    assert_eq!(error.to_string(), "trustee 2: the complaint's shared secret is not proven");
}
