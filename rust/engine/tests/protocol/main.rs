//! The clauses of `docs/protocol.md`, checked on the engine alone: no sockets, no clock.

mod admission;
mod answering;
mod deliveries;
mod delta;
mod errors;
mod expiry;
mod globs;
mod grants;
mod load;
mod model;
mod order;
mod order_model;
mod proxyless;
mod proxyless_model;
mod replacing;
mod sotw;
mod status;
mod timing;
mod warming;
mod wire;
mod world;
