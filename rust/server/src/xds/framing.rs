//! gRPC messages from a byte stream ("gRPC over HTTP2", Length-Prefixed-Message).

use bytes::{Buf, Bytes, BytesMut};

/// Why no further message can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The compressed flag is set, but no compression was negotiated.
    Compressed,
    /// The message is longer than this limit.
    TooLong(usize),
}

/// Assembles messages from pieces. Holds at most one message, up to the limit, and one piece.
#[derive(Debug)]
pub(crate) struct Deframer {
    limit: usize,
    piece: Bytes,
    partial: BytesMut,
}

const PREFIX: usize = 5;

impl Deframer {
    pub(crate) fn new(limit: usize) -> Deframer {
        Deframer { limit, piece: Bytes::new(), partial: BytesMut::new() }
    }

    /// Add a piece. Call [`Deframer::next`] until it returns `None` before the next piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.partial.is_empty() {
            self.piece = piece;
        } else {
            self.partial.extend_from_slice(&piece);
        }
    }

    /// The next complete message without its prefix. A message within one piece is not copied.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let buffered = if self.partial.is_empty() { &self.piece[..] } else { &self.partial[..] };
        let length = match self.length(buffered)? {
            Some(length) if buffered.len() >= PREFIX + length => length,
            _ => {
                if self.partial.is_empty() && !self.piece.is_empty() {
                    self.partial.extend_from_slice(&std::mem::take(&mut self.piece));
                }
                return Ok(None);
            }
        };
        if self.partial.is_empty() {
            self.piece.advance(PREFIX);
            return Ok(Some(self.piece.split_to(length)));
        }
        self.partial.advance(PREFIX);
        let message = self.partial.split_to(length).freeze();
        if self.partial.is_empty() {
            self.partial = BytesMut::new();
        }
        Ok(Some(message))
    }

    /// Whether the bytes so far end between two messages.
    pub(crate) fn is_between(&self) -> bool {
        self.partial.is_empty() && self.piece.is_empty()
    }

    /// Bytes of the incomplete message.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.partial.len()
    }

    fn length(&self, buffered: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = buffered.first_chunk::<PREFIX>() else { return Ok(None) };
        if prefix[0] != 0 {
            return Err(FrameError::Compressed);
        }
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        if length > self.limit { Err(FrameError::TooLong(self.limit)) } else { Ok(Some(length)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut framed = vec![0];
        framed.extend((message.len() as u32).to_be_bytes());
        framed.extend(message);
        framed
    }

    #[test]
    fn messages_are_assembled_from_pieces_of_any_size() {
        let sent = [frame(b"one"), frame(b""), frame(&[7; 300])].concat();
        for size in 1..=sent.len() {
            let mut deframer = Deframer::new(1000);
            let mut seen = Vec::new();
            for piece in sent.chunks(size) {
                deframer.push(Bytes::copy_from_slice(piece));
                while let Some(message) = deframer.next().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, [&b"one"[..], b"", &[7; 300]], "in pieces of {size}");
            assert!(deframer.is_between());
        }
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused_by_its_prefix() {
        let mut deframer = Deframer::new(9);
        deframer.push(Bytes::copy_from_slice(&frame(&[0; 10])[..PREFIX]));
        assert_eq!(deframer.next(), Err(FrameError::TooLong(9)));
    }

    #[test]
    fn a_compressed_message_is_refused() {
        let mut deframer = Deframer::new(9);
        deframer.push(Bytes::from_static(&[1, 0, 0, 0, 0]));
        assert_eq!(deframer.next(), Err(FrameError::Compressed));
    }

    #[test]
    fn half_a_message_is_not_between_messages() {
        let mut deframer = Deframer::new(9);
        deframer.push(Bytes::from_static(&[0, 0]));
        assert_eq!(deframer.next(), Ok(None));
        assert!(!deframer.is_between());
    }
}
