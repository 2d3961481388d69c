//! The pure core of steerway's xDS server.
//!
//! Events come in (a request, a change of the store, time as an argument), actions go out (a response, index
//! changes, counters). There is no socket, no task, no clock and no Python in here, and resources are opaque
//! bytes: what they mean is decided elsewhere. The transport owns the bytes on the wire up to the gRPC message.
//!
//! * [`Store`]: `(type, name, audience) → resource | absent`, changed by atomic [`Commit`]s.
//! * [`Stream`]: the state machine of one discovery stream, state-of-the-world or delta.
//! * [`Interest`]: which streams of one shard a changed name touches.
//! * [`Demand`]: which names somebody on any shard wants, with a grace time.
#![forbid(unsafe_code)]

mod demand;
mod interest;
mod response;
mod status;
mod store;
mod stream;
mod type_url;

pub use demand::{Demand, DemandKey};
pub use interest::{Interest, Transition};
pub use response::Response;
pub use status::{Code, Status};
pub use store::{Commit, CommitOutcome, EntryView, Key, Lookup, Put, Resource, Store};
pub use stream::{
    Effects, InterestChange, Nack, Node, Protocol, Received, RequestKind, Service, Stream, SubscriptionView,
};
pub use type_url::TypeId;

/// The name that stands for a wildcard subscription, in requests, in [`Interest`] and in [`Demand`].
pub const WILDCARD: &str = "*";
