//! One discovery stream over all types.

mod absence;
mod respond;
mod snapshot;
mod state;

pub use absence::Absence;
pub(crate) use respond::ResponseContext;
pub use snapshot::{AbsentView, MAX_ABSENT_SHOWN, ResourceStatus, ResourceView, SubscriptionView};
pub use state::Stream;
