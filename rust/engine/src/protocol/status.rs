//! The status of a stream that ends because of an invalid request.

use std::fmt;

use crate::wire::Malformed;

/// The gRPC status codes that the engine ends a stream with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The request is invalid; the same request would fail again.
    InvalidArgument = 3,
    /// The request exceeds a limit.
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

/// A gRPC status with a text for the developer of the client.
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
