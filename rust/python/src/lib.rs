//! `steerway._engine`: glue between Python and the server, nothing else. Its documentation is
//! `src/steerway/_engine.pyi`.
//!
//! Values cross as flat batches. Everything that takes a lock, hashes or waits runs with the GIL released.

use pyo3::prelude::*;

mod batch;
mod engine;
mod event;
mod stats;
mod view;

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<engine::Engine>()?;
    module.add_class::<event::Opened>()?;
    module.add_class::<event::Demand>()?;
    module.add_class::<event::Withdrawn>()?;
    module.add_class::<event::Nack>()?;
    module.add_class::<event::Closed>()?;
    module.add_class::<view::Stream>()?;
    module.add_class::<view::Subscription>()?;
    module.add_class::<view::Entry>()?;
    module.add_class::<stats::Stats>()?;
    Ok(())
}
