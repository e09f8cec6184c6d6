//! Codes, credentials and the signature rule.

use curve25519_dalek::constants::EIGHT_TORSION;
use serde_json::{Value, json};

use super::{array, bytes, frozen, hex, list, text};
use crate::enrolment::{EnrolmentError, EnrolmentRequest};
use crate::signature::tests::{mixed_key, non_canonical_points, plus_order, torsion_signature};
use crate::signature::{PublicKey, SigningKey};
use crate::{Code, Credential};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

fn code_vectors() -> Value {
    let code =
        |seed: u8| Code::from_bytes(core::array::from_fn(|i| seed.wrapping_mul(i as u8 + 3)));
    let valid: Vec<Value> = [0_u8, 1, 77, 0xa5, 255]
        .into_iter()
        .map(|seed| {
            let code = code(seed);
            let election_id = [seed ^ 0x0f; 16];
            let credential = Credential::from_code(&code, &election_id);
            json!({
                "bits": hex(code.as_bytes()),
                "code": code.to_string(),
                "typed": code.to_string().to_lowercase().replace('0', "o").replace('1', "i"),
                "election_id": hex(election_id),
                "public_key": hex(credential.public().to_bytes()),
            })
        })
        .collect();
    let good = code(77).to_string();
    let mut exchanged: Vec<char> = good.chars().collect();
    exchanged.swap(1, 2);
    let invalid: Vec<Value> = [
        exchanged.into_iter().collect::<String>(),
        good.replacen('-', "-U", 1),
        good[..good.len() - 1].to_string(),
        good[..good.len() - 6].to_string(),
        format!("{good}-0"),
    ]
    .iter()
    .map(|typed| {
        let error = typed.parse::<Code>().expect_err("an invalid code");
        json!({ "typed": typed, "code": error.code(), "sentence": error.to_string() })
    })
    .collect();
    json!({ "valid": valid, "invalid": invalid })
}

#[test]
fn codes() {
    let file = frozen("ballot-codes.json", &code_vectors());
    for vector in list(&file["valid"]) {
        for form in ["code", "typed"] {
            let code: Code = text(&vector[form]).parse().expect("a valid code");
            assert_eq!(code.as_bytes()[..], bytes(&vector["bits"]));
            let credential = Credential::from_code(&code, &array(&vector["election_id"]));
            assert_eq!(credential.public().to_bytes()[..], bytes(&vector["public_key"]));
        }
    }
    for vector in list(&file["invalid"]) {
        let error = text(&vector["typed"]).parse::<Code>().expect_err("an invalid code");
        assert_eq!(error.code(), text(&vector["code"]));
    }
}

/// Requests of voters, and what of them a changed byte breaks.
fn enrolment_vectors() -> Value {
    let made = [1_u8, 90, 255].into_iter().map(|seed| {
        let token = Code::from_bytes([seed; 15]);
        let code = Code::from_bytes([seed ^ 0x3c; 15]);
        let election_id = [seed ^ 0x0f; 16];
        let credential = Credential::from_code(&code, &election_id);
        let request = EnrolmentRequest::make(&token, &election_id, &credential);
        json!({
            "token": token.to_string(),
            "code": code.to_string(),
            "election_id": hex(election_id),
            "token_name": hex(request.token_name().0),
            "public_key": hex(credential.public().to_bytes()),
            "request": hex(request.as_bytes()),
            "text": request.to_string(),
        })
    });
    let token = Code::from_bytes([1; 15]);
    let election_id = [0x0e; 16];
    let credential = Credential::from_code(&Code::from_bytes([0x3d; 15]), &election_id);
    let good = EnrolmentRequest::make(&token, &election_id, &credential);
    let invalid = [0, 1, 17, 33, 65, 97, 129].map(|at: usize| {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] ^= 1;
        json!({ "request": hex(&bytes), "code": judged(&bytes, &election_id, &token) })
    });
    json!({ "valid": made.collect::<Vec<_>>(), "invalid": invalid })
}

fn judged(bytes: &[u8], election_id: &[u8; 16], token: &Code) -> &'static str {
    let read = EnrolmentRequest::decode(bytes, election_id);
    let checked = read.and_then(|read| read.check(token).map(drop));
    checked.err().map_or("ok", EnrolmentError::code)
}

#[test]
fn enrolments() {
    let file = frozen("ballot-enrolment.json", &enrolment_vectors());
    for vector in list(&file["valid"]) {
        let token: Code = text(&vector["token"]).parse().expect("a valid token");
        let id = array(&vector["election_id"]);
        assert_eq!(judged(&bytes(&vector["request"]), &id, &token), "ok");
        let [found] = &EnrolmentRequest::find(text(&vector["text"]), &id)[..] else {
            panic!("one request in one text")
        };
        let found = found.as_ref().expect("a request");
        assert_eq!(found.as_bytes()[..], bytes(&vector["request"]));
    }
    let first = &list(&file["valid"])[0];
    let token: Code = text(&first["token"]).parse().expect("a valid token");
    let id = array(&first["election_id"]);
    for vector in list(&file["invalid"]) {
        assert_eq!(judged(&bytes(&vector["request"]), &id, &token), text(&vector["code"]));
    }
}

const TAG: &str = "quorate/vectors/v1";

/// The verdict on a signature: `ok` or the code of the refusal.
fn verdict(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> &'static str {
    let checked = PublicKey::from_bytes(key).and_then(|key| key.verify(TAG, message, signature));
    checked.err().map_or("ok", |error| error.code())
}

fn signature_vectors() -> Value {
    let key = SigningKey::from_seed(&[4; 32]);
    let public = key.public().to_bytes();
    let signature = key.sign(TAG, b"message");
    let secret = Scalar::from(12_345_u64);
    let bare = EdwardsPoint::mul_base(&secret).compress().to_bytes();
    let torsion = torsion_signature(TAG, &secret, &bare, b"message");
    let (mixed, mixed_signature) = mixed_key(TAG, b"message");
    let mut cases = Vec::new();
    let mut add = |name: &str, key: [u8; 32], message: &[u8], signature: [u8; 64]| {
        cases.push(json!({
            "name": name,
            "tag": TAG,
            "public_key": hex(key),
            "message": hex(message),
            "signature": hex(signature),
            "expect": verdict(&key, message, &signature),
        }));
    };
    add("valid", public, b"message", signature);
    add("another message", public, b"massage", signature);
    add("another key", bare, b"message", signature);
    add("R with a torsion component", bare, b"message", torsion);
    add("S plus the group order", public, b"message", plus_order(&signature));
    for (name, point) in non_canonical_points() {
        let mut changed = signature;
        changed[..32].copy_from_slice(&point);
        add(&format!("R not canonical: {name}"), public, b"message", changed);
        add(&format!("key not canonical: {name}"), point, b"message", signature);
    }
    let small = EIGHT_TORSION[1].compress().to_bytes();
    add("key of small order", small, b"message", signature);
    add("key with a torsion component", mixed, b"message", mixed_signature);
    json!({ "seed_of_valid": hex([4; 32]), "signatures": cases })
}

#[test]
fn signatures() {
    let file = frozen("ballot-signatures.json", &signature_vectors());
    let mut accepted = Vec::new();
    for vector in list(&file["signatures"]) {
        let key = array(&vector["public_key"]);
        let found = verdict(&key, &bytes(&vector["message"]), &array(&vector["signature"]));
        assert_eq!(found, text(&vector["expect"]), "{}", vector["name"]);
        accepted.extend((found == "ok").then(|| text(&vector["name"])));
    }
    assert_eq!(accepted, ["valid", "R with a torsion component"]);
}
