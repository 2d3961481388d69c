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

use std::sync::{Arc, LazyLock};

mod absence;
mod answer;
mod audience;
mod bounded;
mod demand;
mod effects;
mod exchange;
mod grant;
mod heartbeat;
mod interest;
mod load_report;
mod names;
mod node;
mod options;
mod order;
mod request;
mod resource;
mod response;
mod retiring;
mod served_load;
mod settle;
mod snapshot;
mod status;
mod store;
mod stream;
mod subscription;
mod timing;
mod turns;
mod type_url;
mod watch;
mod wire;
mod xdstp;

pub use absence::Absence;
pub use bounded::{MAX_TEXT, bounded};
pub use demand::{Demand, DemandKey, Told};
pub use effects::{Effects, InterestChange, Nack, Received, RequestKind};
pub use grant::Grant;
pub use interest::{Interest, Transition};
pub use load_report::{ClusterLoad, Loads, Locality, LocalityLoad, Reporter, first_report_node};
pub use node::Node;
pub use options::StreamOptions;
pub use resource::Resource;
pub use response::{Identifier, Response};
pub use snapshot::{AbsentView, MAX_ABSENT_SHOWN, ResourceStatus, ResourceView, SubscriptionView};
pub use status::{Code, Status};
pub use store::{Commit, CommitOutcome, EntryView, Key, Lookup, Put, Reason, Store};
pub use stream::{Protocol, Service, Stream};
pub use timing::{Origin, Propagation};
pub use turns::Flow;
pub use type_url::TypeId;
pub use xdstp::{canonical_name, is_collection};

/// The name that stands for a wildcard subscription, in requests, in [`Interest`] and in [`Demand`].
pub const WILDCARD: &str = "*";

/// [`WILDCARD`] as a shared string, made once.
pub fn wildcard_name() -> &'static Arc<str> {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| WILDCARD.into());
    &NAME
}
