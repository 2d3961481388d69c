//! Why a server cannot be made or started.

use std::{fmt, io};

/// Why a server cannot be made.
#[derive(Debug)]
pub enum OptionsError {
    /// An option is invalid; the text names it.
    Invalid(String),
    /// The system refused a resource.
    Io(io::Error),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionsError::Invalid(reason) => f.write_str(reason),
            OptionsError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OptionsError {}

/// Why a server does not start.
#[derive(Debug)]
pub struct StartError {
    /// The address that cannot be listened on; "" for another error.
    pub address: String,
    /// The error of the system.
    pub error: io::Error,
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError { address: String::new(), error }
    }
}
