//! One discovery stream over all types.

mod absence;
mod by_name;
mod context;
mod delivery;
mod full_state;
mod progress;
mod respond;
mod snapshot;
mod state;

pub use absence::Absence;
pub use progress::{Progress, SyncState};
pub use snapshot::{AbsentView, MAX_ABSENT_SHOWN, ResourceStatus, ResourceView, SubscriptionView};
pub use state::Stream;
