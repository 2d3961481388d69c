//! Any bytes in any pieces: the deframer gives the same messages, and never more than it was given.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../server/src/framing.rs"]
#[allow(dead_code, unreachable_pub, clippy::all)]
mod framing;

use framing::{Deframer, FrameError};

const LIMIT: usize = 64;

fn messages(pieces: impl Iterator<Item = Bytes>) -> (Vec<Bytes>, Option<FrameError>, bool) {
    let mut deframer = Deframer::new(LIMIT);
    let mut found = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next() {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(error) => return (found, Some(error), false),
            }
        }
    }
    (found, None, deframer.is_between())
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (cuts, bytes) = input;
    let whole = messages(std::iter::once(Bytes::copy_from_slice(&bytes)));
    let mut rest = Bytes::from(bytes);
    let mut cuts = cuts.into_iter();
    let pieces = std::iter::from_fn(|| {
        let length = cuts.next().map_or(rest.len(), usize::from).clamp(1, rest.len().max(1));
        (!rest.is_empty()).then(|| rest.split_to(length))
    });
    assert_eq!(messages(pieces), whole);
    assert!(whole.0.iter().all(|message| message.len() <= LIMIT));
});
