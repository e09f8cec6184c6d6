//! The peer wire: `length u32 | version u8 | form u8 | crc32c u32 | payload`, integers big-endian.
//!
//! The checksum covers version, form and payload. The first payload of a connection is a
//! [`Hello`]. Form 0 is the payload as it is; form 1 is `length u32 | LZ4 block`, for large
//! payloads that get shorter by it (entries for a member that is behind, parts of snapshots).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Version of frames and of the hello; another one is refused by name.
pub const VERSION: u8 = 2;

/// Longest payload of one frame, in bytes; a longer length is taken for damage.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// Length of a frame's head, in bytes.
const HEAD_BYTES: usize = 4 + 1 + 1 + 4;

/// Payloads from this size on are compressed if that helps, in bytes. Below it the time costs
/// more than the bytes.
const COMPRESS_FROM_BYTES: usize = 64 << 10;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// What is wrong with a peer's bytes; the connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The peer speaks another version.
    Version(u8),
    /// The announced length is out of bounds.
    Length(u32),
    /// The payload is in a form that nobody sends, or cannot be unpacked.
    Form(u8),
    /// The checksum does not match.
    Checksum,
    /// The first frame is no hello.
    Hello,
}

impl core::fmt::Display for FrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "peer speaks wire version {version}, this node {VERSION}")
            }
            Self::Length(length) => write!(f, "peer announces a frame of {length} bytes"),
            Self::Form(form) => write!(f, "peer sends a payload of form {form} that is none"),
            Self::Checksum => write!(f, "frame damaged on the way (checksum)"),
            Self::Hello => write!(f, "peer did not open with a hello"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Appends one frame to `out`.
pub fn encode(payload: &[u8], out: &mut BytesMut) {
    debug_assert!(payload.len() <= PAYLOAD_BYTES_MAX);
    if payload.len() >= COMPRESS_FROM_BYTES {
        let packed = lz4_flex::block::compress_prepend_size(payload);
        if packed.len() < payload.len() / 8 * 7 {
            return put(LZ4, &packed, out);
        }
    }
    put(PLAIN, payload, out);
}

fn put(form: u8, payload: &[u8], out: &mut BytesMut) {
    out.reserve(HEAD_BYTES + payload.len());
    out.put_u32(payload.len() as u32);
    out.put_u8(VERSION);
    out.put_u8(form);
    out.put_u32(checksum(form, payload));
    out.put_slice(payload);
}

/// The payload that `packed` was made of.
fn unpack(packed: &[u8]) -> Result<Bytes, FrameError> {
    let mut length = packed.get(..4).ok_or(FrameError::Form(LZ4))?;
    // As `compress_prepend_size` writes it.
    let length = length.get_u32_le();
    if length as usize > PAYLOAD_BYTES_MAX {
        return Err(FrameError::Length(length));
    }
    let unpacked = lz4_flex::block::decompress(&packed[4..], length as usize);
    unpacked.map(Bytes::from).map_err(|_| FrameError::Form(LZ4))
}

/// Takes one frame's payload off the front of `input`, or `None` while it is incomplete.
///
/// # Errors
/// [`FrameError`]: the stream cannot be read any further.
pub fn decode(input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
    if input.len() < HEAD_BYTES {
        return Ok(None);
    }
    let mut head = &input[..HEAD_BYTES];
    let (length, version) = (head.get_u32(), head.get_u8());
    let (form, crc) = (head.get_u8(), head.get_u32());
    if version != VERSION {
        return Err(FrameError::Version(version));
    }
    let payload_bytes = length as usize;
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err(FrameError::Length(length));
    }
    if input.len() < HEAD_BYTES + payload_bytes {
        input.reserve(HEAD_BYTES + payload_bytes - input.len());
        return Ok(None);
    }
    input.advance(HEAD_BYTES);
    let payload = input.split_to(payload_bytes).freeze();
    if checksum(form, &payload) != crc {
        return Err(FrameError::Checksum);
    }
    match form {
        PLAIN => Ok(Some(payload)),
        LZ4 => unpack(&payload).map(Some),
        other => Err(FrameError::Form(other)),
    }
}

fn checksum(form: u8, payload: &[u8]) -> u32 {
    base::crc32c_append(base::crc32c(&[VERSION, form]), payload)
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Id of the cluster both must belong to.
    pub cluster: u64,
    /// Member that dials.
    pub from: u64,
    /// Member it wants.
    pub to: u64,
}

impl Hello {
    const MAGIC: &'static [u8; 8] = b"quorate1";

    /// The payload of the first frame.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(32);
        out.put_slice(Self::MAGIC);
        out.put_u64(self.cluster);
        out.put_u64(self.from);
        out.put_u64(self.to);
        out.freeze()
    }

    /// Reads the payload of the first frame.
    ///
    /// # Errors
    /// [`FrameError::Hello`] when it is anything else.
    pub fn decode(mut payload: Bytes) -> Result<Self, FrameError> {
        if payload.len() != 32 || payload.split_to(8) != Self::MAGIC[..] {
            return Err(FrameError::Hello);
        }
        Ok(Self { cluster: payload.get_u64(), from: payload.get_u64(), to: payload.get_u64() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        encode(payload, &mut out);
        out
    }

    #[test]
    fn frames_survive_any_cut_of_the_stream() {
        let mut whole = framed(b"one");
        whole.extend_from_slice(&framed(b""));
        for cut in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..cut]);
            let mut read = Vec::new();
            while let Some(payload) = decode(&mut input).expect("good frames") {
                read.push(payload);
            }
            input.extend_from_slice(&whole[cut..]);
            while let Some(payload) = decode(&mut input).expect("good frames") {
                read.push(payload);
            }
            assert_eq!(read, [&b"one"[..], b""]);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = framed(b"payload");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let read = decode(&mut bad);
            assert!(!matches!(&read, Ok(Some(_))), "bit {bit}: {read:?}");
        }
    }

    #[test]
    fn a_large_payload_travels_packed_if_that_helps() {
        let check = |payload: &[u8], packs: bool| {
            let mut frame = framed(payload);
            assert_eq!(frame.len() < payload.len(), packs, "{} bytes", frame.len());
            assert_eq!(decode(&mut frame).expect("a frame").as_deref(), Some(payload));
        };
        let even = vec![7; 4 * COMPRESS_FROM_BYTES];
        let mut random = base::Prng::named(1, "payload");
        let mut uneven = even.clone();
        random.fill(&mut uneven);
        check(&even, true);
        check(&uneven, false);
        check(&even[..COMPRESS_FROM_BYTES - 1], false);
        let mut bomb = BytesMut::new();
        put(LZ4, &[0xff; 64], &mut bomb);
        assert_eq!(decode(&mut bomb), Err(FrameError::Length(u32::MAX)));
    }

    #[test]
    fn hello_names_both_ends() {
        let hello = Hello { cluster: 1, from: 2, to: 3 };
        assert_eq!(Hello::decode(hello.encode()), Ok(hello));
        assert_eq!(
            Hello::decode(Bytes::from_static(b"GET / HTTP/1.1\r\n")),
            Err(FrameError::Hello)
        );
    }
}
