//! The transport of steerway's xDS server: sockets, HTTP/2, gRPC framing, threads, keepalive, drain.
//!
//! One connection is one task on one shard; a shard is one thread with a single-threaded runtime, its streams and its
//! index without locks. What a stream says is decided by [`steerway_engine`]; this crate moves bytes and time.
//!
//! * [`Server`]: the handle that Python holds.
//! * `acceptor`: takes sockets and hands them to shards; times the withdrawal of demand.
//! * `listener`: TCP ports and Unix sockets.
//! * `handshake`, `credentials`: plaintext or TLS, and why a client is refused.
//! * `shard`: a thread, its streams, its index; told of commits once each.
//! * `connection`: drives one HTTP/2 connection and its streams in one task.
//! * `wakes`: polls only what was woken.
//! * `age`, `keepalive`, `flood`: what ends a connection: its age, a dead client, a hostile one.
//! * `limit`, `rate`: what clients may use, and how fast; `slot`, `identity`: which connections may be open.
//! * `account`: what each client uses over all its connections; `budget`: memory and CPU time of a stream, a connection,
//!   a client and all.
//! * `discovery`: one discovery stream; `exchange` moves its messages over HTTP/2, `intake` reads its requests.
//! * `event`: what Python must hear of; `nacks`: a fair share of it for what clients refuse.
//! * `publication`: what Python publishes at once.
//! * `place`: fair shares of the calls that Python answers.
//! * `fetch`: one request and its answer without HTTP/2.
//! * `fault`: a panic ends its stream and nothing else.
//! * `sync`: the locks where threads meet; `concurrency` tries the orders in which they are taken.
//! * `unary`: all other services, as tonic has them, behind an adaptor: health, reflection, what Python answers (`call`),
//!   load reports (`load_stats`).
#![forbid(unsafe_code)]

mod absence;
mod acceptor;
mod account;
mod age;
mod authority;
mod budget;
mod call;
#[cfg(all(test, feature = "shuttle"))]
mod concurrency;
mod connection;
mod credentials;
mod deadlines;
mod discovery;
mod event;
mod exchange;
mod fault;
mod fetch;
mod flood;
mod framing;
mod handshake;
mod identity;
mod intake;
mod keepalive;
mod lane;
mod latency;
mod limit;
mod link;
mod listener;
mod load_stats;
mod metrics;
mod nacks;
mod payload;
mod peer;
mod place;
mod publication;
mod rate;
mod route;
#[cfg(test)]
mod seam;
mod server;
mod services;
mod shard;
mod shared;
mod slot;
mod socket_file;
mod sync;
mod unary;
mod wakes;

pub use absence::{AbsenceRow, Absences};
pub use budget::{Budgets, Share};
pub use call::{Call, Caller};
pub use credentials::Credentials;
pub use event::Event;
pub use fault::Fault;
pub use fetch::Question;
pub use handshake::HandshakeFailed;
pub use latency::{ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, Observed, Step};
pub use metrics::{Census, Stats};
pub use nacks::NackReport;
pub use peer::{Peer, Token};
pub use publication::{Missing, Publication};
pub use server::{Options, OptionsError, Server, StartError};
pub use shard::StreamView;
pub use shared::connections_within;
