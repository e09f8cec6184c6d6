//! Archives come back byte for byte, and damage is located.

use super::*;
use crate::testing::{ElectionBuilder, choose};

fn sample() -> Bytes {
    let mut election = ElectionBuilder::new(11).voters(1).build();
    let mut run = election.open();
    election.vote(&mut run, 0, &[choose(1), choose(2)]);
    election.finish(run).archive
}

#[test]
fn an_archive_comes_back_byte_for_byte() {
    let bytes = sample();
    let archive = Archive::decode(&bytes).unwrap();
    assert_eq!(archive.checkpoints.len(), 3);
    assert_eq!(archive.encode(), bytes);
    assert_eq!(archive.tree().size(), archive.final_checkpoint().checkpoint.size);
}

#[test]
fn damage_is_located() {
    let bytes = sample();
    let check = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let mut other = bytes.to_vec();
        change(&mut other);
        let error = Archive::decode(&Bytes::from(other)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let end = bytes.len();
    check(&|b| b[3] ^= 1, "this file is not an archive of an election");
    check(&|b| b.truncate(5), "this file is not an archive of an election");
    check(&|b| b[16] = 2, "this archive has a format version that this program does not know");
    check(&|b| b[40] ^= 1, "archive: leaf 0 is damaged: it does not have its hash");
    check(&|b| b[17..21].fill(0), "archive: number of leaves at byte 17: must be at least 1");
    check(&|b| b.push(0), &format!("archive: end at byte {end}: more bytes follow the last field"));
    check(
        &|b| b.truncate(end - 1),
        &format!("archive: checksum at byte {}: the bytes end inside it", end - 32),
    );
    check(
        &|b| b[end - 1] ^= 1,
        "archive: the checksum at the end is wrong: something outside the leaves is damaged",
    );
    check(
        &|b| b[end - 33] = b' ',
        "archive: checkpoint 2 is damaged: line 6: expected `— name base64` and a newline",
    );
}

#[test]
fn checkpoints_must_ascend() {
    let mut archive = Archive::decode(&sample()).unwrap();
    archive.checkpoints.swap(0, 1);
    let bytes = Bytes::from(archive.encode());
    assert_eq!(Archive::decode(&bytes), Err(ArchiveError::Order { number: 1 }));
}
