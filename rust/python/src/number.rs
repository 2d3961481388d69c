//! Numbers within the range of their option, or ValueError.

use std::ops::RangeInclusive;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// A Python int, which has no bounds: its text when it does not fit.
pub(crate) struct Int(pub(crate) Result<u32, String>);

impl<'py> FromPyObject<'_, 'py> for Int {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Int> {
        let int = object.cast::<PyInt>()?;
        Ok(Int(int.extract().map_err(|_: PyErr| int.to_string())))
    }
}

impl Int {
    pub(crate) fn within(self, name: &str, range: RangeInclusive<u32>) -> PyResult<u32> {
        let text = match self.0 {
            Ok(number) if range.contains(&number) => return Ok(number),
            number => number.map_or_else(|text| text, |number| number.to_string()),
        };
        let (least, most) = range.into_inner();
        Err(PyValueError::new_err(format!("{name}: {text} is not a whole number from {least} to {most}")))
    }
}

/// A time span from `least` to a year.
pub(crate) fn seconds(name: &str, value: f64, least: Duration) -> PyResult<Duration> {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let span = Duration::try_from_secs_f64(value).ok().filter(|span| (least..=YEAR).contains(span));
    span.ok_or_else(|| {
        let (least, most) = (least.as_secs_f64(), YEAR.as_secs());
        PyValueError::new_err(format!("{name}: {value} is not a number of seconds from {least} to {most}"))
    })
}

/// A number of cores; 0 is no limit.
pub(crate) fn share_of_cores(name: &str, value: f64) -> PyResult<f64> {
    const MOST: f64 = 1024.0;
    if value == 0.0 || (0.001..=MOST).contains(&value) {
        return Ok(value);
    }
    Err(PyValueError::new_err(format!("{name}: {value} is not 0 or a number of cores from 0.001 to {MOST}")))
}
