//! Weighted sums, decryption shares and counts.

use serde_json::{Value, json};
use std::vec;
use std::vec::Vec;

use super::ballot::{context_vector, read_context};
use super::{TestRng, array, bytes, draws, frozen, hex, list, number, text};
use crate::ceremony::{Announcements, Dealings, Parameters, Received, TrusteeSecret};
use crate::threshold::{DecryptionShare, SecretShare, VerificationKey, combine};
use crate::*;

/// A quick ceremony, whose own bytes are in `ceremony.json`.
fn keys() -> (Dealings, Vec<SecretShare>) {
    let parameters = Parameters::new([1; 16], 0, 3, 2).expect("possible");
    let secrets: Vec<_> = (1..=3).map(|seed| TrusteeSecret::from_bytes([seed; 32])).collect();
    let announce = |(number, secret): (u16, &TrusteeSecret)| secret.announce(&parameters, number);
    let all = (1..).zip(&secrets).map(announce).collect::<Result<_, _>>().expect("numbers");
    let announcements = Announcements::new(parameters, all).expect("all");
    let deal = |(number, secret): (u16, &TrusteeSecret)| secret.deal(&announcements, number);
    let all = (1..).zip(&secrets).map(deal).collect::<Result<_, _>>().expect("own");
    let dealings = Dealings::new(announcements.clone(), all).expect("all");
    let receive = |(number, secret): (u16, &TrusteeSecret)| match secret
        .receive(&dealings, number)
        .expect("own")
    {
        Received::Share(share) => share,
        Received::Complaints(_) => panic!("all dealers are honest"),
    };
    let shares = (1..).zip(&secrets).map(receive).collect();
    (dealings, shares)
}

fn vectors() -> Value {
    let (dealings, secrets) = keys();
    let contests = vec![
        ContestKind::One { options: 2 },
        ContestKind::Some { options: 3, min: 0, max: 2, blank: false },
    ];
    let key = dealings.election_key().clone();
    let context = BallotContext::new(Fingerprint([8; 32]), key, contests).expect("a context");
    let mut rng = TestRng::new(5, "tally");
    let mut tally = EncryptedTally::new(&context);
    let votes = [(1, 0, vec![0, 2]), (3, 1, vec![]), (70_000, 1, vec![1])];
    let mut ballots = Vec::new();
    for (seed, (weight, option, chosen)) in (1..).zip(votes) {
        let credential = Credential::from_seed(&[seed; 32]);
        let choices = [Choice::One(option), Choice::Some(chosen)];
        let sealed =
            cast(&context, &credential, 0, 1, [0; 32], &choices, &mut rng).expect("a ballot");
        let ballot = ParsedBallot::parse(sealed.as_bytes(), &context).expect("canonical");
        tally.add(&ballot, weight);
        ballots.push(json!({ "weight": weight, "ballot": hex(sealed.as_bytes()) }));
    }
    let statement = TallyStatement {
        fingerprint: context.fingerprint(),
        checkpoint_root: [0x77; 32],
        checkpoint_size: 1234,
        tally,
    };
    rng.draws.clear();
    let mut shares = Vec::new();
    for secret in &secrets {
        let share = DecryptionShare::new(&statement, secret, &mut rng);
        shares.push(json!({
            "trustee": secret.trustee(),
            "secret": hex(&secret.to_bytes()[2..]),
            "verification_key": hex(secret.verification_key().to_bytes()),
            "draws": draws(&mut rng),
            "share": hex(share.as_bytes()),
        }));
    }
    let mut file = context_vector(&context, 0);
    file["ballots"] = ballots.into();
    file["checkpoint_root"] = hex(statement.checkpoint_root);
    file["checkpoint_size"] = statement.checkpoint_size.into();
    let sums =
        |sums: &Vec<Ciphertext>| sums.iter().map(|sum| hex(sum.to_bytes())).collect::<Value>();
    file["sums"] = statement.tally.contests().iter().map(sums).collect();
    file["statement_digest"] = hex(statement.digest());
    file["threshold"] = 2.into();
    file["shares"] = shares.into();
    file["bound"] = 70_004.into();
    file["counts"] = json!([[1, 70_003], [1, 70_000, 1]]);
    file
}

#[test]
fn tally() {
    let file = frozen("ballot-tally.json", &vectors());
    let context = read_context(&file);
    let mut tally = EncryptedTally::new(&context);
    for vector in list(&file["ballots"]) {
        let ballot = ParsedBallot::parse(bytes(&vector["ballot"]), &context).expect("a ballot");
        ballot.verify_proofs().expect("a valid ballot");
        tally.add(&ballot, number(&vector["weight"]));
    }
    let sums = list(&file["sums"]).iter().flat_map(list);
    for (sum, found) in sums.zip(tally.contests().iter().flatten()) {
        assert_eq!(found.to_bytes()[..], bytes(sum), "{}", text(sum));
    }
    let statement = TallyStatement {
        fingerprint: context.fingerprint(),
        checkpoint_root: array(&file["checkpoint_root"]),
        checkpoint_size: number(&file["checkpoint_size"]),
        tally,
    };
    assert_eq!(statement.digest()[..], bytes(&file["statement_digest"]));
    let verify = |vector: &Value| {
        let trustee = number(&vector["trustee"]) as u16;
        let key = VerificationKey::from_bytes(trustee, &array(&vector["verification_key"]));
        let share = DecryptionShare::parse(&bytes(&vector["share"]), &statement);
        share.expect("canonical").verify(&statement, &key.expect("a key")).expect("valid")
    };
    let shares: Vec<_> = list(&file["shares"]).iter().map(verify).collect();
    let counts = combine(&statement, &shares[1..], 2, number(&file["bound"])).expect("counts");
    assert_eq!(json!(counts), file["counts"]);
}
