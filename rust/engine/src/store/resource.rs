//! One resource, encoded once for every receiver and both protocols.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::propagation::Origin;
use crate::protocol::{Protocol, TypeId};
use crate::wire::{
    bytes_len, bytes_tag, fingerprint, hex, put_bytes, put_varint, varint_len, varint_tag, version_text,
};

/// `DiscoveryResponse.resources` and `DeltaDiscoveryResponse.resources`.
const RESOURCES: u8 = 2;

/// `google.protobuf.Any`.
const ANY_TYPE_URL: u8 = 1;
const ANY_VALUE: u8 = 2;

/// `envoy.service.discovery.v3.Resource`.
const RESOURCE_URL: &str = "type.googleapis.com/envoy.service.discovery.v3.Resource";
const RESOURCE_VERSION: u8 = 1;
const RESOURCE_RESOURCE: u8 = 2;
const RESOURCE_NAME: u8 = 3;
const RESOURCE_TTL: u8 = 6;

/// `google.protobuf.Duration`.
const DURATION_SECONDS: u8 = 1;
const DURATION_NANOS: u8 = 2;

/// One resource, encoded once, shared by every receiver.
///
/// One buffer holds, in this order: the head of a delta response's `Resource`, the head of a state-of-the-world
/// response's `Any`, and the `Any`, so that each protocol sends slices of it.
#[derive(Debug)]
pub struct Resource {
    type_id: TypeId,
    version: u64,
    fingerprint: u64,
    encoded: Bytes,
    delta_head: usize,
    sotw_head: usize,
    value: usize,
    refs: Box<[(TypeId, Arc<str>)]>,
    scope: Arc<str>,
    expiring: Option<Box<Expiring>>,
    origin: Option<Origin>,
    change: u64,
}

/// The encoding with a time to live, for clients that support it.
#[derive(Debug)]
struct Expiring {
    ttl: Duration,
    /// The bytes before the `Any` in a delta response.
    delta_head: Bytes,
    /// The bytes before it in a state-of-the-world response, where it must be wrapped in a `Resource`.
    sotw_head: Bytes,
}

impl Resource {
    /// Encode a serialised message of the given type. Hashes and copies the bytes: to be called outside of locks.
    ///
    /// `refs` are the resources that this one names, for example the endpoints of a cluster.
    pub fn new(type_id: TypeId, name: &str, value: &[u8], refs: Vec<(TypeId, Arc<str>)>) -> Resource {
        Resource::encode(type_id, name, value, refs.into_boxed_slice(), xxh3_64(value))
    }

    fn encode(
        type_id: TypeId,
        name: &str,
        value: &[u8],
        refs: Box<[(TypeId, Arc<str>)]>,
        version: u64,
    ) -> Resource {
        let url = type_id.url();
        let any_len = bytes_len(url.len()) + bytes_len(value.len());
        let inner_len = bytes_len(name.len()) + bytes_len(hex::<16>(version).len()) + bytes_len(any_len);
        let mut out = Vec::with_capacity(2 * (1 + varint_len(inner_len)) + inner_len);

        out.push(bytes_tag(RESOURCES));
        put_varint(&mut out, inner_len);
        put_bytes(&mut out, RESOURCE_NAME, name.as_bytes());
        put_bytes(&mut out, RESOURCE_VERSION, &hex::<16>(version));
        out.push(bytes_tag(RESOURCE_RESOURCE));
        put_varint(&mut out, any_len);
        let delta_head = out.len();

        out.push(bytes_tag(RESOURCES));
        put_varint(&mut out, any_len);
        let sotw_head = out.len() - delta_head;

        put_bytes(&mut out, ANY_TYPE_URL, url.as_bytes());
        put_bytes(&mut out, ANY_VALUE, value);

        Resource {
            type_id,
            version,
            fingerprint: fingerprint(name, version),
            value: out.len() - value.len(),
            encoded: Bytes::from(out),
            delta_head,
            sotw_head,
            refs,
            scope: no_scope().clone(),
            expiring: None,
            origin: None,
            change: 0,
        }
    }

    /// Have clients that support it drop the resource when `ttl` has passed without a heartbeat. `name` is the name of
    /// the resource.
    ///
    /// The version depends on `ttl`: otherwise a client that reconnects with the content would keep its old time.
    pub fn with_ttl(mut self, name: &str, ttl: Duration) -> Resource {
        let version = xxh3_64_with_seed(&self.value(), ttl.as_nanos() as u64);
        self = Resource {
            scope: self.scope,
            origin: self.origin,
            change: self.change,
            ..Resource::encode(self.type_id, name, &self.encoded[self.value..], self.refs, version)
        };
        let any_len = self.encoded.len() - self.delta_head - self.sotw_head;
        let mut resource = wrapped(name, &hex::<16>(self.version), ttl);
        resource.push(bytes_tag(RESOURCE_RESOURCE));
        put_varint(&mut resource, any_len);
        let resource_len = resource.len() + any_len;

        let mut delta_head = vec![bytes_tag(RESOURCES)];
        put_varint(&mut delta_head, resource_len);
        delta_head.extend_from_slice(&resource);

        let mut sotw_head = vec![bytes_tag(RESOURCES)];
        put_varint(&mut sotw_head, bytes_len(RESOURCE_URL.len()) + bytes_len(resource_len));
        put_bytes(&mut sotw_head, ANY_TYPE_URL, RESOURCE_URL.as_bytes());
        sotw_head.push(bytes_tag(ANY_VALUE));
        put_varint(&mut sotw_head, resource_len);
        sotw_head.extend_from_slice(&resource);

        let (delta_head, sotw_head) = (delta_head.into(), sotw_head.into());
        self.expiring = Some(Box::new(Expiring { ttl, delta_head, sotw_head }));
        self
    }

    /// Its scope for [`crate::Grant`]: `NAMESPACE/NAME`; "" (the default): public.
    pub fn with_scope(mut self, scope: &str) -> Resource {
        if !scope.is_empty() {
            self.scope = scope.into();
        }
        self
    }

    /// Times of its change; not a part of the content.
    pub fn with_origin(mut self, origin: Option<Origin>) -> Resource {
        self.origin = origin;
        self
    }

    /// Times of its change, if known.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// The id of the change that published it, by which its delivery is counted; not a part of the content. 0 (the
    /// default): not counted.
    pub fn with_change(mut self, change: u64) -> Resource {
        self.change = change;
        self
    }

    /// The id of the change that published it; 0: none.
    pub(crate) fn change(&self) -> u64 {
        self.change
    }

    pub(crate) fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// Hash of the content; equal content has an equal version on every replica.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The version as clients and operators see it: 16 hexadecimal digits.
    pub fn version_text(&self) -> String {
        version_text(self.version)
    }

    /// The resources that this one names.
    pub fn refs(&self) -> &[(TypeId, Arc<str>)] {
        &self.refs
    }

    /// The scope that a [`crate::Grant`] must match.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// How long clients keep it without a heartbeat; `None`: without limit.
    pub fn ttl(&self) -> Option<Duration> {
        self.expiring.as_ref().map(|expiring| expiring.ttl)
    }

    /// The serialised message, without the `Any` around it.
    pub fn value(&self) -> Bytes {
        self.encoded.slice(self.value..)
    }

    /// Bytes of [`Resource::value`].
    pub fn size(&self) -> usize {
        self.encoded.len() - self.value
    }

    /// Hash of name and content, for versions of sets.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The field of a `DiscoveryResponse`, whole.
    pub(crate) fn sotw(&self) -> Bytes {
        self.encoded.slice(self.delta_head..)
    }

    /// The field of a `DeltaDiscoveryResponse`: its head and its body.
    pub(crate) fn delta(&self) -> (Bytes, Bytes) {
        (self.encoded.slice(..self.delta_head), self.any())
    }

    /// The field of either response with the time to live: its head and its body; `None`: no time to live.
    pub(crate) fn expiring(&self, protocol: Protocol) -> Option<(Bytes, Bytes)> {
        let expiring = self.expiring.as_ref()?;
        let head = match protocol {
            Protocol::Sotw => &expiring.sotw_head,
            Protocol::Delta => &expiring.delta_head,
        };
        Some((head.clone(), self.any()))
    }

    fn any(&self) -> Bytes {
        self.encoded.slice(self.delta_head + self.sotw_head..)
    }

    /// Same content, references, scope and time to live: no client can distinguish them.
    pub(crate) fn same_as(&self, other: &Resource) -> bool {
        self.version == other.version
            && self.refs == other.refs
            && self.scope == other.scope
            && self.ttl() == other.ttl()
    }
}

/// The field of a response that lets a client keep a resource for another `ttl`: its name and the version that the
/// client holds, without the resource.
pub(crate) fn heartbeat(protocol: Protocol, name: &str, version: u64, ttl: Duration) -> Bytes {
    let resource = wrapped(name, &hex::<16>(version), ttl);
    let mut out = Vec::with_capacity(resource.len() + RESOURCE_URL.len() + 16);
    match protocol {
        Protocol::Delta => put_bytes(&mut out, RESOURCES, &resource),
        Protocol::Sotw => {
            let mut any = Vec::new();
            put_bytes(&mut any, ANY_TYPE_URL, RESOURCE_URL.as_bytes());
            put_bytes(&mut any, ANY_VALUE, &resource);
            put_bytes(&mut out, RESOURCES, &any);
        }
    }
    out.into()
}

/// Name, version and time to live of a `Resource`.
fn wrapped(name: &str, version: &[u8], ttl: Duration) -> Vec<u8> {
    let mut duration = Vec::new();
    for (field, value) in
        [(DURATION_SECONDS, ttl.as_secs() as usize), (DURATION_NANOS, ttl.subsec_nanos() as usize)]
    {
        duration.push(varint_tag(field));
        put_varint(&mut duration, value);
    }
    let mut out = Vec::new();
    put_bytes(&mut out, RESOURCE_NAME, name.as_bytes());
    put_bytes(&mut out, RESOURCE_VERSION, version);
    put_bytes(&mut out, RESOURCE_TTL, &duration);
    out
}

fn no_scope() -> &'static Arc<str> {
    static SCOPE: LazyLock<Arc<str>> = LazyLock::new(|| "".into());
    &SCOPE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{parse_version, singular};

    const URL: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

    #[test]
    fn both_protocols_share_one_encoding_of_the_resource() {
        let resource = Resource::new(TypeId::Cluster, "a", b"payload", Vec::new());
        let sotw = resource.sotw();
        let any = singular(&sotw, 2).unwrap().unwrap();
        assert_eq!(singular(any, 1).unwrap(), Some(URL.as_bytes()));
        assert_eq!(singular(any, 2).unwrap(), Some(b"payload".as_slice()));

        let (head, body) = resource.delta();
        let whole = [head.as_ref(), body.as_ref()].concat();
        let inner = singular(&whole, 2).unwrap().unwrap();
        assert_eq!(singular(inner, 3).unwrap(), Some(b"a".as_slice()));
        assert_eq!(singular(inner, 1).unwrap(), Some(resource.version_text().as_bytes()));
        assert_eq!(singular(inner, 2).unwrap(), Some(any));
        assert_eq!(body.as_ptr(), sotw[sotw.len() - body.len()..].as_ptr(), "shared, not copied");
        assert_eq!((resource.value(), resource.size()), (Bytes::from_static(b"payload"), 7));
    }

    #[test]
    fn versions_follow_content_alone() {
        let version = |name, value| Resource::new(TypeId::Cluster, name, value, Vec::new()).version();
        assert_eq!(version("a", b"1"), version("b", b"1"));
        assert_ne!(version("a", b"1"), version("a", b"2"));
        assert_eq!(parse_version(version_text(version("a", b"1")).as_bytes()), Some(version("a", b"1")));
    }

    #[test]
    fn an_empty_resource_is_a_resource() {
        let resource = Resource::new(TypeId::Runtime, "", b"", Vec::new());
        assert_eq!(resource.size(), 0);
        assert!(singular(&resource.sotw(), 2).unwrap().is_some());
    }
}
