//! A non-blocking socket with what could not be written yet and what could not be understood yet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

pub struct Connection {
    socket: TcpStream,
    unread: Vec<u8>,
    pub out: Vec<u8>,
}

impl Connection {
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, unread: Vec::new(), out: Vec::new() })
    }

    /// Read once and hand all bytes that were not used before to `understand`, which says how many it used and may
    /// append to the output. Returns how many bytes came; 0 when none are there after all.
    pub fn read(
        &mut self,
        space: &mut [u8],
        understand: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<usize, String>,
    ) -> Result<usize, String> {
        let count = match self.socket.read(space) {
            Ok(0) => return Err("the other side closed the connection".into()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(0);
            }
            Err(error) => return Err(error.to_string()),
        };
        if self.unread.is_empty() {
            let used = understand(&space[..count], &mut self.out)?;
            self.unread.extend_from_slice(&space[used..count]);
        } else {
            self.unread.extend_from_slice(&space[..count]);
            let used = understand(&self.unread, &mut self.out)?;
            self.unread.drain(..used);
        }
        Ok(count)
    }

    /// Write as much as the socket takes; true when all is written.
    pub fn flush(&mut self) -> Result<bool, String> {
        let mut written = 0;
        while written < self.out.len() {
            match self.socket.write(&self.out[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        self.out.drain(..written);
        Ok(self.out.is_empty())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
