//! Conversion of errors to Python exceptions.

use std::io;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// OSError with errno and the system's message; PyO3's own conversion has no errno.
pub(crate) fn os_error(py: Python<'_>, error: io::Error) -> PyErr {
    let Some(errno) = error.raw_os_error() else { return error.into() };
    let text = py.import("os").and_then(|os| os.call_method1("strerror", (errno,))?.extract::<String>());
    text.map_or_else(|error| error, |text| PyOSError::new_err((errno, text)))
}
