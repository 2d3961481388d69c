//! What the fuzz targets check. Each target is one call of a function in here.
//!
//! * [`request`]: any bytes as a request, beside a generated reader of the same messages.
//! * [`stream`]: any events on any streams, beside a model of what each client must hold.
//! * [`framing`]: gRPC frames, wherever they were cut.
//! * [`load`]: any bytes as load reports.
//!
//! The core is used as the transport uses it, and nothing of it is public for this alone. The harness of the engine's
//! own tests is used as it is; so is the deframer's file, for the rest of its crate would take minutes to build with
//! coverage.

pub mod event;
pub mod framing;
pub mod load;
mod model;
pub mod request;
pub mod stream;

#[path = "../../server/src/framing.rs"]
#[allow(dead_code)]
mod deframer;
#[path = "../../engine/tests/protocol/wire.rs"]
#[allow(dead_code)]
mod wire;
#[path = "../../engine/tests/protocol/world.rs"]
#[allow(dead_code)]
mod world;
