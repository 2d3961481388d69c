//! The checks of the fuzz targets. Each target calls one function of this crate.
//!
//! * [`request`]: any bytes as a request, compared with a generated reader.
//! * [`stream`]: any events on any streams, compared with a model of each client.
//! * [`framing`]: gRPC frames in pieces of any size.
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

#[path = "../../server/src/xds/framing.rs"]
#[allow(dead_code)]
mod deframer;
#[path = "../../engine/tests/protocol/wire.rs"]
#[allow(dead_code)]
mod wire;
#[path = "../../engine/tests/protocol/world.rs"]
#[allow(dead_code)]
mod world;
