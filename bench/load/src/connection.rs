//! A non-blocking socket, with or without TLS, with what could not be written yet and what could not be understood yet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustls::ClientConnection;

use crate::tls::Trust;

pub struct Connection {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    unread: Vec<u8>,
    pub out: Vec<u8>,
}

impl Connection {
    /// With `trust` it speaks TLS.
    pub fn new(socket: TcpStream, trust: Option<&Trust>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let tls = trust.map(Trust::connect).transpose()?.map(Box::new);
        Ok(Self { socket, tls, unread: Vec::new(), out: Vec::new() })
    }

    /// Read once and hand all bytes that were not used before to `understand`, which returns how many it used and may
    /// append to the output. Returns how many bytes came, without those of TLS; 0 when none are there after all.
    pub fn read(
        &mut self,
        space: &mut [u8],
        understand: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<usize, String>,
    ) -> Result<usize, String> {
        let count = match self.receive(space) {
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

    fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(space) };
        if tls.read_tls(&mut self.socket)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(io::Error::other)?;
        // What one read of the socket brings has room in `space`.
        tls.reader().read(space)
    }

    /// Write as much as the socket takes; true when all is written.
    pub fn flush(&mut self) -> Result<bool, String> {
        if let Some(tls) = &mut self.tls {
            return encrypt(tls, &mut self.out, &mut self.socket).map_err(|error| error.to_string());
        }
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

/// Write what is to be written, and what the handshake wants to; true when all is written.
fn encrypt(tls: &mut ClientConnection, out: &mut Vec<u8>, socket: &mut TcpStream) -> io::Result<bool> {
    let taken = tls.writer().write(out)?;
    out.drain(..taken);
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(out.is_empty())
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
