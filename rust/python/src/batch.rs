//! Rows that Python publishes, and their conversion into a commit. The only place where entries are positional.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use steerway_engine::{Commit, DemandKey, Key, Origin, Put, Reason, Resource, TypeId, canonical_name};
use steerway_server::Missing;

/// A shorter time to live would cause heartbeats all the time; a longer one than a year has no effect.
const MIN_TTL: Duration = Duration::from_millis(100);
const MAX_TTL_SECONDS: u64 = 366 * 86_400;

/// When a change was received and when it happened, on the clock of [`Clock`].
type OriginRow = (f64, Option<f64>);
/// `steerway.commit.Put`: type, name, audience, body, references, scope, time to live in seconds (0: no limit), origin.
pub(crate) type PutRow =
    (String, String, String, PyBackedBytes, Vec<(String, String)>, String, f64, Option<OriginRow>);
pub(crate) type AbsentRow = (String, String, String, String);
pub(crate) type ForgetRow = (String, String, String);
pub(crate) type CompleteRow = (String, String);
/// `steerway.commit.Missing`: type, name, audience, reason, service.
pub(crate) type MissingRow = (String, String, String, String, String);
pub(crate) type NameRow = (String, String);

/// The type of a URL, or ValueError.
pub(crate) fn type_id(url: &str) -> PyResult<TypeId> {
    TypeId::from_url(url).ok_or_else(|| {
        let supported = TypeId::ALL.map(TypeId::url).join(", ");
        PyValueError::new_err(format!("type_url {url:?} is not supported; supported types: {supported}"))
    })
}

fn key(url: &str, name: String, audience: String) -> PyResult<Key> {
    let name = canonical_name(&name).into();
    Ok(Key { type_id: type_id(url)?, name, audience: audience.into() })
}

/// `None` for 0, which is no limit.
fn time_to_live(seconds: f64, name: &str) -> PyResult<Option<Duration>> {
    let ttl = Duration::try_from_secs_f64(seconds).ok().filter(|ttl| ttl.as_secs() <= MAX_TTL_SECONDS);
    match ttl {
        Some(Duration::ZERO) => Ok(None),
        Some(ttl) if ttl >= MIN_TTL => Ok(Some(ttl)),
        _ => Err(PyValueError::new_err(format!(
            "ttl_seconds of {name:?} is {seconds}; it must be 0 (no limit) or 0.1..{MAX_TTL_SECONDS}"
        ))),
    }
}

/// The present time, on Python's monotonic clock in seconds and on the engine's.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) python: f64,
    pub(crate) engine: Duration,
}

impl Clock {
    /// A time of Python's on the engine's clock; `None`: before the engine started.
    fn at(self, moment: f64) -> Option<Duration> {
        let age = Duration::try_from_secs_f64((self.python - moment).max(0.0)).ok()?;
        self.engine.checked_sub(age)
    }

    fn origin(self, row: OriginRow) -> Option<Origin> {
        let (received, event) = row;
        let event = event.and_then(|event| self.at(event));
        Some(Origin { event, received: self.at(received)?, published: self.engine })
    }
}

/// Demanded names without a resource. Adjacent rows often have the same reason: it is kept once.
pub(crate) fn missing(rows: Vec<MissingRow>) -> PyResult<Vec<Missing>> {
    let mut last: Arc<str> = "".into();
    let rows = rows.into_iter().map(|(url, name, audience, reason, service)| {
        let Key { type_id, name, audience } = key(&url, name, audience)?;
        if *last != *reason {
            last = reason.into();
        }
        Ok(Missing { key: DemandKey { type_id, name, audience }, reason: Arc::clone(&last), service })
    });
    rows.collect()
}

/// Names of supported types; no client can wait for another one.
pub(crate) fn names(rows: Vec<NameRow>) -> Vec<(TypeId, Arc<str>)> {
    let supported =
        |(url, name): (String, String)| Some((TypeId::from_url(&url)?, canonical_name(&name).into()));
    rows.into_iter().filter_map(supported).collect()
}

/// All rows as one commit. Hashes every resource. `change`: the id of the change; a resource without an origin answers a
/// demand, and is none.
pub(crate) fn commit(
    put: Vec<PutRow>,
    absent: Vec<AbsentRow>,
    denied: Vec<AbsentRow>,
    forget: Vec<ForgetRow>,
    complete: Vec<CompleteRow>,
    clock: Clock,
    change: u64,
) -> PyResult<Commit> {
    let put = put.into_iter().map(|(url, name, audience, value, references, scope, ttl, origin)| {
        let key = key(&url, name, audience)?;
        let references =
            references.into_iter().map(|(url, name)| Ok((type_id(&url)?, canonical_name(&name).into())));
        let references = references.collect::<PyResult<_>>()?;
        let resource = Resource::new(key.type_id, &key.name, &value, references).with_scope(&scope);
        let resource = match time_to_live(ttl, &key.name)? {
            Some(ttl) => resource.with_ttl(&key.name, ttl),
            None => resource,
        };
        let resource = resource.with_change(if origin.is_some() { change } else { 0 });
        let resource = resource.with_origin(origin.and_then(|row| clock.origin(row)));
        Ok(Put { key, resource: resource.into() })
    });
    let reasons = |rows: Vec<AbsentRow>, denied: bool| {
        rows.into_iter().map(move |(url, name, audience, text)| {
            Ok((key(&url, name, audience)?, Reason { text: text.into(), denied }))
        })
    };
    let absent = reasons(absent, false).chain(reasons(denied, true));
    let forget = forget.into_iter().map(|(url, name, audience)| key(&url, name, audience));
    let complete = complete.into_iter().map(|(url, audience)| Ok((type_id(&url)?, audience.into())));
    Ok(Commit {
        put: put.collect::<PyResult<_>>()?,
        absent: absent.collect::<PyResult<_>>()?,
        forget: forget.collect::<PyResult<_>>()?,
        complete: complete.collect::<PyResult<_>>()?,
    })
}
