//! Requests of both protocols, read in place.

use super::options::StreamOptions;
use crate::protocol::{Protocol, Status};
use crate::wire::{Field, Fields, Malformed, Value, bounded_lossy, repeated, singular};

/// Longest version in `initial_resource_versions`, with the tags and lengths of its map entry.
const MAX_VERSION: usize = 256;

/// `google.rpc.Status`.
const STATUS_CODE: u32 = 1;
const STATUS_MESSAGE: u32 = 2;

/// Field numbers of one request message.
struct Layout {
    node: u32,
    type_url: u32,
    nonce: u32,
    error_detail: u32,
    /// All fields with names: a message without them changes no subscription.
    names: &'static [u32],
}

impl Layout {
    /// Bytes of a field of a name beside the name.
    fn overhead(&self, number: u32) -> usize {
        if number == DELTA_INITIAL_VERSIONS && self.names.contains(&number) { MAX_VERSION } else { 0 }
    }
}

/// Status of a stream that is subscribed to too many names.
pub(crate) fn too_many(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "too many subscribed names: the limit of a stream is {limit} names (max_names_per_stream)"
    ))
}

fn too_long(limit: usize) -> Status {
    Status::resource_exhausted(format!("resource name too long: the limit is {limit} bytes (max_name_bytes)"))
}

/// `DiscoveryRequest`. Its `version_info` (1) is not used: an ACK is recognized by its nonce.
const SOTW: Layout = Layout { node: 2, type_url: 4, nonce: 5, error_detail: 6, names: &[SOTW_NAMES] };
const SOTW_NAMES: u32 = 3;

/// `DeltaDiscoveryRequest`.
const DELTA: Layout = Layout {
    node: 1,
    type_url: 2,
    nonce: 6,
    error_detail: 7,
    names: &[DELTA_SUBSCRIBE, DELTA_UNSUBSCRIBE, DELTA_INITIAL_VERSIONS],
};
const DELTA_SUBSCRIBE: u32 = 3;
const DELTA_UNSUBSCRIBE: u32 = 4;
const DELTA_INITIAL_VERSIONS: u32 = 5;

/// One request. Absent strings are empty, as in proto3.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    message: &'a [u8],
    pub(crate) type_url: &'a [u8],
    pub(crate) nonce: &'a [u8],
    pub(crate) node: Option<&'a [u8]>,
    /// Present: a NACK, whatever its code.
    pub(crate) error_detail: Option<&'a [u8]>,
    /// The bytes of all fields with names; `None` when they are not contiguous.
    pub(crate) names: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// An error when the message is malformed or exceeds the limits of `options`.
    pub(crate) fn decode(
        protocol: Protocol,
        message: &'a [u8],
        options: &StreamOptions,
    ) -> Result<Request<'a>, Status> {
        let layout = match protocol {
            Protocol::Sotw => &SOTW,
            Protocol::Delta => &DELTA,
        };
        let mut request =
            Request { message, type_url: &[], nonce: &[], node: None, error_detail: None, names: None };
        let (mut names, mut scattered, mut listed) = (0..0, false, 0);
        let mut fields = Fields::new(message);
        while let Some(Field { number, value, start, end }) = fields.next()? {
            let Value::Bytes(bytes) = value else { continue };
            if number == layout.type_url {
                request.type_url = bytes;
            } else if number == layout.nonce {
                request.nonce = bytes;
            } else if number == layout.node {
                request.node = Some(bytes);
            } else if number == layout.error_detail {
                request.error_detail = Some(bytes);
            } else if layout.names.contains(&number) {
                listed += 1;
                if bytes.len() > options.name_bytes + layout.overhead(number) {
                    return Err(too_long(options.name_bytes));
                }
                scattered |= !names.is_empty() && names.end != start;
                names = if names.is_empty() { start..end } else { names.start..end };
            }
        }
        if listed > options.names_per_stream {
            return Err(too_many(options.names_per_stream));
        }
        request.names = if scattered { None } else { Some(&message[names]) };
        Ok(request)
    }

    /// State of the world: all subscribed names.
    pub(crate) fn resource_names(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        repeated(self.message, SOTW_NAMES)
    }

    /// Delta: names to add.
    pub(crate) fn subscribe(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        repeated(self.message, DELTA_SUBSCRIBE)
    }

    /// Delta: names to remove.
    pub(crate) fn unsubscribe(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        repeated(self.message, DELTA_UNSUBSCRIBE)
    }

    /// Delta: names and versions of the resources that the client holds.
    pub(crate) fn initial_versions(
        &self,
    ) -> impl Iterator<Item = Result<(&'a [u8], &'a [u8]), Malformed>> + use<'a> {
        repeated(self.message, DELTA_INITIAL_VERSIONS).map(|entry| {
            let entry = entry?;
            Ok((singular(entry, 1)?.unwrap_or_default(), singular(entry, 2)?.unwrap_or_default()))
        })
    }
}

/// Code and message of an `error_detail`. A malformed one is a NACK, too: its fields before the error are used.
pub(crate) fn error_detail(status: &[u8]) -> (i32, String) {
    let mut code = 0;
    let mut message: &[u8] = &[];
    let mut fields = Fields::new(status);
    while let Ok(Some(field)) = fields.next() {
        match field {
            Field { number: STATUS_CODE, value: Value::Varint(value), .. } => code = value as i32,
            Field { number: STATUS_MESSAGE, value: Value::Bytes(bytes), .. } => {
                message = bytes;
            }
            _ => {}
        }
    }
    // Messages of Envoy can be very long.
    (code, bounded_lossy(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        fields.iter().for_each(|(number, value)| put_bytes(&mut message, *number, value));
        message
    }

    fn options() -> StreamOptions {
        let identifier = crate::Identifier::new("replica-1");
        StreamOptions {
            identifier,
            make_before_break_timeout: Default::default(),
            names_per_stream: 3,
            name_bytes: 8,
            node_metadata: Default::default(),
        }
    }

    fn decode(protocol: Protocol, bytes: &[u8]) -> Request<'_> {
        Request::decode(protocol, bytes, &options()).unwrap()
    }

    #[test]
    fn a_request_beyond_the_limits_is_rejected() {
        let entry = |name: &[u8]| message(&[(1, name), (2, &[b'v'; 16])]);
        let good = [
            (Protocol::Sotw, message(&[(3, &[b'n'; 8]), (3, b""), (3, b"c")])),
            (Protocol::Delta, message(&[(3, b"a"), (4, b"b"), (5, &entry(&[b'n'; 8]))])),
        ];
        for (protocol, bytes) in good {
            decode(protocol, &bytes);
        }
        let bad = [
            (Protocol::Sotw, message(&[(3, &[b'n'; 9])]), "8 bytes"),
            (Protocol::Delta, message(&[(4, &[b'n'; 9])]), "8 bytes"),
            (Protocol::Delta, message(&[(5, &entry(&[b'n'; 400]))]), "8 bytes"),
            (Protocol::Sotw, message(&[(3, b"a"), (3, b"b"), (3, b"c"), (3, b"d")]), "3 names"),
            (Protocol::Delta, message(&[(3, b"a"), (3, b"b"), (4, b"c"), (4, b"d")]), "3 names"),
        ];
        for (protocol, bytes, reason) in bad {
            let status = Request::decode(protocol, &bytes, &options()).unwrap_err();
            assert!(
                status.code == crate::Code::ResourceExhausted && status.message.contains(reason),
                "{status}"
            );
        }
    }

    #[test]
    fn the_fields_of_both_requests_are_read() {
        let sotw =
            message(&[(1, b"v"), (2, b"node"), (3, b"a"), (3, b"b"), (4, b"url"), (5, b"nonce"), (6, b"")]);
        let delta = message(&[(1, b"node"), (2, b"url"), (3, b"a"), (4, b"b"), (6, b"nonce"), (7, b"")]);
        for (protocol, bytes) in [(Protocol::Sotw, &sotw), (Protocol::Delta, &delta)] {
            let request = decode(protocol, bytes);
            assert_eq!((request.type_url, request.nonce), (b"url".as_slice(), b"nonce".as_slice()));
            assert_eq!(
                (request.node, request.error_detail),
                (Some(b"node".as_slice()), Some(b"".as_slice()))
            );
        }
        let request = decode(Protocol::Sotw, &sotw);
        assert_eq!(request.resource_names().collect::<Vec<_>>(), [Ok(b"a".as_slice()), Ok(b"b".as_slice())]);
        let request = decode(Protocol::Delta, &delta);
        assert_eq!(request.subscribe().chain(request.unsubscribe()).count(), 2);
    }

    #[test]
    fn contiguous_names_are_one_slice() {
        let together = message(&[(1, b"v"), (3, b"a"), (3, b"b"), (5, b"nonce")]);
        let names = message(&[(3, b"a"), (3, b"b")]);
        assert_eq!(decode(Protocol::Sotw, &together).names, Some(names.as_slice()));
        let scattered = message(&[(3, b"a"), (1, b"v"), (3, b"b")]);
        assert_eq!(decode(Protocol::Sotw, &scattered).names, None);
        assert_eq!(decode(Protocol::Sotw, &[]).names, Some([].as_slice()));
    }

    #[test]
    fn initial_versions_are_a_map() {
        let entry = message(&[(1, b"a"), (2, b"1")]);
        let bytes = message(&[(5, &entry), (5, b"")]);
        let request = decode(Protocol::Delta, &bytes);
        let versions: Result<Vec<_>, _> = request.initial_versions().collect();
        assert_eq!(versions.unwrap(), [(b"a".as_slice(), b"1".as_slice()), (b"", b"")]);
    }

    #[test]
    fn a_malformed_error_is_read_up_to_the_error() {
        let mut status = vec![0x08, 13];
        put_bytes(&mut status, 2, b"broken");
        assert_eq!(error_detail(&status), (13, "broken".into()));
        status.push(0xff);
        assert_eq!(error_detail(&status), (13, "broken".into()), "the rest is not protobuf");
        assert_eq!(error_detail(&[]), (0, String::new()));
        let long = message(&[(2, "é".repeat(9000).as_bytes())]);
        assert_eq!(error_detail(&long).1.len(), 511);
    }
}
