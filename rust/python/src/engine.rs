//! The server as a Python object.

use std::collections::HashMap;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use steerway_engine::{Grant, canonical_name};
use steerway_server::{
    Credentials, EdgeFilter, FetchRequest, OptionsError, Peer, Publication, Server, StartError, StreamFilter,
    Token,
};

use crate::batch::{self, AbsentRow, CompleteRow, ForgetRow, MissingRow, NameRow, PutRow};
use crate::chunk;
use crate::error::os_error;
use crate::event;
use crate::load::Loads;
use crate::number::{Int, seconds};
use crate::options::EngineOptions;
use crate::stats::{EngineUsage, Stats};
use crate::summary::{Edge, Group, LabelEdges, Propagation};
use crate::view::{Absences, Entry, Stream};

#[pyclass(frozen, module = "steerway._engine")]
pub(crate) struct Engine(Server);

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, options: EngineOptions) -> PyResult<Engine> {
        let options = options.into_options()?;
        let server = py.detach(|| Server::new(options)).map_err(|error| match error {
            OptionsError::Invalid(reason) => PyValueError::new_err(reason),
            OptionsError::Io(error) => os_error(py, error),
        })?;
        Ok(Engine(server))
    }

    #[pyo3(signature = (certificate_pem, key_pem, client_ca_pem = None, require_client_certificate = false))]
    fn set_tls(
        &self,
        py: Python<'_>,
        certificate_pem: Vec<u8>,
        key_pem: Vec<u8>,
        client_ca_pem: Option<Vec<u8>>,
        require_client_certificate: bool,
    ) -> PyResult<f64> {
        let credentials = Credentials {
            certificate: certificate_pem,
            key: key_pem,
            client_ca: client_ca_pem,
            require_client_certificate,
        };
        let expiry = py.detach(|| self.0.set_tls(&credentials)).map_err(PyValueError::new_err)?;
        Ok(expiry.as_secs_f64())
    }

    fn start(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py.detach(|| self.0.start()).map_err(|StartError { address, error }| {
            let error = os_error(py, error);
            if !address.is_empty() {
                // Like `open` for a file that it cannot open. Every OSError has the attribute.
                let _ = error.value(py).setattr("filename", address);
            }
            error
        })
    }

    #[getter]
    fn event_fd(&self) -> i32 {
        self.0.event_fd()
    }

    #[pyo3(signature = (most = 1000))]
    fn poll(&self, py: Python<'_>, most: usize) -> PyResult<Vec<Py<PyAny>>> {
        let events = py.detach(|| self.0.poll(most));
        events.into_iter().map(|event| event::to_python(py, event)).collect()
    }

    fn charge(&self, py: Python<'_>, account: u32, time_seconds: f64) -> PyResult<()> {
        let time = seconds("time_seconds", time_seconds, Duration::ZERO)?;
        py.detach(|| self.0.charge(account, time));
        Ok(())
    }

    fn classify(&self, py: Python<'_>, classifications: Vec<(u64, String, Option<Vec<String>>)>) {
        py.detach(|| {
            let rows = classifications.into_iter().map(|(stream, audience, grant)| {
                let grant = grant.map(|patterns| Grant::of(patterns.iter().map(String::as_str)));
                (stream, audience.into(), grant.unwrap_or(Grant::EVERYTHING))
            });
            self.0.classify(rows.collect());
        });
    }

    fn identify(&self, py: Python<'_>, identities: Vec<(u64, String)>) {
        let rows = identities.into_iter().map(|(stream, identity)| (stream, identity.into()));
        py.detach(|| self.0.identify(rows.collect()));
    }

    fn reject(&self, py: Python<'_>, rejections: Vec<(u64, Int, String)>) -> PyResult<()> {
        // Status codes of gRPC; 0 would be a success.
        let rows = rejections
            .into_iter()
            .map(|(stream, code, message)| Ok((stream, code.within("code", 1..=16)?, message)));
        let rows = rows.collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.0.reject(rows));
        Ok(())
    }

    #[pyo3(
        signature = (
            *, put = vec![], absent = vec![], denied = vec![], forget = vec![], complete = vec![],
            missing = vec![], now = 0.0, change = 0
        ),
        text_signature = "($self, *, put=(), absent=(), denied=(), forget=(), complete=(), missing=(), now=0.0, change=0)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn publish(
        &self,
        py: Python<'_>,
        put: Vec<PutRow>,
        absent: Vec<AbsentRow>,
        denied: Vec<AbsentRow>,
        forget: Vec<ForgetRow>,
        complete: Vec<CompleteRow>,
        missing: Vec<MissingRow>,
        now: f64,
        change: u64,
    ) -> PyResult<usize> {
        let clock = batch::Clock { python: now, engine: self.0.now() };
        py.detach(|| {
            let commit = batch::commit(put, absent, denied, forget, complete, clock, change)?;
            Ok(self.0.publish(Publication { commit, missing: batch::missing(missing)?, change }))
        })
    }

    #[pyo3(signature = (services, names = vec![]), text_signature = "($self, services, names=())")]
    fn changed(&self, py: Python<'_>, services: Vec<String>, names: Vec<NameRow>) {
        py.detach(|| self.0.invalidate_missing(&services, &batch::names(names)));
    }

    fn reply(&self, py: Python<'_>, call: u64, message: Vec<u8>) {
        py.detach(|| self.0.reply(call, message.into()));
    }

    fn refuse(&self, py: Python<'_>, call: u64, code: Int, message: String) -> PyResult<()> {
        let code = code.within("code", 1..=16)?;
        py.detach(|| self.0.refuse(call, code, message));
        Ok(())
    }

    fn fetch(
        &self,
        py: Python<'_>,
        type_url: &str,
        request: Vec<u8>,
        peer: &str,
        token: String,
        timeout_seconds: f64,
    ) -> PyResult<(u32, String, Py<PyBytes>)> {
        let request = FetchRequest {
            type_id: batch::type_id(type_url)?,
            message: request.into(),
            peer: Peer::rest(peer),
            token: Token::new(token),
            timeout: seconds("timeout_seconds", timeout_seconds, Duration::ZERO)?,
        };
        let (code, message, body) = match py.detach(|| self.0.fetch(request)) {
            Ok(body) => (0, String::new(), body),
            Err((code, message)) => (code, message, Default::default()),
        };
        Ok((code, message, PyBytes::new(py, &body).unbind()))
    }

    fn set_serving(&self, py: Python<'_>, serving: bool) {
        py.detach(|| self.0.set_serving(serving));
    }

    fn label(&self, py: Python<'_>, labels: Vec<(u64, String)>) {
        py.detach(|| {
            self.0.label(labels.into_iter().map(|(stream, label)| (stream, label.into())).collect())
        });
    }

    #[pyo3(
        signature = (*, resources = false, ids = None, node = None, label = None, after = 0, limit = 0)
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn streams(
        &self,
        py: Python<'_>,
        resources: bool,
        ids: Option<Vec<u64>>,
        node: Option<String>,
        label: Option<String>,
        after: u64,
        limit: usize,
    ) -> PyResult<Vec<Py<Stream>>> {
        let filter = StreamFilter {
            ids: ids.map(Into::into),
            node: node.map(Into::into),
            label: label.map(Into::into),
            after,
            limit,
        };
        let views = py.detach(|| self.0.streams(&filter, resources));
        chunk::objects(py, views, |view| Stream::new(py, view))
    }

    fn states<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let (ids, states) = py.detach(|| {
            let all = self.0.states();
            let ids: Vec<u8> = all.iter().flat_map(|(id, _)| id.to_le_bytes()).collect();
            (ids, all.iter().map(|(_, state)| *state as u8).collect::<Vec<u8>>())
        });
        (PyBytes::new(py, &ids), PyBytes::new(py, &states))
    }

    fn propagations(&self, py: Python<'_>, changes: Vec<u64>) -> PyResult<Vec<Py<Propagation>>> {
        let rows = py.detach(|| self.0.propagations(&changes));
        chunk::objects(py, rows, |row| Ok(row.into()))
    }

    fn groups(&self, py: Python<'_>) -> PyResult<Vec<Py<Group>>> {
        let groups = py.detach(|| self.0.groups());
        chunk::objects(py, groups, |group| Ok(group.into()))
    }

    #[pyo3(signature = (label = None, names = None))]
    fn edges(
        &self,
        py: Python<'_>,
        label: Option<String>,
        names: Option<Vec<String>>,
    ) -> PyResult<Vec<Py<Edge>>> {
        let edges = py.detach(|| {
            let names = names.map(|names| names.iter().map(|name| canonical_name(name).into()).collect());
            self.0.edges(EdgeFilter { label: label.map(Into::into), names })
        });
        let now = self.0.now();
        chunk::objects(py, edges, |edge| Ok(Edge::new(edge, now)))
    }

    fn changed_edges(
        &self,
        py: Python<'_>,
        known: HashMap<String, u64>,
    ) -> PyResult<(Vec<Py<LabelEdges>>, Vec<String>)> {
        let edges = py.detach(|| self.0.changed_edges(known));
        let now = self.0.now();
        let changed = chunk::objects(py, edges.changed, |edges| LabelEdges::new(py, edges, now))?;
        Ok((changed, edges.gone))
    }

    #[pyo3(signature = (*, after = 0, streams = 0))]
    fn absences(&self, py: Python<'_>, after: u64, streams: usize) -> PyResult<Absences> {
        let looked = py.detach(|| self.0.absences(after, streams));
        Absences::new(py, looked)
    }

    fn loads(&self, py: Python<'_>) -> Loads {
        py.detach(|| self.0.loads(|reported| reported.into()))
    }

    fn entries(&self, py: Python<'_>) -> Vec<Entry> {
        py.detach(|| self.0.read(|store| store.entries().map(Entry::from).collect()))
    }

    fn body<'py>(
        &self,
        py: Python<'py>,
        type_url: &str,
        name: &str,
        audience: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let type_id = batch::type_id(type_url)?;
        let body = py.detach(|| self.0.body(type_id, name, audience));
        Ok(body.map(|body| PyBytes::new(py, &body)))
    }

    fn stats(&self, py: Python<'_>) -> Stats {
        py.detach(|| self.0.stats()).into()
    }

    fn kept(&self) -> (usize, usize) {
        self.0.kept()
    }

    fn usage(&self, py: Python<'_>) -> EngineUsage {
        py.detach(|| self.0.usage()).into()
    }

    fn drain(&self, py: Python<'_>, grace_seconds: f64) -> PyResult<()> {
        let grace = seconds("grace_seconds", grace_seconds, Duration::ZERO)?;
        py.detach(|| self.0.drain(grace));
        Ok(())
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}
