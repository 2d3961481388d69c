//! Services other than discovery streams: health, reflection, client status, load reports, REST fetch.

pub(crate) mod adaptor;
pub(crate) mod csds;
pub(crate) mod fetch;
pub(crate) mod health;
pub(crate) mod lrs;
pub(crate) mod raw_codec;
pub(crate) mod routes;
