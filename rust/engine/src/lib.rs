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
//! * [`Loads`]: what clients report of the requests that they made (LRS).
#![forbid(unsafe_code)]

mod load;
mod message;
mod protocol;
mod store;
mod stream;
mod subscription;
mod watch;
mod wire;

pub use load::{ClusterLoad, Loads, Locality, LocalityLoad, Reporter, first_report_node};
pub use message::{
    Effects, Identifier, InterestChange, Nack, Received, RequestKind, Response, StreamOptions,
};
pub use protocol::{Code, Node, Protocol, Service, Status, TypeId};
pub use store::{
    Commit, CommitOutcome, Demand, DemandEvent, DemandKey, EntryView, Flow, Grant, Interest, Key, Lookup,
    Origin, Propagation, Put, Reason, Resource, Store, Transition,
};
pub use stream::{
    Absence, AbsentView, MAX_ABSENT_SHOWN, ResourceStatus, ResourceView, Stream, SubscriptionView,
};
pub use wire::{MAX_TEXT, WILDCARD, bounded, canonical_name, is_collection, wildcard_name};
