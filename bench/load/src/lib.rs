//! The client fleet of steerway's benchmark, and the raw TCP fan-out that is its floor.
//!
//! One thread and one epoll set per process, so that the load takes as little as possible of the machine that it
//! shares with the server under test. Only what a server can see is done by the book: own connections, HTTP/2 framing
//! and windows, one ACK per response. It is no general xDS client.

pub mod assignment;
pub mod connection;
pub mod control;
pub mod discovery;
pub mod fleet;
pub mod http2;
pub mod poll;
pub mod protobuf;
pub mod raw;
pub mod round;
pub mod tls;
