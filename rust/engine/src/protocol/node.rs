//! The Node of a client: the fields that are used, kept as long as the stream is open.
//!
//! Envoy lists its extensions in its Node, tens of kilobytes, and a hostile client may send anything.

use std::sync::Arc;

use bytes::Bytes;

use super::status::Status;
use crate::wire::{Field, Fields, Malformed, Value, put_bytes, singular, text};

/// `envoy.config.core.v3.Node`.
const ID: u8 = 1;
const CLUSTER: u8 = 2;
const METADATA: u8 = 3;
const LOCALITY: u8 = 4;
const USER_AGENT_NAME: u8 = 6;
const USER_AGENT_VERSION: u8 = 7;
const USER_AGENT_BUILD_VERSION: u8 = 8;
const CLIENT_FEATURES: u8 = 10;

/// `google.protobuf.Struct`, and an entry of its map.
const STRUCT_FIELDS: u8 = 1;
const ENTRY_KEY: u8 = 1;

/// `envoy.config.core.v3.BuildVersion`: its metadata may have any size.
const BUILD_VERSION_VERSION: u8 = 1;

/// The Node of the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `node.id`.
    pub id: Arc<str>,
    /// The kept fields of the `envoy.config.core.v3.Node`, serialised: id, cluster, locality, user agent, client
    /// features, and the metadata keys of [`crate::StreamOptions::node_metadata`].
    pub bytes: Bytes,
}

impl Node {
    /// An error when the Node is missing, has no id or is malformed. `metadata` are the keys to keep.
    pub(crate) fn read(node: Option<&[u8]>, metadata: &[Box<str>]) -> Result<Node, Status> {
        let node = node.unwrap_or_default();
        let id = node_id(Some(node))?.into();
        Ok(Node { id, bytes: kept(node, metadata)?.into() })
    }
}

/// `node.id`; an error when it is missing or empty.
pub(crate) fn node_id(node: Option<&[u8]>) -> Result<&str, Status> {
    let id = singular(node.unwrap_or_default(), ID.into())?.unwrap_or_default();
    match text(id)? {
        "" => Err(Status::invalid_argument("the first request of a stream must carry node.id")),
        id => Ok(id),
    }
}

fn kept(node: &[u8], metadata: &[Box<str>]) -> Result<Vec<u8>, Malformed> {
    let mut kept = Vec::new();
    let mut fields = Fields::new(node);
    while let Some(Field { number, value, start, end }) = fields.next()? {
        let (Value::Bytes(bytes), Ok(number)) = (value, u8::try_from(number)) else { continue };
        match number {
            ID | CLUSTER | LOCALITY | USER_AGENT_NAME | USER_AGENT_VERSION | CLIENT_FEATURES => {
                kept.extend_from_slice(&node[start..end]);
            }
            METADATA => {
                let is_read = |entry: &[u8]| {
                    let key = singular(entry, ENTRY_KEY.into()).ok().flatten().unwrap_or_default();
                    metadata.iter().any(|known| known.as_bytes() == key)
                };
                keep_part(&mut kept, METADATA, bytes, |number, entry| {
                    number == STRUCT_FIELDS && is_read(entry)
                });
            }
            USER_AGENT_BUILD_VERSION => {
                keep_part(&mut kept, number, bytes, |number, _| number == BUILD_VERSION_VERSION);
            }
            _ => {}
        }
    }
    Ok(kept)
}

/// Keep some fields of a message; of a malformed one, those before the error.
fn keep_part(kept: &mut Vec<u8>, number: u8, message: &[u8], keep: impl Fn(u8, &[u8]) -> bool) {
    let mut part = Vec::new();
    let mut fields = Fields::new(message);
    while let Ok(Some(Field { number, value, start, end })) = fields.next() {
        if let (Value::Bytes(bytes), Ok(number)) = (value, u8::try_from(number))
            && keep(number, bytes)
        {
            part.extend_from_slice(&message[start..end]);
        }
    }
    put_bytes(kept, number, &part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        fields.iter().for_each(|(number, value)| put_bytes(&mut message, *number, value));
        message
    }

    fn entry(key: &str, value: &[u8]) -> Vec<u8> {
        message(&[(ENTRY_KEY, key.as_bytes()), (2, value)])
    }

    fn read(node: &[u8], metadata: &[&str]) -> Node {
        let metadata: Vec<Box<str>> = metadata.iter().map(|key| (*key).into()).collect();
        Node::read(Some(node), &metadata).unwrap()
    }

    #[test]
    fn unused_fields_of_a_node_are_dropped() {
        let used: [(u8, &[u8]); 7] = [
            (ID, b"web-1"),
            (CLUSTER, b"web"),
            (LOCALITY, &message(&[(2, b"zone-a")])),
            (USER_AGENT_NAME, b"envoy"),
            (USER_AGENT_VERSION, b"1.2"),
            (CLIENT_FEATURES, b"one"),
            (CLIENT_FEATURES, b"two"),
        ];
        let mut fields = used.to_vec();
        let extension = [b'x'; 5000];
        fields.extend([(9, &extension[..]), (9, &extension), (11, &extension), (12, &extension)]);
        let node = read(&message(&fields), &[]);
        assert_eq!((&*node.id, &*node.bytes), ("web-1", &*message(&used)));
    }

    #[test]
    fn metadata_keeps_the_configured_keys() {
        let metadata = message(&[
            (STRUCT_FIELDS, &entry("NAMESPACE", b"shop")),
            (STRUCT_FIELDS, &entry("LABELS", &[b'x'; 5000])),
            (STRUCT_FIELDS, &entry("role", b"gateway")),
            (2, &[b'x'; 5000]),
        ]);
        let node = read(&message(&[(ID, b"a"), (METADATA, &metadata)]), &["NAMESPACE", "role"]);
        let left = message(&[
            (STRUCT_FIELDS, &entry("NAMESPACE", b"shop")),
            (STRUCT_FIELDS, &entry("role", b"gateway")),
        ]);
        assert_eq!(&*node.bytes, &*message(&[(ID, b"a"), (METADATA, &left)]));
    }

    #[test]
    fn a_build_version_keeps_the_version_alone() {
        let version = [0x08, 1, 0x10, 39];
        let build = message(&[(BUILD_VERSION_VERSION, &version), (2, &[b'x'; 5000])]);
        let node = read(&message(&[(ID, b"a"), (USER_AGENT_BUILD_VERSION, &build)]), &[]);
        let left = message(&[(BUILD_VERSION_VERSION, &version)]);
        assert_eq!(&*node.bytes, &*message(&[(ID, b"a"), (USER_AGENT_BUILD_VERSION, &left)]));
    }

    #[test]
    fn malformed_metadata_is_dropped_and_a_malformed_node_is_rejected() {
        let mut metadata = message(&[(STRUCT_FIELDS, &entry("role", b"gateway"))]);
        let good = metadata.clone();
        metadata.push(0xff);
        let node = read(&message(&[(ID, b"a"), (METADATA, &metadata)]), &["role"]);
        assert_eq!(&*node.bytes, &*message(&[(ID, b"a"), (METADATA, &good)]));
        let mut broken = message(&[(ID, b"a")]);
        broken.push(0xff);
        assert!(Node::read(Some(&broken), &[]).is_err());
        assert!(Node::read(None, &[]).is_err());
        assert!(Node::read(Some(&message(&[(ID, b"")])), &[]).is_err());
    }
}
