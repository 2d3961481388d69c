//! Limits that Python applies, too.

use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn connections_within(files: usize) -> usize {
    steerway_server::connections_within(files)
}
