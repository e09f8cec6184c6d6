//! The file: a head that a person can read, the records in frames, a checksum over all.
//!
//! ```text
//! quorate backup 1          the head: lines of text, an empty one behind the last
//! version 0.1.0             of the program that made it
//! cluster 00000000000000ab  member 2     whose state it is
//! made 1795300000           seconds since 1970
//! revision 5012             applied 7801     term 7
//! digest 5f3a…              segment_bytes 67108864
//! through 812344            the value log's length
//! members 1=127.0.0.1:7101 …
//!
//! frame   length u32 | from u64 | next u64 | count times: length u32, record
//! …       integers are big-endian; a frame of length 0 is the last
//! zeros   up to a multiple of 512 bytes
//! SHA-256 of everything before it, 32 bytes
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use storage::Chunk;

const TITLE: &str = "quorate backup 1";

/// Longest head that is read.
const HEAD_BYTES_MAX: usize = 8192;

/// Longest frame that is read: a record is at most a segment long, and a frame holds few.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// The file's length is a multiple of this, and then the checksum.
const BLOCK_BYTES: u64 = 512;

const SHA256_BYTES: u64 = 32;

/// Bytes before the records of a frame.
const FRAME_HEAD_BYTES: usize = 16;

/// The file cannot be used, or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupError(pub(super) String);

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BackupError {}

/// For `map_err`: where it happened, then the reason.
pub(super) fn at<E: fmt::Display>(path: &Path) -> impl Fn(E) -> BackupError + '_ {
    move |reason| BackupError(format!("{}: {reason}", path.display()))
}

/// What a backup is, as its head says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The version of the program that made it.
    pub version: String,
    /// The cluster whose state it is.
    pub cluster: u64,
    /// The member that made it.
    pub member: u64,
    /// When, in seconds since 1970 by that member's clock.
    pub made_s: u64,
    /// The newest revision in it.
    pub revision: i64,
    /// The last log entry in it.
    pub applied: u64,
    /// The member's term.
    pub term: u64,
    /// Digest of the state.
    pub digest: u64,
    /// Length of the value log's segments.
    pub segment_bytes: u64,
    /// Length of the value log.
    pub through: u64,
    /// Who took part, `1=ADDR 2=ADDR`, in one line.
    pub members: String,
}

impl Facts {
    pub(super) fn encode(&self) -> String {
        let Self { version, cluster, member, made_s, revision, applied, term, .. } = self;
        let Self { digest, segment_bytes, through, members, .. } = self;
        let members = members.replace(char::is_whitespace, " ");
        format!(
            "{TITLE}\nversion {version}\ncluster {cluster:016x}\nmember {member}\nmade {made_s}\n\
             revision {revision}\napplied {applied}\nterm {term}\ndigest {digest:016x}\n\
             segment_bytes {segment_bytes}\nthrough {through}\nmembers {members}\n\n"
        )
    }

    /// Reads a head; what is wrong with it otherwise.
    fn decode(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err("it does not begin as a backup of this version does".to_owned());
        }
        let mut field = |name: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or_else(|| format!("its head lacks '{name}'"))
        };
        let facts = Self {
            version: field("version")?.to_owned(),
            cluster: number(field("cluster")?, 16)?,
            member: number(field("member")?, 10)?,
            made_s: number(field("made")?, 10)?,
            revision: number(field("revision")?, 10)?.try_into().map_err(|_| WRONG_NUMBER)?,
            applied: number(field("applied")?, 10)?,
            term: number(field("term")?, 10)?,
            digest: number(field("digest")?, 16)?,
            segment_bytes: number(field("segment_bytes")?, 10)?,
            through: number(field("through")?, 10)?,
            members: field("members")?.to_owned(),
        };
        if facts.applied == 0 || facts.segment_bytes == 0 {
            return Err("its head tells of a state that cannot be".to_owned());
        }
        Ok(facts)
    }
}

const WRONG_NUMBER: &str = "its head holds a wrong number";

fn number(text: &str, radix: u32) -> Result<u64, String> {
    u64::from_str_radix(text, radix).map_err(|_| format!("{WRONG_NUMBER}: '{text}'"))
}

/// One chunk as a frame.
pub(super) fn frame(chunk: &Chunk) -> Bytes {
    let records: usize = chunk.records.iter().map(|record| 4 + record.len()).sum();
    let mut out = BytesMut::with_capacity(4 + FRAME_HEAD_BYTES + records);
    // Within bounds: a chunk holds one record, or a few small ones.
    out.put_u32((FRAME_HEAD_BYTES + records) as u32);
    out.put_u64(chunk.from);
    out.put_u64(chunk.next);
    for record in &chunk.records {
        out.put_u32(record.len() as u32);
        out.put_slice(record);
    }
    out.freeze()
}

/// What follows the last frame, without the checksum: `written` bytes stand before it.
pub(super) fn ending(written: u64) -> Bytes {
    let end = written + 4;
    let padding = end.next_multiple_of(BLOCK_BYTES) - end;
    vec![0; 4 + usize::try_from(padding).unwrap_or(0)].into()
}

/// Reads a backup's frames one after another.
pub(super) struct Frames {
    reader: BufReader<File>,
    segment_bytes: u64,
    next: u64,
    through: u64,
}

impl Frames {
    /// The next chunk; `None` behind the last one, which ends where the head says.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, String> {
        let cut = |error: std::io::Error| format!("it ends too early or cannot be read: {error}");
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).map_err(cut)?;
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 {
            return match self.next == self.through {
                true => Ok(None),
                false => Err(format!("its records end at {}, not {}", self.next, self.through)),
            };
        }
        if !(FRAME_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) {
            return Err(format!("it holds a frame of {length} bytes"));
        }
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).map_err(cut)?;
        let chunk = chunk(bytes.into(), self.segment_bytes).ok_or("it holds a broken frame")?;
        if chunk.from != self.next || chunk.next <= chunk.from {
            return Err(format!("a frame begins at {}, not {}", chunk.from, self.next));
        }
        self.next = chunk.next;
        Ok(Some(chunk))
    }
}

fn chunk(mut bytes: Bytes, segment_bytes: u64) -> Option<Chunk> {
    let (from, next) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.try_get_u32().ok()? as usize;
        if length > bytes.len() {
            return None;
        }
        records.push(bytes.split_to(length));
    }
    Some(Chunk { segment_bytes, from, next, records })
}

/// Reads the head alone.
///
/// # Errors
/// [`BackupError`].
pub fn read_facts(path: &Path) -> Result<Facts, BackupError> {
    open(path).map(|(facts, _)| facts)
}

pub(super) fn open(path: &Path) -> Result<(Facts, Frames), BackupError> {
    let wrong = at(path);
    let file = File::open(path).map_err(at(path))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut head = Vec::new();
    while !head.ends_with(b"\n\n") {
        let mut byte = [0];
        let read = reader.read(&mut byte).map_err(at(path))?;
        if read == 0 || head.len() == HEAD_BYTES_MAX {
            return Err(wrong("this is no backup: it has no head".to_owned()));
        }
        head.push(byte[0]);
    }
    let text = std::str::from_utf8(&head).map_err(|_| wrong("its head is no text".to_owned()))?;
    let facts = Facts::decode(text).map_err(wrong)?;
    let Facts { segment_bytes, through, .. } = facts;
    Ok((facts, Frames { reader, segment_bytes, next: 0, through }))
}

/// Checks the whole file: its checksum, its head, that its records follow one another. Returns what
/// it is and its SHA-256. `seen` hears how many of how many bytes were read.
///
/// # Errors
/// [`BackupError`] says what is wrong. Nothing else is read or written.
pub fn check(
    path: &Path,
    seen: &mut dyn FnMut(u64, u64),
) -> Result<(Facts, [u8; 32]), BackupError> {
    let sum = check_sum(path, seen)?;
    let (facts, mut frames) = open(path)?;
    while frames.next().map_err(at(path))?.is_some() {}
    Ok((facts, sum))
}

fn check_sum(path: &Path, seen: &mut dyn FnMut(u64, u64)) -> Result<[u8; 32], BackupError> {
    let wrong = at(path);
    let mut file = File::open(path).map_err(at(path))?;
    let all = file.seek(SeekFrom::End(0)).map_err(at(path))?;
    file.rewind().map_err(at(path))?;
    let body = all.checked_sub(SHA256_BYTES).filter(|body| body % BLOCK_BYTES == 0 && *body > 0);
    let Some(mut left) = body else {
        return Err(wrong(format!("it has {all} bytes, which no whole backup has")));
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    while left > 0 {
        let step = usize::try_from(left.min(buffer.len() as u64)).unwrap_or(buffer.len());
        let part = &mut buffer[..step];
        file.read_exact(part).map_err(at(path))?;
        hash.update(&*part);
        left -= step as u64;
        seen(all - left, all);
    }
    let mut kept = [0; 32];
    file.read_exact(&mut kept).map_err(at(path))?;
    let found: [u8; 32] = hash.finalize().into();
    if found != kept {
        let text = "its checksum does not fit its content: the file is damaged or cut; fetch it \
                    again, or use another backup";
        return Err(wrong(text.to_owned()));
    }
    Ok(found)
}

/// A checksum as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string succeeds.
        let _ok = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            version: "0.1.0".to_owned(),
            cluster: 0xab,
            member: 2,
            made_s: 1_795_300_000,
            revision: 12,
            applied: 40,
            term: 7,
            digest: 99,
            segment_bytes: 4096,
            through: 30,
            members: "1=a 2=b".to_owned(),
        }
    }

    /// A file of two frames.
    fn file() -> Vec<u8> {
        let chunk = |from, next, record: &'static [u8]| Chunk {
            segment_bytes: 4096,
            from,
            next,
            records: vec![Bytes::from_static(record), Bytes::from_static(b"")],
        };
        let mut bytes = facts().encode().into_bytes();
        bytes.extend(frame(&chunk(0, 10, b"one")));
        bytes.extend(frame(&chunk(10, 30, b"two")));
        bytes.extend(ending(bytes.len() as u64));
        let sum = Sha256::digest(&bytes);
        bytes.extend(sum);
        bytes
    }

    fn checked(bytes: &[u8]) -> Result<Facts, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b");
        std::fs::write(&path, bytes).expect("written");
        check(&path, &mut |_, _| ()).map(|(facts, _)| facts).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_back_and_every_flip_and_cut_is_noticed() {
        let bytes = file();
        assert_eq!(bytes.len() % 512, 32);
        assert_eq!(checked(&bytes), Ok(facts()));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            let error = checked(&damaged).expect_err("a flipped bit");
            assert!(error.contains("its checksum does not fit"), "{place}: {error}");
        }
        for len in 0..bytes.len() {
            assert!(checked(&bytes[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn a_file_whose_checksum_was_made_anew_is_still_looked_at() {
        let resum = |change: fn(&mut Vec<u8>)| {
            let mut bytes = file();
            bytes.truncate(bytes.len() - 32);
            change(&mut bytes);
            let sum = Sha256::digest(&bytes);
            bytes.extend(sum);
            checked(&bytes).expect_err("wrong inside")
        };
        let text = |error: &str, expect: &str| assert!(error.contains(expect), "{error}");
        text(&resum(|bytes| bytes[15] = b'2'), "does not begin as a backup of this version");
        let head = facts().encode().len();
        assert!(head < 500);
        // The first frame's `from`.
        text(&resum(|bytes| bytes[facts().encode().len() + 11] = 1), "a frame begins at 1, not 0");
        text(&resum(|bytes| bytes[facts().encode().len()] = 0xff), "a frame of");
    }
}
