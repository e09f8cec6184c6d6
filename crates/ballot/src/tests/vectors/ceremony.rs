//! A ceremony of two of three, a spoiled one, and a sealed secret.

use serde_json::{Value, json};
use std::vec::Vec;

use super::{TestRng, array, bytes, draws, frozen, hex, list, number, text};
use crate::ceremony::*;
use crate::seal;

/// Trustees `1 …` with the secrets `[seed; 32]`.
fn secrets(trustees: u16) -> Vec<(u16, TrusteeSecret)> {
    (1..=trustees).map(|number| (number, TrusteeSecret::from_bytes([number as u8; 32]))).collect()
}

fn vectors() -> Value {
    let mut file = json!({ "ceremonies": [ceremony(3, 2), ceremony(1, 1)] });
    file["spoiled"] = spoiled();
    file
}

fn rounds(parameters: Parameters) -> (Announcements, Vec<Dealing>) {
    let secrets = secrets(parameters.trustees());
    let all = secrets.iter().map(|(number, secret)| secret.announce(&parameters, *number));
    let all = all.collect::<Result<_, _>>().expect("numbers");
    let announcements = Announcements::new(parameters, all).expect("all");
    let all = secrets.iter().map(|(number, secret)| secret.deal(&announcements, *number));
    let all = all.collect::<Result<_, _>>().expect("own");
    (announcements, all)
}

fn ceremony(trustees: u16, threshold: u16) -> Value {
    let parameters = Parameters::new([1; 16], 0, trustees, threshold).expect("possible");
    let (announcements, all) = rounds(parameters);
    let dealings = Dealings::new(announcements, all).expect("all");
    let confirm = |(number, secret): (u16, TrusteeSecret)| {
        let share = match secret.receive(&dealings, number).expect("own") {
            Received::Share(share) => share,
            Received::Complaints(_) => panic!("all dealers are honest"),
        };
        let confirmation = secret.confirm(&dealings, number).expect("own");
        json!({ "share": hex(&share.to_bytes()[2..]), "message": hex(confirmation.as_bytes()) })
    };
    let confirmations: Value = secrets(trustees).into_iter().map(confirm).collect();
    let rehearsal = dealings.rehearsal();
    let seeds =
        secrets(trustees).iter().map(|(_, secret)| hex(secret.as_bytes())).collect::<Value>();
    json!({
        "election_id": hex([1; 16]),
        "attempt": 0,
        "trustees": trustees,
        "threshold": threshold,
        "ceremony_id": hex(parameters.ceremony_id()),
        "secrets": seeds,
        "announcements": messages(dealings.announcements().all().iter().map(Announcement::as_bytes)),
        "announcements_digest": hex(dealings.announcements().digest()),
        "dealings": messages(dealings.all().iter().map(Dealing::as_bytes)),
        "transcript_hash": hex(dealings.transcript_hash()),
        "confirmations": confirmations,
        "election_key": hex(dealings.election_key().to_bytes()),
        "verification_keys": dealings
            .verification_keys()
            .iter()
            .map(|key| hex(key.to_bytes()))
            .collect::<Value>(),
        "rehearsal": {
            "ciphertext": hex(rehearsal.statement.tally.contests()[0][0].to_bytes()),
            "number": rehearsal.number,
        },
    })
}

fn messages<'a>(all: impl Iterator<Item = &'a [u8]>) -> Value {
    all.map(hex).collect()
}

/// Two trustees; the first deals the second a wrong share, and the second complains of the first,
/// and the first, without cause, of the second.
fn spoiled() -> Value {
    let parameters = Parameters::new([1; 16], 1, 2, 2).expect("possible");
    let (announcements, mut all) = rounds(parameters);
    let secrets = secrets(2);
    let honest = Dealings::new(announcements.clone(), all.clone()).expect("all");
    let unfounded = secrets[0].1.complain(&honest, &all[1], 1).expect("own");
    let mut bytes = all[0].as_bytes().to_vec();
    let share = bytes.len() - 64 - 48;
    bytes[share] ^= 1;
    crate::ceremony::tests::sign_again_dealing(&mut bytes, &secrets[0].1);
    all[0] = Dealing::parse(&bytes, &announcements).expect("looks fine");
    let dealings = Dealings::new(announcements, all.clone()).expect("all");
    let founded = secrets[1].1.complain(&dealings, &all[0], 2).expect("own");
    let case = |dealings: &Dealings, complaint: &Complaint| {
        let blamed = match complaint.judge(dealings) {
            Verdict::Dealer(number) | Verdict::Complainer(number) => number,
        };
        json!({
            "attempt": 1,
            "trustees": 2,
            "threshold": 2,
            "announcements":
                messages(dealings.announcements().all().iter().map(Announcement::as_bytes)),
            "dealings": messages(dealings.all().iter().map(Dealing::as_bytes)),
            "complaint": hex(complaint.as_bytes()),
            "blamed": blamed,
        })
    };
    json!([case(&dealings, &founded), case(&honest, &unfounded)])
}

/// Reads both rounds of a vector.
fn read(vector: &Value) -> Dealings {
    let field = |name| number(&vector[name]) as u16;
    let parameters =
        Parameters::new([1; 16], field("attempt").into(), field("trustees"), field("threshold"));
    let all = |name| list(&vector[name]).iter().map(bytes).collect::<Vec<_>>();
    let announcements = Announcements::parse(parameters.expect("possible"), &all("announcements"));
    Dealings::parse(announcements.expect("valid"), &all("dealings")).expect("valid")
}

#[test]
fn ceremonies() {
    let file = frozen("ceremony.json", &vectors());
    for vector in list(&file["ceremonies"]) {
        let dealings = read(vector);
        assert_eq!(dealings.election_key().to_bytes()[..], bytes(&vector["election_key"]));
        assert_eq!(dealings.transcript_hash()[..], bytes(&vector["transcript_hash"]));
        let keys = dealings.verification_keys();
        let expect = list(&vector["verification_keys"]);
        assert!(keys.iter().map(|key| hex(key.to_bytes())).eq(expect.iter().cloned()));
        let read = |value: &Value| Confirmation::parse(&bytes(&value["message"]), &dealings);
        let confirmations = list(&vector["confirmations"]).iter().map(read);
        let confirmations = confirmations.collect::<Result<Vec<_>, _>>().expect("valid");
        assert_eq!(dealings.check_confirmed(&confirmations), Ok(()));
    }
    let spoiled = list(&file["spoiled"]);
    for (vector, blamed) in spoiled.iter().zip([Verdict::Dealer(1), Verdict::Complainer(1)]) {
        let dealings = read(vector);
        let complaint = Complaint::parse(&bytes(&vector["complaint"]), &dealings).expect("proven");
        assert_eq!(complaint.judge(&dealings), blamed);
    }
}

#[test]
fn sealed_secrets() {
    let mut rng = TestRng::new(6, "seal");
    let cost = seal::Cost { memory_kib: 64, passes: 2, lanes: 2 };
    let sealed = seal::seal(&[9; 32], "pass phrase", cost, &mut rng).expect("sealed");
    let made = json!({
        "passphrase": "pass phrase",
        "memory_kib": cost.memory_kib,
        "passes": cost.passes,
        "lanes": cost.lanes,
        "secret": hex([9; 32]),
        "draws": draws(&mut rng),
        "sealed": hex(sealed),
    });
    let file = frozen("ceremony-seal.json", &made);
    let opened = seal::open(&bytes(&file["sealed"]), text(&file["passphrase"])).expect("opens");
    assert_eq!(opened[..], array::<32>(&file["secret"]));
}
