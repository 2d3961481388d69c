//! Lines from the driver on standard input, read without blocking the event loop.

use std::io;

/// Token of standard input in the epoll set; connections are numbered from 0.
pub const TOKEN: u64 = u64::MAX;

#[derive(Default)]
pub struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Read once (call when standard input is readable); the whole lines that are there now, or None at its end.
    pub fn read(&mut self) -> io::Result<Option<Vec<String>>> {
        let mut space = [0; 65_536];
        // Not through std's buffered stdin: bytes in its buffer would be invisible to epoll.
        let count = rustix::io::read(std::io::stdin(), &mut space)?;
        if count == 0 {
            return Ok(None);
        }
        self.unfinished.extend_from_slice(&space[..count]);
        let Some(end) = self.unfinished.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(Some(Vec::new()));
        };
        let whole: Vec<u8> = self.unfinished.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()))
    }
}

/// The value after `--name` in the arguments of the process, parsed.
pub fn argument<T: std::str::FromStr>(name: &str) -> Result<T, String> {
    let text = optional(name).ok_or_else(|| format!("{name} is needed"))?;
    text.parse().map_err(|_| format!("{name}: {text:?} is not understood"))
}

/// The value after `--name` in the arguments of the process, if it is there.
pub fn optional(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}
