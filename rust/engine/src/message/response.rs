//! One encoded response: a few bytes of its own, and the shared bytes of the resources.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use crate::protocol::{Protocol, TypeId};
use crate::store::{Changes, Origin, Resource, heartbeat};
use crate::wire::{NONCE_DIGITS, VERSION_DIGITS, bytes_tag, hex, put_bytes, put_varint, varint_tag};

/// Fields of `DiscoveryResponse` and `DeltaDiscoveryResponse`. Those two agree on all but `control_plane`.
const VERSION_INFO: u8 = 1;
const TYPE_URL: u8 = 4;
const NONCE: u8 = 5;
const REMOVED_RESOURCES: u8 = 6;
const SOTW_CONTROL_PLANE: u8 = 6;
const DELTA_CONTROL_PLANE: u8 = 7;
const SOTW_RESOURCE_ERRORS: u8 = 7;
const DELTA_RESOURCE_ERRORS: u8 = 9;

/// `envoy.service.discovery.v3.ResourceError`, `ResourceName` and `google.rpc.Status` in it.
const ERROR_RESOURCE_NAME: u8 = 1;
const ERROR_DETAIL: u8 = 2;
const RESOURCE_NAME_NAME: u8 = 1;
const STATUS_CODE: u8 = 1;
const STATUS_MESSAGE: u8 = 2;

/// `google.rpc.Code.NOT_FOUND`.
const NOT_FOUND: usize = 5;

/// `envoy.config.core.v3.ControlPlane.identifier`.
const IDENTIFIER: u8 = 1;

const FRAME_PREFIX: usize = 5;

/// Frame prefix, `version_info` and `nonce`: the bytes that differ between receivers.
const HEAD: usize = FRAME_PREFIX + 2 + VERSION_DIGITS + 2 + NONCE_DIGITS;

/// The last fields of every response of this replica, encoded once per type and protocol: `type_url` and
/// `control_plane.identifier`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identifier(Arc<[[Bytes; TypeId::COUNT]; 2]>);

impl Identifier {
    /// `identifier` names the replica.
    pub fn new(identifier: &str) -> Identifier {
        let mut control_plane = Vec::new();
        put_bytes(&mut control_plane, IDENTIFIER, identifier.as_bytes());
        let encode = |control_plane_field| {
            TypeId::ALL.map(|type_id| {
                let mut out = Vec::new();
                put_bytes(&mut out, TYPE_URL, type_id.url().as_bytes());
                put_bytes(&mut out, control_plane_field, &control_plane);
                Bytes::from(out)
            })
        };
        Identifier(Arc::new([encode(SOTW_CONTROL_PLANE), encode(DELTA_CONTROL_PLANE)]))
    }

    fn fields(&self, protocol: Protocol, type_id: TypeId) -> Bytes {
        self.0[protocol as usize][type_id.index()].clone()
    }
}

/// A gRPC message with its 5-byte frame prefix, as a vectored buffer.
///
/// Resource bytes are shared with the store and with every other receiver, not copied.
#[derive(Clone, Debug)]
pub struct Response {
    type_id: TypeId,
    resources: u32,
    removed: u32,
    head: [u8; HEAD],
    head_read: usize,
    parts: SmallVec<[Bytes; 3]>,
    /// The first part that is not fully read.
    part: usize,
    remaining: usize,
    total_len: usize,
}

impl Response {
    /// Type of the response.
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// Number of resources.
    pub fn resources(&self) -> usize {
        self.resources as usize
    }

    /// Number of removed names (delta only).
    pub fn removed(&self) -> usize {
        self.removed as usize
    }

    /// Bytes of the response, frame prefix included, read or not.
    pub fn total_len(&self) -> usize {
        self.total_len
    }
}

impl Buf for Response {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        if self.head_read < HEAD {
            return &self.head[self.head_read..];
        }
        self.parts.get(self.part).map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let head = Some(&self.head[self.head_read..]).filter(|head| !head.is_empty());
        let parts = self.parts[self.part..].iter().map(|part| &part[..]);
        slices.iter_mut().zip(head.into_iter().chain(parts)).fold(0, |filled, (slice, chunk)| {
            *slice = IoSlice::new(chunk);
            filled + 1
        })
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advanced past the end of a response");
        self.remaining -= count;
        let of_head = count.min(HEAD - self.head_read);
        self.head_read += of_head;
        count -= of_head;
        while count > 0 {
            let part = &mut self.parts[self.part];
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.part += 1;
        }
    }
}

/// Collects the parts of one response.
pub(crate) struct ResponseBuilder {
    protocol: Protocol,
    /// The client receives times to live.
    supports_ttl: bool,
    parts: SmallVec<[Bytes; 3]>,
    /// Encoded removed names and resource errors.
    missing: Vec<u8>,
    resources: u32,
    removed: u32,
    origin: Option<Origin>,
    changes: Changes,
}

impl ResponseBuilder {
    pub(crate) fn new(protocol: Protocol, supports_ttl: bool) -> ResponseBuilder {
        // The first part is reserved for the fields of the identifier.
        let parts = SmallVec::from_iter([Bytes::new()]);
        ResponseBuilder {
            protocol,
            supports_ttl,
            parts,
            missing: Vec::new(),
            resources: 0,
            removed: 0,
            origin: None,
            changes: Changes::default(),
        }
    }

    /// One of the resources is a change for the client, with this origin.
    pub(crate) fn note_origin(&mut self, origin: Option<Origin>) {
        self.origin = Origin::older(self.origin, origin);
    }

    /// The response delivers this change; 0: none.
    pub(crate) fn note_change(&mut self, change: u64) {
        self.changes.insert(change);
    }

    /// The changes that the response delivers.
    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Origin of the oldest change.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.resources == 0 && self.missing.is_empty()
    }

    pub(crate) fn add(&mut self, resource: &Resource) {
        self.resources += 1;
        if let Some((head, body)) = resource.expiring(self.protocol).filter(|_| self.supports_ttl) {
            self.parts.extend([head, body]);
            return;
        }
        match self.protocol {
            Protocol::Sotw => self.parts.push(resource.sotw()),
            Protocol::Delta => {
                let (head, body) = resource.delta();
                self.parts.push(head);
                self.parts.push(body);
            }
        }
    }

    /// Have the client keep the resource that it holds for another `ttl`.
    pub(crate) fn add_heartbeat(&mut self, name: &str, version: u64, ttl: Duration) {
        self.resources += 1;
        self.parts.push(heartbeat(self.protocol, name, version, ttl));
    }

    /// Add a name to `removed_resources`, which only delta has.
    pub(crate) fn remove(&mut self, name: &str) {
        debug_assert_eq!(self.protocol, Protocol::Delta);
        self.removed += 1;
        put_bytes(&mut self.missing, REMOVED_RESOURCES, name.as_bytes());
    }

    /// Add to `resource_errors` why a resource does not exist.
    pub(crate) fn add_error(&mut self, name: &str, reason: &str) {
        let field = match self.protocol {
            Protocol::Sotw => SOTW_RESOURCE_ERRORS,
            Protocol::Delta => DELTA_RESOURCE_ERRORS,
        };
        let (mut resource_name, mut status, mut error) = (Vec::new(), Vec::new(), Vec::new());
        put_bytes(&mut resource_name, RESOURCE_NAME_NAME, name.as_bytes());
        status.push(varint_tag(STATUS_CODE));
        put_varint(&mut status, NOT_FOUND);
        put_bytes(&mut status, STATUS_MESSAGE, reason.as_bytes());
        put_bytes(&mut error, ERROR_RESOURCE_NAME, &resource_name);
        put_bytes(&mut error, ERROR_DETAIL, &status);
        put_bytes(&mut self.missing, field, &error);
    }

    pub(crate) fn finish(
        mut self,
        type_id: TypeId,
        identifier: &Identifier,
        version: u64,
        nonce: u64,
    ) -> Response {
        self.parts[0] = identifier.fields(self.protocol, type_id);
        if !self.missing.is_empty() {
            self.parts.push(Bytes::from(self.missing));
        }
        let total_len = HEAD + self.parts.iter().map(Bytes::len).sum::<usize>();
        Response {
            type_id,
            resources: self.resources,
            removed: self.removed,
            head: head(total_len - FRAME_PREFIX, version, nonce),
            head_read: 0,
            parts: self.parts,
            part: 0,
            remaining: total_len,
            total_len,
        }
    }
}

/// gRPC over HTTP/2, Length-Prefixed-Message: a byte "not compressed" and the length in 4 bytes; then the message.
fn head(message_len: usize, version: u64, nonce: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let len = u32::try_from(message_len).expect("a gRPC message is shorter than 4 GiB");
    head[1..FRAME_PREFIX].copy_from_slice(&len.to_be_bytes());
    let (version_field, nonce_field) = head[FRAME_PREFIX..].split_at_mut(2 + VERSION_DIGITS);
    version_field[0] = bytes_tag(VERSION_INFO);
    version_field[1] = VERSION_DIGITS as u8;
    version_field[2..].copy_from_slice(&hex::<VERSION_DIGITS>(version));
    nonce_field[0] = bytes_tag(NONCE);
    nonce_field[1] = NONCE_DIGITS as u8;
    nonce_field[2..].copy_from_slice(&hex::<NONCE_DIGITS>(nonce));
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{repeated, singular};

    fn response(protocol: Protocol) -> Response {
        let mut builder = ResponseBuilder::new(protocol, false);
        for name in ["a", "b"] {
            builder.add(&Resource::new(TypeId::Cluster, name, b"payload", Vec::new()));
        }
        if protocol == Protocol::Delta {
            builder.remove("c");
        }
        builder.finish(TypeId::Cluster, &Identifier::new("replica-1"), 0xabc, 7)
    }

    /// "Every response: type_url of the request and of every resource in it; non-empty version; a nonce …;
    /// control_plane.identifier names the replica."
    #[test]
    fn a_response_carries_every_field() {
        for (protocol, control_plane) in [(Protocol::Sotw, 6), (Protocol::Delta, 7)] {
            let mut response = response(protocol);
            assert_eq!((response.resources(), response.total_len()), (2, response.remaining()));
            let framed = response.copy_to_bytes(response.remaining());
            let (prefix, message) = framed.split_at(FRAME_PREFIX);
            assert_eq!(prefix[0], 0, "not compressed");
            assert_eq!(u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize, message.len());
            assert_eq!(singular(message, 1).unwrap(), Some(b"0000000000000abc".as_slice()));
            assert_eq!(singular(message, 5).unwrap(), Some(b"000000000007".as_slice()));
            assert_eq!(singular(message, 4).unwrap(), Some(TypeId::Cluster.url().as_bytes()));
            let identifier = singular(message, control_plane).unwrap().unwrap();
            assert_eq!(singular(identifier, 1).unwrap(), Some(b"replica-1".as_slice()));
            assert_eq!(repeated(message, 2).count(), 2);
            if protocol == Protocol::Delta {
                assert_eq!(singular(message, 6).unwrap(), Some(b"c".as_slice()));
            }
        }
    }

    proptest! {
        #[test]
        fn any_way_of_reading_gives_the_same_bytes(steps in proptest::collection::vec(1usize..200, 1..60)) {
            let whole = response(Protocol::Delta).copy_to_bytes(response(Protocol::Delta).remaining());
            let mut response = response(Protocol::Delta);
            let mut read = Vec::new();
            for step in steps {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = response.chunks_vectored(&mut slices);
                let ahead: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
                prop_assert_eq!(&ahead, &whole[read.len()..read.len() + ahead.len()]);
                let step = step.min(ahead.len());
                read.extend_from_slice(&ahead[..step]);
                response.advance(step);
                prop_assert_eq!(response.has_remaining(), read.len() < whole.len());
            }
            prop_assert_eq!(response.total_len(), whole.len());
        }
    }
}
