//! Any bytes as a request, compared with a generated reader of the same messages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use steerway_engine::{
    Code, Effects, Grant, Identifier, Protocol, Received, RequestKind, Service, Store, Stream, StreamOptions,
    TypeId, canonical_name,
};

use crate::wire;

/// Above the lengths and numbers of names in requests of a fuzzer.
const LIMIT: usize = 1 << 20;

/// Fewer groups than this cannot nest too deep.
const DEEP: usize = 32;

/// The request by the generated reader.
struct Read {
    url: String,
    node_id: String,
    names: Vec<String>,
    unsubscribed: Vec<String>,
}

fn read(delta: bool, message: &[u8]) -> Option<Read> {
    if delta {
        let request = wire::DeltaDiscoveryRequest::decode(message).ok()?;
        Some(Read {
            url: request.type_url,
            node_id: request.node.unwrap_or_default().id,
            names: request.resource_names_subscribe,
            unsubscribed: request.resource_names_unsubscribe,
        })
    } else {
        let request = wire::DiscoveryRequest::decode(message).ok()?;
        Some(Read {
            url: request.type_url,
            node_id: request.node.unwrap_or_default().id,
            names: request.resource_names,
            unsubscribed: Vec::new(),
        })
    }
}

/// Two messages of one stream: the same twice.
pub fn run(delta: bool, message: &[u8]) {
    let options = Arc::new(StreamOptions {
        identifier: Identifier::new("replica-1"),
        make_before_break_timeout: Duration::from_secs(5),
        names_per_stream: LIMIT,
        name_bytes: LIMIT,
        node_metadata: Arc::new(["role".into()]),
    });
    let protocol = if delta { Protocol::Delta } else { Protocol::Sotw };
    let mut stream = Stream::new(protocol, Service::Ads, &options);
    let mut effects = Effects::default();
    let taken = stream.on_message(message, Duration::ZERO, &mut effects);
    let good = taken.is_ok();
    if let Some(request) = read(delta, message).filter(|_| is_plain(delta, message)) {
        match taken {
            Err(status) => {
                assert_eq!(status.code, Code::InvalidArgument);
                assert!(request.url.is_empty() || request.node_id.is_empty(), "{status}");
            }
            Ok(()) => check(&request, delta, &stream, &effects.received.take().unwrap()),
        }
    }
    let again = stream.on_message(message, Duration::ZERO, &mut effects);
    assert_eq!(again.is_ok(), good);
    effects.clear();
    stream.classify("".into(), Grant::EVERYTHING, &mut effects);
    while stream.next_response(&Store::new(), Duration::ZERO).is_some() {}
}

fn check(request: &Read, delta: bool, stream: &Stream, received: &Received) {
    assert_eq!(stream.node().unwrap().id.as_ref(), request.node_id);
    let type_id = TypeId::from_url(&request.url);
    let kind = if type_id.is_some() { RequestKind::Subscribe } else { RequestKind::UnknownType };
    assert_eq!(*received, Received { type_id, kind });
    let Some(type_id) = type_id else { return };
    let canonical = |names: &[String]| -> BTreeSet<String> {
        names.iter().map(|name| canonical_name(name).into_owned()).collect()
    };
    let (unsubscribed, mut wanted) = (canonical(&request.unsubscribed), canonical(&request.names));
    wanted.retain(|name| !unsubscribed.contains(name) && (name != "*" || type_id.allows_wildcard()));
    if request.names.is_empty() && request.unsubscribed.is_empty() && type_id.allows_wildcard() {
        wanted.insert("*".into());
    }
    let interests: BTreeSet<String> = stream.interests().map(|(_, name)| name.to_string()).collect();
    assert_eq!(interests, wanted, "delta: {delta}");
}

/// Whether both readers must agree. A generated one merges repeated Nodes, where the engine uses the last; and it
/// limits the depth of groups, which clients do not send, differently.
fn is_plain(delta: bool, message: &[u8]) -> bool {
    let node = if delta { 1 } else { 2 };
    let (mut nodes, mut rest) = (0, message);
    while !rest.is_empty() {
        let Ok((number, wire_type)) = decode_key(&mut rest) else { return false };
        nodes += usize::from(number == node);
        if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
            return false;
        }
    }
    let groups = message.iter().filter(|byte| **byte & 7 == WireType::StartGroup as u8).count();
    nodes < 2 && groups < DEEP
}
