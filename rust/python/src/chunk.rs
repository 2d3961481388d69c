//! Long lists as Python objects, without keeping other Python threads waiting.

use pyo3::prelude::*;
use pyo3::{PyClass, PyClassInitializer};

/// Objects that are made before other threads may run: less than a millisecond of work.
const OBJECTS_AT_ONCE: usize = 256;

/// Convert each row. The GIL is released between chunks, which lets a thread run that waits for it.
pub(crate) fn objects<T, C>(
    py: Python<'_>,
    rows: Vec<T>,
    convert: impl Fn(T) -> PyResult<C>,
) -> PyResult<Vec<Py<C>>>
where
    C: PyClass + Into<PyClassInitializer<C>>,
{
    let mut objects = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        if index % OBJECTS_AT_ONCE == OBJECTS_AT_ONCE - 1 {
            py.detach(|| {});
        }
        objects.push(Py::new(py, convert(row)?)?);
    }
    Ok(objects)
}
