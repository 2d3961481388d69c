//! A client of the floor: counts bytes and answers each full message with 40 bytes.

use crate::fleet::Client;
use crate::round::Round;

/// What a client sends for each message.
pub const ANSWER: [u8; 40] = [b'a'; 40];
/// Bytes at the start of each message: the round it belongs to, big-endian.
pub const HEAD: usize = 8;

/// How many clients there are and how long a message is.
pub struct Size {
    pub clients: usize,
    pub bytes: usize,
}

pub struct Raw;

impl Client for Raw {
    type Shared = Size;

    fn new(_id: usize, _size: &Size) -> Self {
        Self
    }

    fn open(&mut self, _authority: &str, _size: &Size, _out: &mut Vec<u8>) {}

    fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        size: &mut Size,
        round: &mut Round,
    ) -> Result<usize, String> {
        let messages = bytes.chunks_exact(size.bytes);
        let used = bytes.len() - messages.remainder().len();
        for message in messages {
            let number = message[..HEAD].try_into().map_err(|_| "message without a head")?;
            if u64::from_be_bytes(number) != round.number {
                return Err("message of another round".into());
            }
            round.responses += 1;
            round.resources += 1;
            round.deliver();
            out.extend_from_slice(&ANSWER);
        }
        Ok(used)
    }

    fn expect(size: &mut Size, _address: &str, _services: &[usize]) -> usize {
        size.clients
    }
}
