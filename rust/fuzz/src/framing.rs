//! gRPC frames in pieces of any size, compared with a reader of the whole.

use arbitrary::Arbitrary;
use bytes::Bytes;

use crate::deframer::{Deframer, FrameError};

/// Bytes that a client sends.
#[derive(Arbitrary, Debug)]
pub enum Part {
    /// A valid frame.
    Frame(Vec<u8>),
    /// Any other bytes.
    Raw(Vec<u8>),
}

const PREFIX: usize = 5;

/// All frames at once: the messages, and the end.
fn read_whole(limit: usize, mut bytes: &[u8]) -> (Vec<&[u8]>, Result<bool, FrameError>) {
    let mut messages = Vec::new();
    loop {
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
            return (messages, Ok(bytes.is_empty()));
        };
        if prefix[0] != 0 {
            return (messages, Err(FrameError::Compressed));
        }
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
        if length > limit {
            return (messages, Err(FrameError::TooLong(limit)));
        }
        let Some((message, rest)) = rest.split_at_checked(length) else { return (messages, Ok(false)) };
        messages.push(message);
        bytes = rest;
    }
}

/// `cuts` are the sizes of the pieces, repeated.
pub fn run(limit: u16, parts: Vec<Part>, cuts: Vec<u8>) {
    let limit = usize::from(limit);
    let mut sent = Vec::new();
    for part in parts {
        match part {
            Part::Frame(message) => {
                sent.push(0);
                sent.extend((message.len() as u32).to_be_bytes());
                sent.extend(message);
            }
            Part::Raw(bytes) => sent.extend(bytes),
        }
    }
    let (messages, end) = read_whole(limit, &sent);

    let mut deframer = Deframer::new(limit);
    let (mut seen, mut failed, mut rest) = (Vec::new(), None, &*sent);
    let mut sizes = cuts.iter().map(|cut| usize::from(*cut).max(1)).cycle();
    while failed.is_none() && !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        rest = later;
        deframer.push(Bytes::copy_from_slice(piece));
        loop {
            match deframer.next() {
                Ok(Some(message)) => seen.push(message),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        assert!(
            failed.is_some() || deframer.buffered_bytes() < PREFIX + limit,
            "at most one message is held"
        );
    }
    assert_eq!(seen, messages);
    match end {
        Ok(between) => assert_eq!((failed, deframer.is_between()), (None, between)),
        Err(error) => assert_eq!(failed, Some(error)),
    }
}
