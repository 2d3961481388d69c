//! What `protocol.md` asks of the xDS server, clause by clause, on the pure core: no sockets, no clock.

mod admission;
mod answering;
mod delta;
mod model;
mod sotw;
mod warming;
mod wire;
mod world;
