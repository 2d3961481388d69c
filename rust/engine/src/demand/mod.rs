//! Subscriptions over all streams: the index of each shard, and the demand of all shards.

mod fair_queue;
mod interest;
mod missing;
mod slot;
mod table;
#[cfg(test)]
mod tests;

pub use fair_queue::Flow;
pub use interest::{Interest, Transition};
pub use slot::{DemandEvent, DemandKey};
pub use table::Demand;
