//! The resource store, who sees what of it, and who wants what of it.

mod audience;
mod demand;
mod fair_queue;
mod grant;
mod interest;
mod propagation;
mod resource;
mod table;
mod view;

pub use demand::{Demand, DemandEvent, DemandKey};
pub use fair_queue::Flow;
pub use grant::Grant;
pub use interest::{Interest, Transition};
pub use propagation::{Origin, Propagation};
pub use resource::Resource;
pub(crate) use resource::heartbeat;
pub use table::{Commit, CommitOutcome, EntryView, Key, Lookup, Put, Reason, Store};
pub(crate) use view::View;
