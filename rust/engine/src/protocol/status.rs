//! How a stream ends when the client broke the protocol.

use std::fmt;

use crate::wire::Malformed;

/// The gRPC status codes the core ends a stream with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The request breaks the protocol; the same request would fail again.
    InvalidArgument = 3,
    /// The client asks for more than it may.
    ResourceExhausted = 8,
}

impl Code {
    /// The name of the code in gRPC's documents, for example `INVALID_ARGUMENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        }
    }
}

/// The end of a stream: a gRPC status with a text for the client's developer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Becomes `grpc-status`.
    pub code: Code,
    /// Becomes `grpc-message` (not yet percent-encoded).
    pub message: String,
}

impl Status {
    pub(crate) fn invalid_argument(message: impl Into<String>) -> Status {
        Status { code: Code::InvalidArgument, message: message.into() }
    }

    pub(crate) fn resource_exhausted(message: impl Into<String>) -> Status {
        Status { code: Code::ResourceExhausted, message: message.into() }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Status {}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Status {
        Status::invalid_argument("the message is not a valid protobuf message of this method's request type")
    }
}
