//! Load reports of clients (LRS).

mod locality;
mod report;
mod served;

pub use locality::Locality;
pub use report::{ClusterLoad, Loads, LocalityLoad, Reporter, first_report_node};
