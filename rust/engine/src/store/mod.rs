//! The resource store, and what one stream sees of it.

mod audience;
mod changes;
mod grant;
mod memory;
mod propagation;
mod resource;
mod table;
mod view;

pub(crate) use changes::Changes;
pub use grant::Grant;
pub(crate) use memory::shrink_if_sparse;
pub use propagation::{Origin, Propagation};
pub use resource::Resource;
pub(crate) use resource::heartbeat;
pub use table::{Commit, CommitOutcome, EntryView, Key, Lookup, Put, Reason, Store};
pub(crate) use view::View;
