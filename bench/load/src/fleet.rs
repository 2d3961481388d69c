//! N connections on one thread: opens them, drives their protocol and reports when all have a change.
//!
//! Lines on standard input:
//! * `expect ROUND ADDRESS SERVICE...` names what the server is about to publish; the fleet answers `armed ROUND`, and
//!   `done ...` (see `Round::report`) when every subscriber has it.
//! * `reconnect HOST:PORT`: all clients leave and come to this server at once, with the versions that they have.
//! * `watch`: stamped changes follow; answered by `armed`. `ages`: report what came of them (see `Round::ages`).
//!
//! End of input ends the fleet.

use std::net::TcpStream;
use std::str::FromStr;

use crate::connection::Connection;
use crate::control::{Lines, TOKEN};
use crate::poll::Poll;
use crate::round::Round;
use crate::tls::Trust;

/// Which three services a client holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Service 0 for everybody, and two of the others.
    Hot,
    /// Three consecutive services: clients in the same block hold the same three, and no other.
    Spread,
}

impl Layout {
    #[must_use]
    pub fn services(self, client: usize, services: usize) -> [usize; 3] {
        match self {
            Self::Hot => {
                let other = 1 + 2 * (client % ((services - 1) / 2));
                [0, other, other + 1]
            }
            Self::Spread => {
                let first = 3 * (client % (services / 3));
                [first, first + 1, first + 2]
            }
        }
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hot" => Ok(Self::Hot),
            "spread" => Ok(Self::Spread),
            other => Err(format!("no layout {other:?}")),
        }
    }
}

/// The protocol of one connection, without I/O.
pub trait Client: Sized {
    /// What all clients of a fleet have in common.
    type Shared;

    /// A client that was never connected.
    fn new(id: usize, shared: &Self::Shared) -> Self;

    /// Begin on a new connection.
    fn open(&mut self, authority: &str, shared: &Self::Shared, out: &mut Vec<u8>);

    /// Returns how many of the bytes were used.
    fn receive(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        shared: &mut Self::Shared,
        round: &mut Round,
    ) -> Result<usize, String>;

    /// A change of these services is coming; returns how many updates that makes in the whole fleet.
    fn expect(shared: &mut Self::Shared, address: &str, services: &[usize]) -> usize;
}

struct Member<C> {
    connection: Connection,
    client: C,
    blocked: bool,
}

pub struct Fleet<C: Client> {
    poll: Poll,
    members: Vec<Member<C>>,
    shared: C::Shared,
    trust: Option<Trust>,
    round: Round,
    space: Vec<u8>,
}

impl<C: Client> Fleet<C> {
    /// With `trust` the clients speak TLS.
    pub fn new(shared: C::Shared, trust: Option<Trust>) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| error.to_string())?;
        Ok(Self { poll, members: Vec::new(), shared, trust, round: Round::default(), space: vec![0; 65_536] })
    }

    /// Open all connections, `first_updates` expected on each, then follow the driver until its end. At most `opening`
    /// clients wait for their first answer at a time.
    pub fn run(
        &mut self,
        server: &str,
        clients: usize,
        opening: usize,
        first_updates: usize,
    ) -> Result<(), String> {
        self.round = Round::new(0, clients * first_updates);
        let mut ready = Vec::new();
        while !self.round.complete() {
            let answered = self.round.delivered() / first_updates;
            while self.members.len() < clients.min(answered + opening) {
                self.open(server)?;
            }
            self.wait(&mut ready)?;
            self.serve(&ready)?;
        }
        println!("ready {}", self.round.report());
        self.follow(&mut ready)
    }

    fn follow(&mut self, ready: &mut Vec<u64>) -> Result<(), String> {
        let mut lines = Lines::default();
        self.poll.add(std::io::stdin(), TOKEN).map_err(|error| error.to_string())?;
        let mut reported = self.round.number;
        loop {
            self.wait(ready)?;
            if ready.contains(&TOKEN) {
                match lines.read().map_err(|error| error.to_string())? {
                    Some(lines) => lines.iter().try_for_each(|line| self.obey(line))?,
                    None => return Ok(()),
                }
            }
            self.serve(ready)?;
            if self.round.complete() && self.round.number != reported {
                reported = self.round.number;
                println!("done {}", self.round.report());
            }
        }
    }

    fn wait(&self, ready: &mut Vec<u64>) -> Result<(), String> {
        self.poll.wait(ready).map_err(|error| error.to_string())
    }

    fn open(&mut self, server: &str) -> Result<(), String> {
        let id = self.members.len();
        let client = C::new(id, &self.shared);
        let member = self.connect(id, client, server)?;
        self.members.push(member);
        self.flush(id)
    }

    fn connect(&self, id: usize, mut client: C, server: &str) -> Result<Member<C>, String> {
        let describe = |error: std::io::Error| format!("connection {id} to {server}: {error}");
        let socket = TcpStream::connect(server).map_err(describe)?;
        let mut connection = Connection::new(socket, self.trust.as_ref()).map_err(describe)?;
        client.open(server, &self.shared, &mut connection.out);
        self.poll.add(&connection, id as u64).map_err(describe)?;
        Ok(Member { connection, client, blocked: false })
    }

    /// The old connections close first, as they do when a server ends.
    fn reconnect(&mut self, server: &str) -> Result<(), String> {
        let clients: Vec<C> = self.members.drain(..).map(|member| member.client).collect();
        for (id, client) in clients.into_iter().enumerate() {
            let member = self.connect(id, client, server)?;
            self.members.push(member);
            self.flush(id)?;
        }
        Ok(())
    }

    fn flush(&mut self, id: usize) -> Result<(), String> {
        let member = &mut self.members[id];
        let blocked = !member.connection.flush()?;
        if blocked != member.blocked {
            member.blocked = blocked;
            let changed = self.poll.want_write(&member.connection, id as u64, blocked);
            changed.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn serve(&mut self, ready: &[u64]) -> Result<(), String> {
        for &token in ready.iter().filter(|&&token| token != TOKEN) {
            let id = usize::try_from(token).map_err(|error| error.to_string())?;
            self.receive(id)
                .and_then(|()| self.flush(id))
                .map_err(|error| format!("client {id}: {error}"))?;
        }
        Ok(())
    }

    fn receive(&mut self, id: usize) -> Result<(), String> {
        let Member { connection, client, .. } = &mut self.members[id];
        let (shared, round) = (&mut self.shared, &mut self.round);
        let understand = |bytes: &[u8], out: &mut Vec<u8>| client.receive(bytes, out, shared, round);
        let count = connection.read(&mut self.space, understand)?;
        self.round.bytes += count;
        Ok(())
    }

    fn obey(&mut self, line: &str) -> Result<(), String> {
        let misunderstood = || format!("not understood: {line:?}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (number, address, services) = match words.as_slice() {
            ["expect", number, address, services @ ..] => (number, address, services),
            ["reconnect", server] => return self.reconnect(server),
            ["watch"] => {
                self.round = Round::new(u64::MAX, usize::MAX);
                println!("armed");
                return Ok(());
            }
            ["ages"] => {
                println!("aged {}", self.round.ages());
                return Ok(());
            }
            _ => return Err(misunderstood()),
        };
        let number = number.parse().map_err(|_| misunderstood())?;
        let services: Result<Vec<usize>, _> = services.iter().map(|service| service.parse()).collect();
        let expected = C::expect(&mut self.shared, address, &services.map_err(|_| misunderstood())?);
        self.round = Round::new(number, expected);
        println!("armed {number}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hot_client_holds_the_hot_service() {
        let services: Vec<_> = (0..4).map(|client| Layout::Hot.services(client, 7)).collect();
        assert_eq!(services, [[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 1, 2]]);
    }

    #[test]
    fn spread_clients_share_all_services_or_none() {
        let services: Vec<_> = (0..3).map(|client| Layout::Spread.services(client, 6)).collect();
        assert_eq!(services, [[0, 1, 2], [3, 4, 5], [0, 1, 2]]);
    }
}
