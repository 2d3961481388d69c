//! HTTP/2 connections: handshake, driver, keepalive, maximum age.

pub(crate) mod age;
pub(crate) mod authority;
pub(crate) mod connection;
pub(crate) mod handshake;
pub(crate) mod keepalive;
