//! Requests, responses, and the effects of a request.

mod effects;
mod options;
mod request;
mod response;

pub use effects::{Effects, InterestChange, Nack, Received, RequestKind};
pub use options::StreamOptions;
pub(crate) use request::{Request, error_detail, too_many};
pub(crate) use response::ResponseBuilder;
pub use response::{Identifier, Response};
