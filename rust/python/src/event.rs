//! Events as Python objects.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use steerway_engine::DemandKey;
use steerway_server::{Event, NackReport, PanicReport};

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Opened {
    stream: u64,
    peer: String,
    token: String,
    certificate: Vec<String>,
    transport: &'static str,
    node: Py<PyBytes>,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Demand {
    type_url: &'static str,
    name: String,
    audience: String,
    account: u32,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Withdrawn {
    type_url: &'static str,
    name: String,
    audience: String,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Nack {
    stream: u64,
    peer: String,
    node_id: String,
    type_url: &'static str,
    resources: Vec<String>,
    refused: usize,
    version: String,
    code: i32,
    message: String,
    change: u64,
    suppressed: u64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct HandshakeFailed {
    peer: String,
    reason: &'static str,
    message: String,
    suppressed: u64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Closed {
    stream: u64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Limited {
    limit: &'static str,
    delayed: bool,
    count: u64,
    peer: String,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Panicked {
    peer: String,
    message: String,
    location: String,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Call {
    id: u64,
    method: &'static str,
    message: Py<PyBytes>,
    peer: String,
    token: String,
    certificate: Vec<String>,
    transport: &'static str,
}

/// The Python object of an event.
pub(crate) fn to_python(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    Ok(match event {
        Event::Opened { stream, peer, token, node } => {
            let opened = Opened {
                stream,
                peer: peer.address.to_string(),
                token: token.into_secret(),
                certificate: peer.certificate.to_vec(),
                transport: peer.transport.name(),
                node: PyBytes::new(py, &node).unbind(),
            };
            Py::new(py, opened)?.into_any()
        }
        Event::Demand(DemandKey { type_id, name, audience }, account) => {
            let (name, audience) = (name.to_string(), audience.to_string());
            Py::new(py, Demand { type_url: type_id.url(), name, audience, account })?.into_any()
        }
        Event::Withdrawn(DemandKey { type_id, name, audience }) => {
            let (name, audience) = (name.to_string(), audience.to_string());
            Py::new(py, Withdrawn { type_url: type_id.url(), name, audience })?.into_any()
        }
        Event::Nack(report) => {
            let NackReport { stream, peer, node_id, type_id, nack, suppressed } = *report;
            let nack = Nack {
                stream,
                peer: peer.to_string(),
                node_id: node_id.to_string(),
                type_url: type_id.url(),
                resources: nack.resources.iter().map(ToString::to_string).collect(),
                refused: nack.refused,
                version: nack.version,
                code: nack.code,
                message: nack.message,
                change: nack.change,
                suppressed,
            };
            Py::new(py, nack)?.into_any()
        }
        Event::Call(call) => {
            let steerway_server::Call { id, method, message, caller, .. } = *call;
            let steerway_server::Caller { peer, token } = caller;
            let call = Call {
                id,
                method,
                message: PyBytes::new(py, &message).unbind(),
                peer: peer.address.to_string(),
                token: token.into_secret(),
                certificate: peer.certificate.to_vec(),
                transport: peer.transport.name(),
            };
            Py::new(py, call)?.into_any()
        }
        Event::HandshakeFailed(failed) => {
            let steerway_server::HandshakeFailed { peer, reason, message, suppressed } = failed;
            Py::new(py, HandshakeFailed { peer: peer.to_string(), reason, message, suppressed })?.into_any()
        }
        Event::Closed { stream } => Py::new(py, Closed { stream })?.into_any(),
        Event::Limited { limit, delayed, count, peer } => {
            Py::new(py, Limited { limit, delayed, count, peer: peer.to_string() })?.into_any()
        }
        Event::Panicked { peer, fault: PanicReport { message, location } } => {
            Py::new(py, Panicked { peer: peer.to_string(), message, location })?.into_any()
        }
    })
}
