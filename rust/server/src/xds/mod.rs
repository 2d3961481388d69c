//! StreamHandle streams: their handle, the driver over HTTP/2, the request reader.

pub(crate) mod absence;
pub(crate) mod edge;
pub(crate) mod framing;
pub(crate) mod group;
pub(crate) mod method;
pub(crate) mod payload;
pub(crate) mod request_reader;
pub(crate) mod scan;
pub(crate) mod stream_budget;
pub(crate) mod stream_driver;
pub(crate) mod stream_handle;
pub(crate) mod stream_view;
pub(crate) mod streams;
