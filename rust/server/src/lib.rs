//! The transport of steerway's xDS server: sockets, HTTP/2, gRPC framing, threads, keepalive, drain.
//!
//! One connection is one task on one shard; a shard is one thread with a single-threaded runtime, its streams and its
//! index without locks. What a stream says is decided by [`steerway_engine`]; this crate moves bytes and time.
//!
//! The folders, lowest first; imports go down:
//!
//! * `net`: sockets, peers, TLS.
//! * `limits`: what clients may use, and what each uses over all its connections.
//! * `observe`: events for Python, counters, contained panics.
//! * `runtime`: what all threads share (`sync` has the locks), and the state of one thread.
//! * `xds`: discovery streams. `stream_driver` moves messages over HTTP/2, `request_reader` reads the requests.
//! * `grpc`: all other services, with tonic behind an adaptor; REST fetch.
//! * `http2`: drives one connection and its streams in one task.
//! * `server`: [`Server`], the handle that Python holds; the acceptor.
//!
//! Tests: `concurrency` runs the threads in many orders, `failpoint` makes a stream panic.
#![forbid(unsafe_code)]

#[cfg(all(test, feature = "shuttle"))]
mod concurrency;
#[cfg(test)]
mod failpoint;
mod grpc;
mod http2;
mod limits;
mod net;
mod observe;
mod runtime;
mod server;
mod sync;
mod xds;

pub use grpc::csds::{Call, Caller};
pub use grpc::fetch::FetchRequest;
pub use limits::budget::{Budget, Budgets};
pub use net::credentials::Credentials;
pub use net::peer::{Peer, Token};
pub use net::tls::HandshakeFailed;
pub use observe::event::Event;
pub use observe::latency::{ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, ChangeStep, Observed};
pub use observe::metrics::{EngineUsage, Stats};
pub use observe::nack::NackReport;
pub use observe::panic::PanicReport;
pub use runtime::publication::{Missing, Publication};
pub use runtime::shard::StreamView;
pub use runtime::shared::connections_within;
pub use server::handle::{Options, OptionsError, Server, StartError};
pub use xds::absence::{AbsenceRow, Absences};
