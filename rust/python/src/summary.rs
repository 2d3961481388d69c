//! Sums over streams as Python objects.

use std::collections::HashMap;
use std::time::Duration;

use pyo3::prelude::*;
use steerway_engine::SyncState;
use steerway_server::{
    ChangePropagation, Edge as EdgeSum, Group as GroupSum, LabelEdges as LabelSum, StateCounts,
};

type States = HashMap<&'static str, u64>;

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Group {
    label: String,
    streams: u64,
    states: States,
    oldest_unacked_seconds: Option<f64>,
    oldest_age_seconds: f64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Edge {
    label: String,
    type_url: &'static str,
    name: String,
    streams: u64,
    states: States,
    since_seconds: f64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct LabelEdges {
    label: String,
    version: u64,
    edges: Vec<Py<Edge>>,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Propagation {
    change: u64,
    sent: u64,
    acked: u64,
    nacked: u64,
    pending: u64,
    ended: u64,
    first_sent_seconds: Option<f64>,
    last_acked_seconds: Option<f64>,
}

impl From<ChangePropagation> for Propagation {
    fn from(row: ChangePropagation) -> Propagation {
        let ChangePropagation { change, sent, acked, nacked, pending, ended, .. } = row;
        Propagation {
            change,
            sent,
            acked,
            nacked,
            pending,
            ended,
            first_sent_seconds: row.first_sent.map(|time| time.as_secs_f64()),
            last_acked_seconds: row.last_acked.map(|time| time.as_secs_f64()),
        }
    }
}

/// The states that any stream has.
fn states(counts: StateCounts) -> States {
    let counts = SyncState::ALL.into_iter().zip(counts);
    counts.filter(|(_, count)| *count > 0).map(|(state, count)| (state.name(), count)).collect()
}

impl From<GroupSum> for Group {
    fn from(group: GroupSum) -> Group {
        Group {
            label: group.label.to_string(),
            streams: group.streams,
            states: states(group.states),
            oldest_unacked_seconds: group.oldest_unacked.map(|age| age.as_secs_f64()),
            oldest_age_seconds: group.oldest.as_secs_f64(),
        }
    }
}

impl Edge {
    /// `now`: on the clock of the server.
    pub(crate) fn new(edge: EdgeSum, now: Duration) -> Edge {
        Edge {
            label: edge.label.to_string(),
            type_url: edge.type_id.url(),
            name: edge.name.to_string(),
            streams: edge.streams,
            states: states(edge.states),
            since_seconds: now.saturating_sub(edge.opened).as_secs_f64(),
        }
    }
}

impl LabelEdges {
    pub(crate) fn new(py: Python<'_>, sum: LabelSum, now: Duration) -> PyResult<LabelEdges> {
        let edges = sum.edges.into_iter().map(|edge| Py::new(py, Edge::new(edge, now)));
        Ok(LabelEdges {
            label: sum.label.to_string(),
            version: sum.version,
            edges: edges.collect::<PyResult<_>>()?,
        })
    }
}
