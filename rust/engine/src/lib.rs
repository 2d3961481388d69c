//! The protocol core of steerway's xDS server.
//!
//! Input: requests, changes of the store, and time as an argument. Output: responses, changes of the index, counters.
//! The crate has no socket, task, clock or Python, and resources are opaque bytes. The transport owns the bytes on the
//! wire up to the gRPC message.
//!
//! * [`Store`]: `(type, name, audience) → resource | absent`, changed by atomic [`Commit`]s.
//! * [`Stream`]: the state machine of one discovery stream, state-of-the-world or delta.
//! * [`Interest`]: the streams of one shard that a changed name affects.
//! * [`Demand`]: the names that any shard is subscribed to, with a grace time.
//! * [`Loads`]: sums of the load reports of clients (LRS).
//!
//! Folders, from the lowest: `wire` → `protocol` → `store` → `demand`, `subscription`, `load` → `message` → `watch` →
//! `stream`. None depends on a higher one.
#![forbid(unsafe_code)]

mod demand;
mod load;
mod message;
mod protocol;
mod store;
mod stream;
mod subscription;
mod watch;
mod wire;

pub use demand::{Demand, DemandEvent, DemandKey, Flow, Interest, Transition};
pub use load::{ClusterLoad, Loads, Locality, LocalityLoad, Reporter, first_report_node};
pub use message::{
    Effects, Identifier, InterestChange, Nack, Received, RequestKind, Response, StreamOptions,
};
pub use protocol::{Code, Node, Protocol, Service, Status, TypeId};
pub use store::{
    Commit, CommitOutcome, EntryView, Grant, Key, Lookup, Origin, Propagation, Put, Reason, Resource, Store,
};
pub use stream::{
    Absence, AbsentView, MAX_ABSENT_SHOWN, Progress, ResourceStatus, ResourceView, Stream, SubscriptionView,
    SyncState,
};
pub use watch::{DeliveryState, DeliveryUpdate};
pub use wire::{MAX_TEXT, WILDCARD, bounded, canonical_name, is_collection, wildcard_name};
