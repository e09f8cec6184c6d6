//! The public roll of credentials that comes out of the issuer's list: taken as a whole or not at
//! all.

use crate::definition::Wrong;
use crate::table::{Mistakes, rows};
use election::{Roll, RollError, Voter};

/// The public roll as text: lines `credential,weight,group`, sorted by credential, so that their
/// order tells nothing about the voters'.
pub fn write_public_roll(roll: &Roll) -> String {
    let line = |voter: &Voter| {
        format!("{},{},{}\n", hex::encode(voter.credential), voter.weight, voter.group)
    };
    roll.voters().iter().map(line).collect()
}

/// Reads what [`write_public_roll`] wrote. Places are line and number of the cell.
///
/// # Errors
/// All mistakes found, up to fifty.
pub fn read_public_roll(bytes: &[u8]) -> Result<Roll, Vec<Wrong>> {
    let text = utf8(bytes)?;
    let mut mistakes = Mistakes::default();
    let (mut voters, mut lines) = (Vec::new(), Vec::new());
    for row in rows(text, b',') {
        let (line, cells) = row.map_err(|wrong| vec![wrong])?;
        let before = mistakes.count();
        let voter = read_public_voter(line, &cells, &mut mistakes);
        if mistakes.count() == before {
            voters.push(voter);
            lines.push(line);
        }
    }
    if mistakes.count() > 0 {
        return Err(mistakes.into_wrong());
    }
    Roll::new(voters).map_err(|error| {
        let line_of = |position: usize| lines.get(position).copied().unwrap_or(1);
        let (position, reason) = match error {
            RollError::Twice { positions: (earlier, later) } => {
                (later, format!("the credential stands in line {} already", line_of(earlier)))
            }
            RollError::Key { position } => {
                (position, "this is no usable Ed25519 public key".to_owned())
            }
            RollError::Weight { position } => (position, "the weight is 0".to_owned()),
            other => (0, other.to_string()),
        };
        mistakes.add(line_of(position), 1, reason);
        mistakes.into_wrong()
    })
}

fn read_public_voter(line: u64, cells: &csv::StringRecord, mistakes: &mut Mistakes) -> Voter {
    let mut voter = Voter { credential: [0; 32], weight: 1, group: 0 };
    if cells.len() != 3 {
        let reason = format!("expected credential,weight,group, found {} cells", cells.len());
        mistakes.add(line, cells.len().min(3) + 1, reason);
        return voter;
    }
    if hex::decode_to_slice(&cells[0], &mut voter.credential).is_err() {
        mistakes.add(line, 1, "a credential is 64 digits of 0-9 and a-f".to_owned());
    }
    match cells[1].parse() {
        Ok(weight) => voter.weight = weight,
        Err(_) => mistakes.add(line, 2, format!("weight '{}' is no whole number", &cells[1])),
    }
    match cells[2].parse() {
        Ok(group) => voter.group = group,
        Err(_) => {
            mistakes.add(line, 3, format!("group '{}' is no number from 0 to 255", &cells[2]));
        }
    }
    voter
}

fn utf8(bytes: &[u8]) -> Result<&str, Vec<Wrong>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        let reason = "the text is not UTF-8; save the file as UTF-8".to_owned();
        vec![Wrong { line, column, reason }]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballot::Credential;

    fn check<T: std::fmt::Debug>(found: Result<T, Vec<Wrong>>, expect: &[&str]) {
        let told: Vec<String> =
            found.expect_err("it is wrong").iter().map(ToString::to_string).collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn a_public_roll_is_read_back_and_mistakes_are_told() {
        let key = |seed: u8| Credential::from_seed(&[seed; 32]).public().to_bytes();
        let voter = |seed| Voter { credential: key(seed), weight: u32::from(seed), group: 1 };
        let roll = Roll::new(vec![voter(1), voter(2)]).expect("two voters");
        let text = write_public_roll(&roll);
        assert_eq!(read_public_roll(text.as_bytes()), Ok(roll));
        let first = text.lines().next().expect("two lines");
        check(
            read_public_roll(format!("{text}{first}\n").as_bytes()),
            &["line 3, column 1: the credential stands in line 1 already"],
        );
        let small_order = "01".to_owned() + &"0".repeat(62);
        check(
            read_public_roll(format!("{text}{small_order},1,1\n").as_bytes()),
            &["line 3, column 1: this is no usable Ed25519 public key"],
        );
        check(
            read_public_roll(b"xyz,1,1\n00,a,b\nq\n"),
            &[
                "line 1, column 1: a credential is 64 digits of 0-9 and a-f",
                "line 2, column 1: a credential is 64 digits of 0-9 and a-f",
                "line 2, column 2: weight 'a' is no whole number",
                "line 2, column 3: group 'b' is no number from 0 to 255",
                "line 3, column 2: expected credential,weight,group, found 1 cells",
            ],
        );
        check(
            read_public_roll(b""),
            &["line 1, column 1: a roll has 1 to 111409500 voters, not 0"],
        );
    }
}
