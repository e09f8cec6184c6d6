//! Alarms: what must not happen and has happened, with the signed texts that prove it, for every
//! node to see and for people to look at.
//!
//! ```text
//! minutes u32 | code | sentence | u8 count | texts        each text: length u32, UTF-8
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;

/// Different alarms of one process that are kept and stored; further ones are only told.
pub const ALARMS_MAX: usize = 256;
/// Alarms of another authority that are kept.
const FOREIGN_MAX: usize = 64;
/// Longest text of an alarm in bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// The stable codes of alarms.
pub mod code {
    /// Two checkpoints of one ledger that cannot both be true are signed.
    pub const SPLIT_VIEW: &str = "split-view";
    /// An authority signed two statements where one is allowed.
    pub const EQUIVOCATION: &str = "equivocation";
    /// The store no longer holds, or changed, what it had shown.
    pub const STORE_CHANGED: &str = "store-changed";
    /// Entries that the store lost are put back from the own copy.
    pub const RESTORED: &str = "restored";
    /// An entry below the head is nowhere to be found.
    pub const HOLE: &str = "hole";
    /// The store shows another order above what is final; it is followed.
    pub const OTHER_ORDER: &str = "other-order";
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// One of [`code`], or what another version calls it.
    pub code: String,
    /// What happened, as a sentence.
    pub what: String,
    /// What proves it: signed texts.
    pub texts: Vec<String>,
    /// When it was noticed first, in minutes since 1970 UTC.
    pub minutes: u32,
    /// How often since the process started.
    pub times: u32,
}

impl Alarm {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = self.minutes.to_be_bytes().to_vec();
        put(&mut bytes, &self.code);
        put(&mut bytes, &self.what);
        bytes.push(u8::try_from(self.texts.len()).unwrap_or(u8::MAX));
        self.texts.iter().take(255).for_each(|text| put(&mut bytes, text));
        bytes.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (minutes, mut rest) = bytes.split_first_chunk::<4>()?;
        let code = take(&mut rest)?;
        let what = take(&mut rest)?;
        let (count, tail) = rest.split_first()?;
        rest = tail;
        let texts = (0..*count).map(|_| take(&mut rest)).collect::<Option<_>>()?;
        let minutes = u32::from_be_bytes(*minutes);
        rest.is_empty().then_some(Self { code, what, texts, minutes, times: 1 })
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    bytes.extend_from_slice(&(end as u32).to_be_bytes());
    bytes.extend_from_slice(&text.as_bytes()[..end]);
}

fn take(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_first_chunk::<4>()?;
    let (text, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = tail;
    Some(core::str::from_utf8(text).ok()?.to_owned())
}

/// The alarms known of one election, by authority and number.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    all: BTreeMap<(u8, u64), Alarm>,
    raised: usize,
}

impl Alarms {
    /// All of them, with the authority that noticed.
    pub fn all(&self) -> impl Iterator<Item = (u8, &Alarm)> {
        self.all.iter().map(|((authority, _), alarm)| (*authority, alarm))
    }

    /// Notes an own alarm; the number under which it is to be stored, if it is new.
    pub(crate) fn raise(&mut self, own: u8, alarm: Alarm) -> Option<u64> {
        let known = self.all.iter_mut().find(|((authority, _), known)| {
            *authority == own && (&known.code, &known.what) == (&alarm.code, &alarm.what)
        });
        if let Some((_, known)) = known {
            known.times = known.times.saturating_add(1);
            return None;
        }
        if self.raised >= ALARMS_MAX {
            return None;
        }
        self.raised += 1;
        // The minute keeps it apart from those of an earlier process.
        let number = (u64::from(alarm.minutes) << 16) + self.raised as u64;
        self.all.insert((own, number), alarm);
        Some(number)
    }

    /// Takes one from the store or the journal.
    pub(crate) fn learn(&mut self, authority: u8, number: u64, bytes: &[u8]) {
        let of_one = self.all.range((authority, 0)..=(authority, u64::MAX)).count();
        if of_one < FOREIGN_MAX.max(ALARMS_MAX)
            && let Some(alarm) = Alarm::decode(bytes)
        {
            self.all.entry((authority, number)).or_insert(alarm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(what: &str) -> Alarm {
        let texts = vec!["one".to_owned(), "— two\n".to_owned()];
        Alarm { code: code::SPLIT_VIEW.into(), what: what.into(), texts, minutes: 9, times: 1 }
    }

    #[test]
    fn an_alarm_is_read_back_and_none_is_read_short() {
        let bytes = alarm("x").encode();
        assert_eq!(Alarm::decode(&bytes), Some(alarm("x")));
        for end in 0..bytes.len() {
            assert_eq!(Alarm::decode(&bytes[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn the_same_alarm_is_stored_once_and_all_are_bounded() {
        let mut alarms = Alarms::default();
        let number = alarms.raise(1, alarm("x")).expect("it is new");
        assert_eq!(alarms.raise(1, alarm("x")), None);
        assert_eq!(alarms.all().next().map(|(by, alarm)| (by, alarm.times)), Some((1, 2)));
        alarms.learn(2, number, &alarm("x").encode());
        alarms.learn(2, number + 1, b"garbage");
        assert_eq!(alarms.all().count(), 2);
        for one in 0..2 * ALARMS_MAX {
            alarms.raise(1, alarm(&one.to_string()));
        }
        assert_eq!(alarms.all().count(), ALARMS_MAX + 1);
    }
}
