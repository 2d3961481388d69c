//! The payload of HTTP/2 streams.

use std::io::IoSlice;

use bytes::{Buf, Bytes};
use steerway_engine::Response;

/// A discovery response, whose parts are shared and must not be copied, or the bytes of any other response.
pub(crate) enum Payload {
    /// On the heap: h2 moves payloads from queue to queue, some thirty times.
    Response(Box<Response>),
    Plain(Bytes),
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        match self {
            Payload::Response(response) => response.remaining(),
            Payload::Plain(bytes) => bytes.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Payload::Response(response) => response.chunk(),
            Payload::Plain(bytes) => bytes.chunk(),
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match self {
            Payload::Response(response) => response.chunks_vectored(slices),
            Payload::Plain(bytes) => bytes.chunks_vectored(slices),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Payload::Response(response) => response.advance(count),
            Payload::Plain(bytes) => bytes.advance(count),
        }
    }
}
