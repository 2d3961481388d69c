//! `steerway._engine`: glue between Python and the server, nothing else. Its documentation is
//! `src/steerway/_engine.pyi`.
//!
//! Values cross as flat batches. Everything that takes a lock, hashes or waits runs with the GIL released.

mod batch;
mod chunk;
mod engine;
mod error;
mod event;
mod limit;
mod load;
mod name;
mod number;
mod options;
mod stats;
mod summary;
mod view;

#[pyo3::pymodule]
mod _engine {
    #[pymodule_export]
    const MAX_TEXT: usize = steerway_engine::MAX_TEXT;

    #[pymodule_export]
    use crate::{
        engine::Engine,
        event::{Call, Closed, Demand, HandshakeFailed, Limited, Nack, Opened, Panicked, Withdrawn},
        limit::connections_within,
        load::{DroppedLoad, Loads, LocalityLoad},
        name::{canonical_name, is_collection},
        stats::{EngineUsage, Stats},
        summary::{Edge, Group, LabelEdges, Propagation},
        view::{Absence, Absences, Absent, Change, Entry, Resource, Stream, Subscription},
    };
}
