//! What Python publishes.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use steerway_engine::{Commit, Key, Put, Resource, TypeId};

pub(crate) type PutRow = (String, String, String, PyBackedBytes, Vec<(String, String)>);
pub(crate) type AbsentRow = (String, String, String, String);
pub(crate) type ForgetRow = (String, String, String);
pub(crate) type CompleteRow = (String, String);

/// A type that is served, or ValueError.
pub(crate) fn type_id(url: &str) -> PyResult<TypeId> {
    TypeId::from_url(url).ok_or_else(|| {
        let served = TypeId::ALL.map(TypeId::url).join(", ");
        PyValueError::new_err(format!("type_url {url:?} is not served; these are: {served}"))
    })
}

fn key(url: &str, name: String, audience: String) -> PyResult<Key> {
    Ok(Key { type_id: type_id(url)?, name: name.into(), audience: audience.into() })
}

/// All rows as one commit. Hashes every resource.
pub(crate) fn commit(
    put: Vec<PutRow>,
    absent: Vec<AbsentRow>,
    forget: Vec<ForgetRow>,
    complete: Vec<CompleteRow>,
) -> PyResult<Commit> {
    let put = put.into_iter().map(|(url, name, audience, value, references)| {
        let key = key(&url, name, audience)?;
        let references = references.into_iter().map(|(url, name)| Ok((type_id(&url)?, name.into())));
        let references = references.collect::<PyResult<_>>()?;
        let resource = Arc::new(Resource::new(key.type_id, &key.name, &value, references));
        Ok(Put { key, resource })
    });
    let absent = absent
        .into_iter()
        .map(|(url, name, audience, reason)| Ok((key(&url, name, audience)?, reason.into())));
    let forget = forget.into_iter().map(|(url, name, audience)| key(&url, name, audience));
    let complete = complete.into_iter().map(|(url, audience)| Ok((type_id(&url)?, audience.into())));
    Ok(Commit {
        put: put.collect::<PyResult<_>>()?,
        absent: absent.collect::<PyResult<_>>()?,
        forget: forget.collect::<PyResult<_>>()?,
        complete: complete.collect::<PyResult<_>>()?,
    })
}
