//! Names in the engine's spelling.

use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn canonical_name(name: &str) -> String {
    steerway_engine::canonical_name(name).into_owned()
}

#[pyfunction]
pub(crate) fn is_collection(name: &str) -> bool {
    steerway_engine::is_collection(name)
}
