//! The identity file: whose folder this is, and in which format and geometry it is written.
//!
//! A short text, so that an operator can read it:
//!
//! ```text
//! quorate storage 2
//! kind wal
//! cluster 7
//! member 2
//! salt 16045690984833335023
//! segment_bytes 33554432
//! sector_bytes 512
//! state ready
//! crc32c 1774a2b0
//! ```
//!
//! It is written first (`state preparing`), then the folder's files, then it is replaced
//! (`state ready`). So a folder that was being made when the power went is simply made again,
//! and from `ready` on a missing file is a loss that is noticed. Geometry and salt are those of
//! the day the folder was made; the options given later do not change them.

use crate::disk::{Disk, DiskErrorKind};
use crate::error::{IdentityError, OpenError};
use base::crc32c;

const FILE: &str = "identity";
const NEW_FILE: &str = "identity.tmp";
/// 1 had a smaller manifest, without what recovery needs to prove a loss.
const FORMAT: u64 = 2;
const TITLE: &str = "quorate storage ";
/// An identity is some 150 bytes; nothing longer is read.
const MAX_BYTES: u64 = 4096;

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: u64,
    /// The member within it.
    pub member: u64,
    /// Any random number; used when the folder is made, ignored afterwards. Checksums start
    /// from it, so that no stored value can be shaped to look like a piece of this log.
    pub salt: u64,
}

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Wal,
    Values,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Values => "values",
        }
    }
}

/// The sizes a folder is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) segment_bytes: u64,
    pub(crate) sector_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preparing,
    Ready,
}

/// The content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) kind: Kind,
    pub(crate) owner: Owner,
    pub(crate) geometry: Geometry,
}

/// How far the folder is.
pub(crate) enum Folder {
    /// Empty but for the identity: its files are to be made, then [`mark_ready`] called.
    New(Identity),
    /// All its files were once there.
    Ready(Identity),
}

impl Identity {
    /// Where checksums in this folder start.
    pub(crate) fn seed(&self) -> u32 {
        crc32c(&self.owner.salt.to_le_bytes())
    }

    fn encode(&self, state: State) -> String {
        let state = match state {
            State::Preparing => "preparing",
            State::Ready => "ready",
        };
        let text = format!(
            "{TITLE}{FORMAT}\nkind {}\ncluster {}\nmember {}\nsalt {}\nsegment_bytes {}\n\
             sector_bytes {}\nstate {state}\n",
            self.kind.name(),
            self.owner.cluster,
            self.owner.member,
            self.owner.salt,
            self.geometry.segment_bytes,
            self.geometry.sector_bytes,
        );
        let crc = crc32c(text.as_bytes());
        format!("{text}crc32c {crc:08x}\n")
    }
}

/// Reads the identity, or begins to make the folder `wanted`.
pub(crate) fn open<D: Disk>(disk: &mut D, wanted: Identity) -> Result<Folder, OpenError> {
    disk.sync_dir()?;
    let names = disk.list()?;
    if names.iter().any(|name| name == FILE) {
        let (found, state) = read(disk)?;
        check(&found, &wanted)?;
        if state == State::Ready {
            return Ok(Folder::Ready(found));
        }
        for name in names.iter().filter(|name| *name != FILE) {
            disk.remove(name)?;
        }
        disk.sync_dir()?;
        return Ok(Folder::New(found));
    }
    if let Some(beside) = names.iter().find(|name| *name != NEW_FILE) {
        return Err(IdentityError::Missing { beside: beside.clone() }.into());
    }
    write(disk, &wanted, State::Preparing)?;
    Ok(Folder::New(wanted))
}

/// Declares that every file of the folder is there and durable.
pub(crate) fn mark_ready<D: Disk>(disk: &mut D, identity: &Identity) -> Result<(), OpenError> {
    write(disk, identity, State::Ready)
}

/// Gives a folder to another cluster: whoever opens it for the old one is refused from now on.
///
/// # Errors
/// [`OpenError`] when there is no intact identity, or the disk fails; then the folder is as before.
pub fn reassign<D: Disk>(disk: &mut D, cluster: u64) -> Result<Owner, OpenError> {
    let (found, state) = read(disk)?;
    let owner = Owner { cluster, ..found.owner };
    write(disk, &Identity { owner, ..found }, state)?;
    Ok(owner)
}

/// Whose folder it is.
///
/// # Errors
/// [`OpenError`] when there is no intact identity.
pub fn owner_of<D: Disk>(disk: &D) -> Result<Owner, OpenError> {
    Ok(read(disk)?.0.owner)
}

fn write<D: Disk>(disk: &mut D, identity: &Identity, state: State) -> Result<(), OpenError> {
    match disk.create(NEW_FILE) {
        Err(error) if error.kind == DiskErrorKind::AlreadyExists => disk.set_len(NEW_FILE, 0)?,
        other => other?,
    }
    disk.write_at(NEW_FILE, 0, identity.encode(state).as_bytes())?;
    disk.sync(NEW_FILE)?;
    disk.rename(NEW_FILE, FILE)?;
    disk.sync_dir()?;
    Ok(())
}

/// Whether the identity can be read at all: if not, the disk fails as a whole.
pub(crate) fn is_readable<D: Disk>(disk: &D) -> bool {
    read(disk).is_ok()
}

fn read<D: Disk>(disk: &D) -> Result<(Identity, State), OpenError> {
    let len = disk.len(FILE)?;
    if len > MAX_BYTES {
        return Err(IdentityError::Damaged { reason: "it is too long" }.into());
    }
    let mut bytes = vec![0; len as usize];
    disk.read_at(FILE, 0, &mut bytes)?;
    Ok(parse(&bytes)?)
}

fn parse(bytes: &[u8]) -> Result<(Identity, State), IdentityError> {
    let damaged = |reason| IdentityError::Damaged { reason };
    let text = core::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
    let Some((body, crc)) = text.rsplit_once("crc32c ") else {
        return Err(damaged("its checksum is missing"));
    };
    if crc != format!("{:08x}\n", crc32c(body.as_bytes())) {
        return Err(damaged("its checksum does not match"));
    }
    let mut lines = body.lines();
    let format = number(lines.next(), TITLE).ok_or(damaged("its first line is not ours"))?;
    if format < FORMAT {
        return Err(IdentityError::OlderFormat { found: format, known: FORMAT });
    }
    if format > FORMAT {
        return Err(IdentityError::NewerFormat { found: format, known: FORMAT });
    }
    let kind = match lines.next() {
        Some("kind wal") => Kind::Wal,
        Some("kind values") => Kind::Values,
        _ => return Err(damaged("its kind is unknown")),
    };
    let mut field = |name| number(lines.next(), name).ok_or(damaged("a line is missing"));
    let owner =
        Owner { cluster: field("cluster ")?, member: field("member ")?, salt: field("salt ")? };
    let geometry =
        Geometry { segment_bytes: field("segment_bytes ")?, sector_bytes: field("sector_bytes ")? };
    let state = match lines.next() {
        Some("state preparing") => State::Preparing,
        Some("state ready") => State::Ready,
        _ => return Err(damaged("its state is unknown")),
    };
    Ok((Identity { kind, owner, geometry }, state))
}

fn number(line: Option<&str>, name: &str) -> Option<u64> {
    line?.strip_prefix(name)?.parse().ok()
}

fn check(found: &Identity, wanted: &Identity) -> Result<(), IdentityError> {
    let other =
        |what, found: String, wanted: String| Err(IdentityError::Other { what, found, wanted });
    if found.kind != wanted.kind {
        return other("kind", found.kind.name().to_owned(), wanted.kind.name().to_owned());
    }
    let (there, here) = (found.owner, wanted.owner);
    if there.cluster != here.cluster {
        return other("cluster", there.cluster.to_string(), here.cluster.to_string());
    }
    if there.member != here.member {
        return other("member", there.member.to_string(), here.member.to_string());
    }
    Ok(())
}
