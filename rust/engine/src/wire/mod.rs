//! The wire format: protobuf fields, names, versions and texts, below any message.

mod codec;
mod names;
mod text;
mod version;

pub(crate) use codec::{
    Field, Fields, Malformed, Value, bytes_len, bytes_tag, put_bytes, put_varint, repeated, singular, text,
    varint_len, varint_tag,
};
pub(crate) use names::collection_of;
pub use names::{WILDCARD, canonical_name, is_collection, wildcard_name};
pub(crate) use text::bounded_lossy;
pub use text::{MAX_TEXT, bounded};
pub(crate) use version::{
    NONCE_DIGITS, VERSION_DIGITS, fingerprint, hex, parse_nonce, parse_version, version_of, version_text,
};
