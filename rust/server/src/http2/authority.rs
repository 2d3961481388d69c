//! Rewrites `:authority` of clients of a Unix socket to a valid name.
//!
//! gRPC Core (since 1.57) and grpc-java send the socket's path, percent-encoded or verbatim (grpc/grpc#38142,
//! grpc/grpc-java#12664); h2 rejects both and resets the stream (hyperium/h2#487), and an xDS bootstrap cannot set
//! another one. The value is not used, so each invalid byte becomes "-". Lengths are kept: frames and HPACK's dynamic
//! table stay consistent, and nothing is buffered. A Huffman-coded value is not changed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// RFC 9113, section 3.4: the client begins with these many bytes.
const PREFACE: usize = 24;
const FRAME_HEAD: usize = 9;

/// RFC 9113, section 6.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

const AUTHORITY: &[u8] = b":authority";
/// RFC 7541, appendix A.
const AUTHORITY_INDEX: u8 = 1;

/// A byte stream from an HTTP/2 client whose `:authority` may be a path.
pub(crate) struct AuthorityRewriter<S> {
    stream: S,
    frames: FrameParser,
}

impl<S> AuthorityRewriter<S> {
    pub(crate) fn new(stream: S) -> AuthorityRewriter<S> {
        AuthorityRewriter { stream, frames: FrameParser::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AuthorityRewriter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.frames.pass(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AuthorityRewriter<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The position in the sequence of frames.
struct FrameParser {
    /// Bytes to skip.
    skip: usize,
    head: [u8; FRAME_HEAD],
    filled: usize,
    /// Remaining bytes of the header block fragment, and of the padding after it.
    block: usize,
    padding: usize,
    /// The next byte is the length of the padding.
    padded: bool,
    /// Remaining bytes of the fragment before its fields.
    priority: usize,
    fields: FieldParser,
}

impl Default for FrameParser {
    fn default() -> FrameParser {
        FrameParser {
            skip: PREFACE,
            head: [0; FRAME_HEAD],
            filled: 0,
            block: 0,
            padding: 0,
            padded: false,
            priority: 0,
            fields: FieldParser::default(),
        }
    }
}

impl FrameParser {
    /// Process the next bytes of the stream, cut anywhere.
    fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let taken = if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                count
            } else {
                self.byte(&mut bytes[0]);
                1
            };
            bytes = &mut bytes[taken..];
        }
    }

    fn byte(&mut self, byte: &mut u8) {
        if self.padded {
            self.padded = false;
            self.padding = usize::from(*byte).min(self.block);
            self.block -= self.padding;
            self.end_of_fields();
        } else if self.block > 0 {
            self.block -= 1;
            match self.priority {
                0 => self.fields.byte(byte),
                _ => self.priority -= 1,
            }
            self.end_of_fields();
        } else {
            self.head[self.filled] = *byte;
            self.filled += 1;
            if self.filled == FRAME_HEAD {
                self.filled = 0;
                self.frame();
            }
        }
    }

    fn end_of_fields(&mut self) {
        if self.block == 0 {
            self.skip = std::mem::take(&mut self.padding);
        }
    }

    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS => {
                self.fields = FieldParser::default();
                self.padded = flags & PADDED != 0 && length > 0;
                self.block = length - usize::from(self.padded);
                self.priority = if flags & PRIORITY != 0 { 5 } else { 0 };
            }
            CONTINUATION => self.block = length,
            _ => self.skip = length,
        }
    }
}

/// The position in a header block (RFC 7541, section 6).
#[derive(Default)]
struct FieldParser {
    state: ParserState,
    /// Whether the field is `:authority` so far.
    authority: bool,
    length: usize,
    shift: u32,
    matched: usize,
}

#[derive(Clone, Copy, Default)]
enum ParserState {
    #[default]
    Representation,
    /// The rest of an integer that ends the field.
    Index,
    /// The rest of the index of a name.
    NameIndex,
    NameHead,
    NameLength,
    Name,
    ValueHead,
    ValueLength,
    Value,
}

impl FieldParser {
    fn byte(&mut self, byte: &mut u8) {
        let value = *byte;
        match self.state {
            ParserState::Representation => self.representation(value),
            ParserState::Index if value & 0x80 == 0 => self.state = ParserState::Representation,
            ParserState::NameIndex if value & 0x80 == 0 => self.state = ParserState::ValueHead,
            ParserState::Index | ParserState::NameIndex => {}
            ParserState::NameHead => {
                self.authority = value & 0x80 == 0;
                self.matched = 0;
                self.head(value, ParserState::NameLength, ParserState::Name, ParserState::ValueHead);
                self.authority &= self.length == AUTHORITY.len();
            }
            ParserState::NameLength => self.more_length(value, ParserState::Name, ParserState::ValueHead),
            ParserState::Name => {
                self.authority &= AUTHORITY.get(self.matched) == Some(&value);
                self.matched += 1;
                self.consume(ParserState::ValueHead);
            }
            ParserState::ValueHead => {
                self.authority &= value & 0x80 == 0;
                self.head(value, ParserState::ValueLength, ParserState::Value, ParserState::Representation);
            }
            ParserState::ValueLength => {
                self.more_length(value, ParserState::Value, ParserState::Representation)
            }
            ParserState::Value => {
                if self.authority
                    && !matches!(value, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_')
                {
                    *byte = b'-';
                }
                self.consume(ParserState::Representation);
            }
        }
    }

    fn representation(&mut self, value: u8) {
        // Indexed; literal with indexing; size update; literal without indexing.
        let (mask, literal) = match value {
            0x80.. => (0x7f, false),
            0x40.. => (0x3f, true),
            0x20.. => (0x1f, false),
            _ => (0x0f, true),
        };
        let index = value & mask;
        self.authority = index == AUTHORITY_INDEX;
        self.state = match (literal, index) {
            (false, _) if index == mask => ParserState::Index,
            (false, _) => ParserState::Representation,
            (true, 0) => ParserState::NameHead,
            (true, _) if index == mask => ParserState::NameIndex,
            (true, _) => ParserState::ValueHead,
        };
    }

    /// The first byte of a string's length.
    fn head(&mut self, value: u8, more: ParserState, string: ParserState, after: ParserState) {
        self.length = usize::from(value & 0x7f);
        self.shift = 0;
        self.state = match self.length {
            0 => after,
            0x7f => more,
            _ => string,
        };
    }

    /// A further byte (RFC 7541, section 5.1). h2 rejects an overflow.
    fn more_length(&mut self, value: u8, string: ParserState, after: ParserState) {
        let part = usize::from(value & 0x7f).checked_shl(self.shift).unwrap_or(usize::MAX);
        self.length = self.length.saturating_add(part);
        self.shift = self.shift.saturating_add(7);
        if value & 0x80 == 0 {
            self.state = if self.length == 0 { after } else { string };
        }
    }

    fn consume(&mut self, after: ParserState) {
        self.length -= 1;
        if self.length == 0 {
            self.state = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn literal(head: &[u8], value: &str) -> Vec<u8> {
        let mut field = head.to_vec();
        if value.len() < 0x7f {
            field.push(value.len() as u8);
        } else {
            field.extend([0x7f, (value.len() - 0x7f) as u8]);
        }
        field.extend(value.as_bytes());
        field
    }

    /// The whole output, with the input cut after every `cut` bytes.
    fn passed(stream: &[u8], cut: usize) -> Vec<u8> {
        let mut stream = stream.to_vec();
        let mut frames = FrameParser::default();
        stream.chunks_mut(cut).for_each(|piece| frames.pass(piece));
        stream
    }

    fn check(before: &[Vec<u8>], after: &[Vec<u8>]) {
        let preface = [b'%'; PREFACE];
        let (before, after) =
            ([&preface[..], &before.concat()].concat(), [&preface[..], &after.concat()].concat());
        for cut in [1, 2, 3, 7, before.len()] {
            assert_eq!(passed(&before, cut), after, "cut after {cut}");
        }
    }

    #[test]
    fn an_authority_that_is_a_path_becomes_a_name() {
        let long = "%2F".repeat(42) + "x";
        let named = long.replace('%', "-");
        // By index with and without indexing, and by name as gRPC Core writes it.
        for head in [&[0x41][..], &[0x01], &[0x11], b"\x40\x0a:authority"] {
            for (path, name) in [("tmp%2Fa.sock", "tmp-2Fa.sock"), ("/run/a:b", "-run-a-b"), (&long, &named)]
            {
                let block = |value| {
                    [literal(b"\x44", "/p%h"), literal(head, value), literal(b"\x40\x01%", "%/")].concat()
                };
                check(&[frame(HEADERS, 4, &block(path))], &[frame(HEADERS, 4, &block(name))]);
            }
        }
    }

    #[test]
    fn nothing_else_changes() {
        let huffman = [0x41, 0x82, b'%', b'/'];
        let fields = [
            literal(b"\x40\x0a:authoritx", "%"),
            literal(b"\x7f\x05", "%/"),
            literal(b"\x0f\x05", "%/"),
            vec![0x3f, 0xe1, 0x1f, 0xff, 0x80, 0x01, 0x82, 0x41, 0x00],
            huffman.to_vec(),
        ];
        let frames =
            [frame(HEADERS, 4, &fields.concat()), frame(0, 0, b"\x41\x02%/"), frame(HEADERS, 5, b"\x82")];
        check(&frames, &frames);
    }

    #[test]
    fn padding_priority_and_continuation_are_stepped_over() {
        let stream = |value: &str, other: &str| {
            let block = literal(&[0x41], value);
            let (first, rest) = block.split_at(4);
            let padding = [0x41, 3, b'%', b'%', b'%'];
            let padded = [&[5][..], &[0, 0, 0, 0, b'%'], first, &padding].concat();
            vec![
                frame(HEADERS, PADDED | PRIORITY, &padded),
                frame(CONTINUATION, 0, &[]),
                frame(CONTINUATION, 4, rest),
                frame(HEADERS, 4 | PADDED, &[&[0][..], &literal(&[0x41], other)].concat()),
            ]
        };
        check(&stream("/a/b/c", "%"), &stream("-a-b-c", "-"));
    }

    #[test]
    fn random_bytes_pass() {
        let mut state = 1u64;
        let nonsense: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        })
        .take(1 << 16)
        .collect();
        for start in 0..64 {
            let mut stream = [vec![0; PREFACE], frame(HEADERS, 4, &nonsense[start * 100..][..5000])].concat();
            stream.extend([
                255, 255, 255, HEADERS, PADDED, 0, 0, 0, 1, 255, 0x41, 0x7f, 255, 255, 255, 255, 255, 255,
            ]);
            stream.extend([255; 12]);
            assert_eq!(passed(&stream, 1).len(), stream.len());
        }
    }
}
