//! The engine as Python holds it.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use steerway_engine::Grant;
use steerway_server::{
    Budget, Budgets, Credentials, FetchRequest, Options, OptionsError, Peer, Publication, Server, StartError,
    Token,
};

use crate::batch::{self, AbsentRow, CompleteRow, ForgetRow, MissingRow, NameRow, PutRow};
use crate::error::os_error;
use crate::event;
use crate::load::Loads;
use crate::number::{Int, seconds, share_of_cores};
use crate::stats::{EngineUsage, Stats};
use crate::view::{Absences, Entry, Stream};

/// A shard costs a thread and its file descriptors.
const MAX_THREADS: u32 = 1024;

/// One address or several.
#[derive(FromPyObject)]
enum Listen {
    One(String),
    Several(Vec<String>),
}

impl From<Listen> for Vec<String> {
    fn from(listen: Listen) -> Vec<String> {
        match listen {
            Listen::One(address) => vec![address],
            Listen::Several(addresses) => addresses,
        }
    }
}

/// The budgets of one level; 0 is no limit.
fn share((memory, bytes): (&str, Int), (cpu, cores): (&str, f64)) -> PyResult<Budget> {
    let subscription_bytes = bytes.within(memory, 0..=u32::MAX)? as usize;
    Ok(Budget { subscription_bytes, cpu: share_of_cores(cpu, cores)? })
}

#[pyclass(frozen, module = "steerway._engine")]
pub(crate) struct Engine(Server);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(
        signature = (
            *,
            listen,
            identifier,
            threads = Int(Ok(0)),
            max_connections = Int(Ok(50_000)),
            max_connections_per_address = Int(Ok(10_000)),
            max_connections_per_identity = Int(Ok(10_000)),
            max_connections_per_second = Int(Ok(5000)),
            max_streams = Int(Ok(100_000)),
            max_concurrent_streams = Int(Ok(100)),
            max_node_bytes = Int(Ok(4096)),
            max_request_bytes = Int(Ok(4 << 20)),
            max_requests_per_second = Int(Ok(1000)),
            request_timeout_seconds = 30.0,
            max_connection_age_seconds = 1800.0,
            max_connection_age_grace_seconds = 30.0,
            max_names_per_stream = Int(Ok(50_000)),
            max_name_bytes = Int(Ok(4096)),
            max_subscription_bytes_per_stream = Int(Ok(48 << 20)),
            max_subscription_bytes_per_connection = Int(Ok(64 << 20)),
            max_subscription_bytes_per_peer = Int(Ok(64 << 20)),
            max_subscription_bytes = Int(Ok(1 << 30)),
            max_cpu_per_stream = 0.25,
            max_cpu_per_connection = 0.5,
            max_cpu_per_peer = 0.5,
            max_cpu = 2.0,
            keepalive_interval_seconds = 30.0,
            keepalive_timeout_seconds = 20.0,
            order_timeout_seconds = 5.0,
            demand_grace_seconds = 30.0,
            tls = false,
            node_metadata = vec![],
            descriptors = Default::default(),
        ),
        text_signature = "(*, listen, identifier, threads=0, max_connections=50000, \
            max_connections_per_address=10000, max_connections_per_identity=10000, \
            max_connections_per_second=5000, max_streams=100000, max_concurrent_streams=100, \
            max_node_bytes=4096, max_request_bytes=4194304, max_requests_per_second=1000, request_timeout_seconds=30.0, \
            max_connection_age_seconds=1800.0, max_connection_age_grace_seconds=30.0, \
            max_names_per_stream=50000, max_name_bytes=4096, max_subscription_bytes_per_stream=50331648, \
            max_subscription_bytes_per_connection=67108864, max_subscription_bytes_per_peer=67108864, \
            max_subscription_bytes=1073741824, max_cpu_per_stream=0.25, max_cpu_per_connection=0.5, \
            max_cpu_per_peer=0.5, max_cpu=2.0, keepalive_interval_seconds=30.0, \
            keepalive_timeout_seconds=20.0, order_timeout_seconds=5.0, \
            demand_grace_seconds=30.0, tls=False, node_metadata=(), descriptors=b'')"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        py: Python<'_>,
        listen: Listen,
        identifier: String,
        threads: Int,
        max_connections: Int,
        max_connections_per_address: Int,
        max_connections_per_identity: Int,
        max_connections_per_second: Int,
        max_streams: Int,
        max_concurrent_streams: Int,
        max_node_bytes: Int,
        max_request_bytes: Int,
        max_requests_per_second: Int,
        request_timeout_seconds: f64,
        max_connection_age_seconds: f64,
        max_connection_age_grace_seconds: f64,
        max_names_per_stream: Int,
        max_name_bytes: Int,
        max_subscription_bytes_per_stream: Int,
        max_subscription_bytes_per_connection: Int,
        max_subscription_bytes_per_peer: Int,
        max_subscription_bytes: Int,
        max_cpu_per_stream: f64,
        max_cpu_per_connection: f64,
        max_cpu_per_peer: f64,
        max_cpu: f64,
        keepalive_interval_seconds: f64,
        keepalive_timeout_seconds: f64,
        order_timeout_seconds: f64,
        demand_grace_seconds: f64,
        tls: bool,
        node_metadata: Vec<String>,
        descriptors: &[u8],
    ) -> PyResult<Engine> {
        // Pings without a pause would be all that a connection does; and who is given no time can do nothing.
        let span = |name, value| seconds(name, value, Duration::from_millis(1));
        let count = |name, value: Int| value.within(name, 1..=u32::MAX);
        let optional = |name, value: Int| value.within(name, 0..=u32::MAX).map(|value| value as usize);
        let options = Options {
            listen: listen.into(),
            identifier,
            threads: threads.within("threads", 0..=MAX_THREADS)? as usize,
            max_connections: count("max_connections", max_connections)? as usize,
            max_connections_per_address: optional(
                "max_connections_per_address",
                max_connections_per_address,
            )?,
            max_connections_per_identity: optional(
                "max_connections_per_identity",
                max_connections_per_identity,
            )?,
            max_connections_per_second: count("max_connections_per_second", max_connections_per_second)?,
            max_streams: count("max_streams", max_streams)? as usize,
            max_concurrent_streams: count("max_concurrent_streams", max_concurrent_streams)?,
            max_node_bytes: count("max_node_bytes", max_node_bytes)? as usize,
            node_metadata,
            max_request_bytes: count("max_request_bytes", max_request_bytes)? as usize,
            max_requests_per_second: count("max_requests_per_second", max_requests_per_second)?,
            request_timeout: span("request_timeout_seconds", request_timeout_seconds)?,
            max_connection_age: seconds(
                "max_connection_age_seconds",
                max_connection_age_seconds,
                Duration::ZERO,
            )?,
            max_connection_age_grace: seconds(
                "max_connection_age_grace_seconds",
                max_connection_age_grace_seconds,
                Duration::ZERO,
            )?,
            keepalive_interval: span("keepalive_interval_seconds", keepalive_interval_seconds)?,
            keepalive_timeout: span("keepalive_timeout_seconds", keepalive_timeout_seconds)?,
            order_timeout: seconds("order_timeout_seconds", order_timeout_seconds, Duration::ZERO)?,
            max_names_per_stream: count("max_names_per_stream", max_names_per_stream)? as usize,
            max_name_bytes: count("max_name_bytes", max_name_bytes)? as usize,
            budgets: Budgets {
                stream: share(
                    ("max_subscription_bytes_per_stream", max_subscription_bytes_per_stream),
                    ("max_cpu_per_stream", max_cpu_per_stream),
                )?,
                connection: share(
                    ("max_subscription_bytes_per_connection", max_subscription_bytes_per_connection),
                    ("max_cpu_per_connection", max_cpu_per_connection),
                )?,
                peer: share(
                    ("max_subscription_bytes_per_peer", max_subscription_bytes_per_peer),
                    ("max_cpu_per_peer", max_cpu_per_peer),
                )?,
                server: share(("max_subscription_bytes", max_subscription_bytes), ("max_cpu", max_cpu))?,
            },
            demand_grace: seconds("demand_grace_seconds", demand_grace_seconds, Duration::ZERO)?,
            tls,
            descriptors: descriptors.to_vec(),
        };
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
                // As `open` does with the file that it cannot open. The attribute exists on every OSError.
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

    fn classify(&self, py: Python<'_>, audiences: Vec<(u64, String, Option<Vec<String>>)>) {
        py.detach(|| {
            let rows = audiences.into_iter().map(|(stream, audience, grant)| {
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
        // The codes of gRPC's "Status codes and their use in gRPC"; 0 would be a success.
        let rows = rejections
            .into_iter()
            .map(|(stream, code, message)| Ok((stream, code.within("code", 1..=16)?, message)));
        let rows = rows.collect::<PyResult<Vec<_>>>()?;
        py.detach(|| self.0.reject(rows));
        Ok(())
    }

    #[pyo3(
        signature = (
            put = vec![], absent = vec![], forget = vec![], complete = vec![], now = 0.0, *,
            denied = vec![], missing = vec![]
        ),
        text_signature = "($self, put=(), absent=(), forget=(), complete=(), now=0.0, *, denied=(), missing=())"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn publish(
        &self,
        py: Python<'_>,
        put: Vec<PutRow>,
        absent: Vec<AbsentRow>,
        forget: Vec<ForgetRow>,
        complete: Vec<CompleteRow>,
        now: f64,
        denied: Vec<AbsentRow>,
        missing: Vec<MissingRow>,
    ) -> PyResult<usize> {
        let clock = batch::Clock { python: now, engine: self.0.now() };
        py.detach(|| {
            let commit = batch::commit(put, absent, denied, forget, complete, clock)?;
            Ok(self.0.publish(Publication { commit, missing: batch::missing(missing)? }))
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
            peer: Peer { address: peer.into(), certificate: Arc::default(), local: false },
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

    #[pyo3(signature = (*, resources = false))]
    fn streams(&self, py: Python<'_>, resources: bool) -> PyResult<Vec<Stream>> {
        let views = py.detach(|| self.0.streams(resources));
        views.into_iter().map(|view| Stream::new(py, view)).collect()
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
