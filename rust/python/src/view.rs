//! Streams and entries as Python objects.

use std::collections::HashMap;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use steerway_engine::{AbsentView, EntryView, Propagation, Protocol, ResourceView, SubscriptionView, TypeId};
use steerway_server::{AbsenceRow, Absences as Looked, StreamView};

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Subscription {
    type_url: &'static str,
    state: &'static str,
    wildcard: bool,
    names: Vec<String>,
    waiting: Vec<String>,
    absent: Vec<Py<Absent>>,
    absent_count: usize,
    version_sent: String,
    version_acked: String,
    sent_age_seconds: Option<f64>,
    acked_age_seconds: Option<f64>,
    change: Option<Py<Change>>,
    nack_version: String,
    nack_message: String,
    nack_age_seconds: Option<f64>,
    resources: Vec<Py<Resource>>,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Absent {
    name: String,
    reason: String,
    removed: bool,
}

/// A subscribed name without a resource, with its stream.
#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Absence {
    stream: u64,
    node_id: String,
    peer: String,
    audience: String,
    type_url: &'static str,
    name: String,
    reason: String,
    removed: bool,
    count: usize,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Absences {
    counts: HashMap<&'static str, u64>,
    rows: Vec<Py<Absence>>,
}

/// Seconds of each step of the last acknowledged change.
#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Change {
    event_to_received: Option<f64>,
    received_to_published: f64,
    published_to_sent: f64,
    sent_to_acked: f64,
    event_to_acked: Option<f64>,
}

impl From<Propagation> for Change {
    fn from(change: Propagation) -> Change {
        Change {
            event_to_received: seconds(change.origin.event_to_received()),
            received_to_published: change.origin.received_to_published().as_secs_f64(),
            published_to_sent: change.published_to_sent().as_secs_f64(),
            sent_to_acked: change.sent_to_acked().as_secs_f64(),
            event_to_acked: seconds(change.event_to_acked()),
        }
    }
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Resource {
    name: String,
    version: String,
    status: &'static str,
    error: String,
    sent_age_seconds: Option<f64>,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Stream {
    id: u64,
    node_id: String,
    node: Py<PyBytes>,
    peer: String,
    audience: String,
    service: &'static str,
    delta: bool,
    age_seconds: f64,
    label: String,
    state: &'static str,
    subscriptions: Vec<Py<Subscription>>,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Entry {
    type_url: &'static str,
    name: String,
    audience: String,
    version: String,
    size: usize,
    reason: String,
}

fn seconds(age: Option<Duration>) -> Option<f64> {
    age.map(|age| age.as_secs_f64())
}

impl Subscription {
    fn new(py: Python<'_>, view: SubscriptionView) -> PyResult<Subscription> {
        let resources = view.resources.into_iter().map(|view| Py::new(py, Resource::from(view)));
        let absent = view.absent.into_iter().map(|view| Py::new(py, Absent::from(view)));
        Ok(Subscription {
            resources: resources.collect::<PyResult<_>>()?,
            type_url: view.type_id.url(),
            state: view.state.name(),
            wildcard: view.wildcard,
            names: view.names.iter().map(ToString::to_string).collect(),
            waiting: view.waiting.iter().map(ToString::to_string).collect(),
            absent: absent.collect::<PyResult<_>>()?,
            absent_count: view.absent_count,
            version_sent: view.version_sent,
            version_acked: view.version_acked,
            sent_age_seconds: seconds(view.sent_age),
            acked_age_seconds: seconds(view.acked_age),
            change: view.change.map(|change| Py::new(py, Change::from(change))).transpose()?,
            nack_version: view.nack_version,
            nack_message: view.nack_message,
            nack_age_seconds: seconds(view.nack_age),
        })
    }
}

impl From<AbsentView> for Absent {
    fn from(view: AbsentView) -> Absent {
        Absent { name: view.name.to_string(), reason: view.reason.to_string(), removed: view.removed }
    }
}

impl From<AbsenceRow> for Absence {
    fn from(row: AbsenceRow) -> Absence {
        Absence {
            stream: row.stream,
            node_id: row.node_id.to_string(),
            peer: row.peer.to_string(),
            audience: row.audience.to_string(),
            type_url: row.type_id.url(),
            name: row.absent.name.to_string(),
            reason: row.absent.reason.to_string(),
            removed: row.absent.removed,
            count: row.count,
        }
    }
}

impl Absences {
    pub(crate) fn new(py: Python<'_>, looked: Looked) -> PyResult<Absences> {
        let counts = TypeId::ALL.into_iter().map(|type_id| (type_id.url(), looked.counts[type_id.index()]));
        let rows = looked.rows.into_iter().map(|row| Py::new(py, Absence::from(row)));
        Ok(Absences { counts: counts.collect(), rows: rows.collect::<PyResult<_>>()? })
    }
}

impl From<ResourceView> for Resource {
    fn from(view: ResourceView) -> Resource {
        Resource {
            name: view.name.to_string(),
            version: view.version,
            status: view.status.name(),
            error: view.error,
            sent_age_seconds: seconds(view.sent_age),
        }
    }
}

impl Stream {
    pub(crate) fn new(py: Python<'_>, view: StreamView) -> PyResult<Stream> {
        let subscriptions =
            view.subscriptions.into_iter().map(|view| Py::new(py, Subscription::new(py, view)?));
        Ok(Stream {
            id: view.id,
            node_id: view.node_id.to_string(),
            node: PyBytes::new(py, &view.node).unbind(),
            peer: view.peer.to_string(),
            audience: view.audience.to_string(),
            service: view.method.trim_start_matches('/'),
            delta: view.protocol == Protocol::Delta,
            age_seconds: view.age.as_secs_f64(),
            label: view.label.to_string(),
            state: view.state.name(),
            subscriptions: subscriptions.collect::<PyResult<_>>()?,
        })
    }
}

impl From<EntryView<'_>> for Entry {
    fn from(view: EntryView<'_>) -> Entry {
        let (version, size, reason) = match view.content {
            Ok(resource) => (resource.version_text(), resource.size(), String::new()),
            Err(reason) => (String::new(), 0, reason.text.to_string()),
        };
        let (name, audience) = (view.name.to_string(), view.audience.to_string());
        Entry { type_url: view.type_id.url(), name, audience, version, size, reason }
    }
}
