//! Mends a header that some of etcd's clients send and HTTP/2 forbids.
//!
//! etcdctl 3.4 asks `endpoint status` of `http://HOST:PORT` with that whole text, scheme and all,
//! as the pseudo-header `:authority`. etcd's own server takes it; the HTTP/2 library here resets
//! the stream before anybody can look at it. So the text is changed on its way in: `http://`
//! becomes `httpB..`, which is a name like any other, and nothing here looks at it.
//!
//! # Why these letters
//! Header values travel Huffman-coded (RFC 7541, appendix B). `B` is as long as `:` there, `.` as
//! `/`, so the change is some bits in place: no length changes, neither the frame's nor that of the
//! entry in the peers' tables.
//!
//! ```text
//! 0x41 1-len  h      t     t     p      :       /      /        literal of name 1, Huffman-coded
//!             100111 01001 01001 101011 1011100 011000 011000
//!                                       1011101 010111 010111   becomes  B..
//! ```
//!
//! Only HEADERS frames are looked at, and only what lies in one piece; what is missed is refused as
//! before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// What a client sends before its first frame (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;

/// A literal with incremental indexing whose name is entry 1 of the static table.
const LITERAL: u8 = 0x41;
const IS_HUFFMAN: u8 = 0x80;

/// `http://`, coded: 41 bits, the last one in a byte that belongs to the next letter too.
const CODED: [u8; 5] = [0x9d, 0x29, 0xae, 0xe3, 0x0c];
/// `httpB..`, coded; its last bit is 1 where the other's is 0.
const CODED_MENDED: [u8; 5] = [0x9d, 0x29, 0xae, 0xea, 0xeb];
const LAST_BIT: u8 = 0x80;

const PLAIN: &[u8] = b"http://";
const PLAIN_MENDED: &[u8] = b"httpB..";

/// Where in the stream of frames a byte belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preface { left: usize },
    Head { bytes: [u8; FRAME_HEAD_BYTES], len: usize },
    Payload { left: usize, is_headers: bool },
}

const HEAD: Place = Place::Head { bytes: [0; FRAME_HEAD_BYTES], len: 0 };

/// Follows the frames.
#[derive(Debug)]
struct Mender(Place);

impl Mender {
    fn new() -> Self {
        Self(Place::Preface { left: PREFACE_BYTES })
    }

    /// Takes the next bytes of the stream and mends them in place.
    fn take(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = match &mut self.0 {
                Place::Preface { left } => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    if *left == 0 {
                        self.0 = HEAD;
                    }
                    taken
                }
                Place::Head { bytes: head, len } => {
                    let taken = bytes.len().min(FRAME_HEAD_BYTES - *len);
                    head[*len..*len + taken].copy_from_slice(&bytes[..taken]);
                    *len += taken;
                    if *len == FRAME_HEAD_BYTES {
                        let left = usize::from(head[0]) << 16
                            | usize::from(head[1]) << 8
                            | usize::from(head[2]);
                        let is_headers = head[3] == HEADERS;
                        self.0 = if left == 0 { HEAD } else { Place::Payload { left, is_headers } };
                    }
                    taken
                }
                Place::Payload { left, is_headers } => {
                    let taken = bytes.len().min(*left);
                    if *is_headers {
                        mend(&mut bytes[..taken]);
                    }
                    *left -= taken;
                    if *left == 0 {
                        self.0 = HEAD;
                    }
                    taken
                }
            };
            bytes = &mut bytes[taken..];
        }
    }
}

/// Mends the header in a piece of a header block.
fn mend(block: &mut [u8]) {
    for at in 0..block.len() {
        let [LITERAL, length, value @ ..] = &mut block[at..] else { continue };
        let is_huffman = *length & IS_HUFFMAN != 0;
        if is_huffman && value.len() > CODED.len() {
            let (coded, next) = value.split_at_mut(CODED.len());
            if coded == CODED && next[0] & LAST_BIT == 0 {
                coded.copy_from_slice(&CODED_MENDED);
                next[0] |= LAST_BIT;
                return;
            }
        } else if !is_huffman && value.starts_with(PLAIN) {
            value[..PLAIN.len()].copy_from_slice(PLAIN_MENDED);
            return;
        }
    }
}

/// A connection whose incoming headers are mended.
#[derive(Debug)]
pub(crate) struct Mended {
    stream: TcpStream,
    mender: Mender,
}

impl Mended {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, mender: Mender::new() }
    }
}

impl AsyncRead for Mended {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.mender.take(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Mended {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Mended {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of this type.
    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, payload.len() as u8, kind, 0, 0, 0, 0, 1];
        bytes.extend(payload);
        bytes
    }

    /// The preface and some frames around the given one.
    fn stream(middle: &[u8]) -> Vec<u8> {
        [&[b'p'; PREFACE_BYTES][..], &frame(4, &[]), middle, &frame(0, b"data")].concat()
    }

    /// `http://1` and `httpB..1`: the digit's code is 00001, the rest of the byte is filled with ones.
    const BEFORE: [u8; 6] = [0x9d, 0x29, 0xae, 0xe3, 0x0c, 0b0000_0111];
    const AFTER: [u8; 6] = [0x9d, 0x29, 0xae, 0xea, 0xeb, 0b1000_0111];

    #[test]
    fn the_codes_are_those_of_the_letters() {
        let bits = |letters: &[&str]| {
            let all: String = letters.concat();
            let whole = all.as_bytes().chunks(8).map(|byte| {
                let text = std::str::from_utf8(byte).unwrap();
                u8::from_str_radix(&format!("{text:0<8}"), 2).unwrap()
            });
            whole.collect::<Vec<u8>>()
        };
        let (h, t, p, one) = ("100111", "01001", "101011", "0000111");
        assert_eq!(bits(&[h, t, t, p, "1011100", "011000", "011000", one]), BEFORE);
        assert_eq!(bits(&[h, t, t, p, "1011101", "010111", "010111", one]), AFTER);
    }

    #[test]
    fn the_header_is_mended_however_the_bytes_before_it_come() {
        let header = |value: &[u8]| [&[0x83, 0x41, 0x80 | 6][..], value, &[0x86]].concat();
        let (bytes, expect) =
            (stream(&frame(HEADERS, &header(&BEFORE))), stream(&frame(HEADERS, &header(&AFTER))));
        let head_end = PREFACE_BYTES + 2 * FRAME_HEAD_BYTES;
        for cut in 0..=head_end {
            let (mut mender, mut bytes) = (Mender::new(), bytes.clone());
            let (first, rest) = bytes.split_at_mut(cut);
            mender.take(first);
            mender.take(rest);
            assert_eq!(bytes, expect, "cut at {cut}");
        }
        let plain = [&[0x41, 9][..], b"http://ab"].concat();
        let mut bytes = stream(&frame(HEADERS, &plain));
        Mender::new().take(&mut bytes);
        assert_eq!(bytes, stream(&frame(HEADERS, &[&[0x41, 9][..], b"httpB..ab"].concat())));
    }

    #[test]
    fn nothing_else_is_touched() {
        let header = [&[0x41, 0x80 | 6][..], &BEFORE].concat();
        // The same bytes in a frame of data, under another name, and a name that is none of these.
        let other = [&[0x42, 0x80 | 6][..], &BEFORE].concat();
        let ordinary = [&[0x41, 0x80 | 3][..], &[0x9d, 0x29, 0xae]].concat();
        let middles = [frame(0, &header), frame(HEADERS, &other), frame(HEADERS, &ordinary)];
        for middle in middles {
            let mut bytes = stream(&middle);
            Mender::new().take(&mut bytes);
            assert_eq!(bytes, stream(&middle));
        }
    }
}
