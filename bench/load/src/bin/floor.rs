//! `floor --bytes B`: the least that a fan-out costs. One thread writes B bytes to every client and reads an answer from
//! each; no framing, no state, no protocol. Each line on standard input is one round, the end of input its end.

use std::net::TcpListener;
use std::process::ExitCode;

use steerway_bench_load::connection::Connection;
use steerway_bench_load::control::{Lines, TOKEN, argument};
use steerway_bench_load::poll::Poll;
use steerway_bench_load::raw::HEAD;

const LISTENER: u64 = TOKEN - 1;

struct Floor {
    poll: Poll,
    listener: TcpListener,
    clients: Vec<Connection>,
    message: Vec<u8>,
    round: u64,
}

impl Floor {
    fn accept(&mut self) -> Result<(), String> {
        let (socket, _) = self.listener.accept().map_err(|error| error.to_string())?;
        let client = Connection::new(socket, None).map_err(|error| error.to_string())?;
        self.poll.add(&client, self.clients.len() as u64).map_err(|error| error.to_string())?;
        self.clients.push(client);
        self.send(self.clients.len() - 1)
    }

    fn send(&mut self, client: usize) -> Result<(), String> {
        self.clients[client].out.extend_from_slice(&self.message);
        if self.clients[client].flush()? {
            Ok(())
        } else {
            Err(format!(
                "client {client} takes no {} bytes at once: use a smaller --bytes",
                self.message.len()
            ))
        }
    }

    /// Answers are not used: they are read so that the client's side of the exchange is paid for.
    fn receive(&mut self, client: usize) -> Result<(), String> {
        self.clients[client].read(&mut [0; 4096], |bytes, _| Ok(bytes.len()))?;
        Ok(())
    }

    fn fan_out(&mut self) -> Result<(), String> {
        self.round += 1;
        self.message[..HEAD].copy_from_slice(&self.round.to_be_bytes());
        (0..self.clients.len()).try_for_each(|client| self.send(client))
    }

    fn run(&mut self) -> Result<(), String> {
        let mut lines = Lines::default();
        let mut ready: Vec<u64> = Vec::new();
        loop {
            self.poll.wait(&mut ready).map_err(|error| error.to_string())?;
            for event in &ready {
                match *event {
                    LISTENER => self.accept()?,
                    TOKEN => match lines.read().map_err(|error| error.to_string())? {
                        Some(lines) => lines.iter().try_for_each(|_| self.fan_out())?,
                        None => return Ok(()),
                    },
                    client => self.receive(usize::try_from(client).map_err(|error| error.to_string())?)?,
                }
            }
        }
    }
}

fn start() -> Result<(), String> {
    let message = vec![0; argument::<usize>("--bytes")?.max(HEAD)];
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let poll = Poll::new().map_err(|error| error.to_string())?;
    poll.add(&listener, LISTENER).map_err(|error| error.to_string())?;
    poll.add(std::io::stdin(), TOKEN).map_err(|error| error.to_string())?;
    println!("listening {}", listener.local_addr().map_err(|error| error.to_string())?);
    Floor { poll, listener, clients: Vec::new(), message, round: 0 }.run()
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}
