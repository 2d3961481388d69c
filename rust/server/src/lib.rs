//! The transport of steerway's xDS server: sockets, HTTP/2, gRPC framing, threads, keepalive, drain.
//!
//! One connection is one task on one shard; a shard is one thread with a single-threaded runtime, its streams and its
//! index without locks. The protocol is decided in [`steerway_engine`]; this crate moves bytes and keeps time.
//!
//! The folders, lowest first; imports go down:
//!
//! * `net`: sockets, peers, TLS.
//! * `limits`: rates, quotas, slots and budgets of clients.
//! * `observe`: events for Python, counters, caught panics.
//! * `runtime`: what all threads share (`sync` has the locks), and the state of one thread.
//! * `xds`: discovery streams. `stream_driver` moves messages over HTTP/2, `request_reader` reads the requests.
//! * `grpc`: all other services, with tonic behind an adaptor; REST fetch.
//! * `http2`: drives one connection and its streams in one task.
//! * `server`: [`Server`], the handle that Python holds; the acceptor.
//!
//! Tests: `concurrency` runs the threads in many orders, `failpoint` makes a stream panic.
#![forbid(unsafe_code)]

#[cfg(test)]
#[cfg(feature = "shuttle")]
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

pub use grpc::fetch::FetchRequest;
pub use limits::budget::{Budget, Budgets};
pub use limits::open_files::connections_within;
pub use net::credentials::Credentials;
pub use net::peer::{Peer, Token, Transport};
pub use observe::call::{Call, Caller};
pub use observe::event::Event;
pub use observe::handshake::HandshakeFailed;
pub use observe::latency::{ACK_LATENCY_BOUNDS, CHANGE_LATENCY_BOUNDS, ChangeStep, Observed};
pub use observe::nack::NackReport;
pub use observe::panic::PanicReport;
pub use observe::propagation::ChangePropagation;
pub use observe::stats::Stats;
pub use observe::usage::EngineUsage;
pub use runtime::options::Options;
pub use runtime::publication::{Missing, Publication};
pub use server::error::{OptionsError, StartError};
pub use server::handle::Server;
pub use xds::absence::{AbsenceRow, Absences};
pub use xds::edge::{ChangedEdges, Edge, EdgeFilter, LabelEdges};
pub use xds::group::{Group, StateCounts};
pub use xds::scan::StreamFilter;
pub use xds::stream_view::StreamView;
