//! "Admission".

use proptest::prelude::*;
use steerway_engine::{Code, Protocol, RequestKind, Service, TypeId};

use crate::world::{AUDIENCE, CDS, EDS, LDS, NOTHING, World, put, request, texts};

const PROTOCOLS: [Protocol; 2] = [Protocol::Sotw, Protocol::Delta];

/// "ADS request without `type_url`: INVALID_ARGUMENT."
#[test]
fn ads_requires_a_type_url() {
    for protocol in PROTOCOLS {
        let mut world = World::default();
        let stream = world.open(protocol);
        let status = world.try_send(stream, request(CDS, &["a"]).url("")).unwrap_err();
        assert_eq!((status.code, status.code.name()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
        assert!(status.message.contains("type_url"));
        assert!(world.opened.is_empty());
    }
}

/// "Per-type service: empty means its own type, another type INVALID_ARGUMENT."
#[test]
fn a_service_of_one_type_needs_no_type_url() {
    for (protocol, type_id) in PROTOCOLS.into_iter().flat_map(|p| TypeId::ALL.map(|type_id| (p, type_id))) {
        let mut world = World::serving([put(type_id, "a", "1")]);
        for (url, good) in [("", true), (type_id.url(), true), ("type.googleapis.com/other", false)] {
            let stream = world.open_service(protocol, Service::PerType(type_id));
            let replies = world.try_send(stream, request(type_id, &["a"]).url(url));
            match replies {
                Ok(replies) => assert_eq!((good, texts(&replies)), (true, vec!["a=1".into()])),
                Err(status) => assert_eq!((good, status.code), (false, Code::InvalidArgument)),
            }
        }
    }
}

/// "First request without node id: INVALID_ARGUMENT."
#[test]
fn the_first_request_requires_a_node_id() {
    for (protocol, node) in PROTOCOLS.into_iter().flat_map(|p| [None, Some("")].map(|node| (p, node))) {
        let mut world = World::default();
        let stream = world.open(protocol);
        let status = world.try_send(stream, request(CDS, &["a"]).node(node)).unwrap_err();
        assert_eq!(status.code, Code::InvalidArgument);
        assert!(status.message.contains("node.id"));
    }
}

/// "Node is read from the first message only; a later, different node never changes whose data is sent."
#[test]
fn a_later_node_changes_nothing() {
    for protocol in PROTOCOLS {
        let mut world = World::serving([put(CDS, "a", "1"), put(EDS, "a", "2")]);
        let stream = world.open(protocol);
        world.send(stream, request(CDS, &["a"]));
        assert_eq!(texts(&world.send(stream, request(EDS, &["a"]).node(Some("other")))), ["a=2"]);
        world.send(stream, request(LDS, &["a"]).node(None));
        let nodes: Vec<&str> = world.opened.iter().map(|node| &*node.id).collect();
        assert_eq!(nodes, ["node-1"], "opened once");
        assert_eq!(
            world.stream(stream).node().unwrap().bytes,
            b"\x0a\x06node-1".as_slice(),
            "kept as it came"
        );
    }
}

/// "Unknown type_url: the stream stays open and other types go on."
#[test]
fn an_unknown_type_is_ignored_and_counted() {
    for protocol in PROTOCOLS {
        let mut world = World::serving([put(CDS, "a", "1")]);
        let stream = world.open(protocol);
        assert_eq!(
            texts(&world.send(stream, request(CDS, &["a"]).url("type.googleapis.com/made.up"))),
            NOTHING
        );
        assert_eq!((world.kind(), world.opened.len()), (&RequestKind::UnknownType, 1));
        assert_eq!(texts(&world.send(stream, request(CDS, &["a"]).node(None))), ["a=1"]);
    }
}

/// "Before initial sync: … wait, never an empty set": requests before the classification of the client are kept and
/// answered later.
#[test]
fn requests_wait_for_the_audience() {
    for protocol in PROTOCOLS {
        let mut world = World::serving([put(CDS, "a", "1"), put(EDS, "b", "2")]);
        let stream = world.open(protocol);
        world.feed(stream, request(CDS, &["a"])).unwrap();
        world.feed(stream, request(EDS, &["b"]).node(None)).unwrap();
        assert!(!world.stream(stream).may_respond());
        assert_eq!(texts(&world.pump(stream)), NOTHING);
        world.classify(stream, AUDIENCE);
        world.classify(stream, "somebody/else");
        assert_eq!(world.stream(stream).audience().map(|audience| &**audience), Some(AUDIENCE));
        assert_eq!(texts(&world.pump(stream)), ["a=1", "b=2"]);
    }
}

/// "random bytes or truncated frames leave the others unharmed".
#[test]
fn a_malformed_message_is_rejected() {
    for (protocol, node_tag) in [(Protocol::Sotw, 0x12), (Protocol::Delta, 0x0a)] {
        let good = [node_tag, 3, 0x0a, 1, b'n', 0x1a, 1, b'a'];
        let not_utf8 = [node_tag, 3, 0x0a, 1, b'n', 0x1a, 1, 0xff];
        let mut world = World::default();
        let stream = world.open_service(protocol, Service::PerType(EDS));
        world.feed_bytes(stream, &good).unwrap();
        for message in [not_utf8.as_slice(), &good[..7], &[0xff; 40], &[0x22, 100]] {
            let status = world.feed_bytes(stream, message).unwrap_err();
            assert_eq!(status.code, Code::InvalidArgument, "{message:?}");
        }
    }
}

#[test]
fn interest_is_reported_when_the_stream_is_classified() {
    let mut world = World::default();
    let stream = world.open(Protocol::Delta);
    world.feed(stream, request(CDS, &["a", "*"])).unwrap();
    world.feed(stream, request(CDS, &[]).unsubscribe(&["a"])).unwrap();
    world.feed(stream, request(EDS, &["b"])).unwrap();
    world.classify(stream, AUDIENCE);
    let interests: Vec<(TypeId, &str)> =
        world.stream(stream).interests().map(|(type_id, name)| (type_id, &**name)).collect();
    assert_eq!(interests, [(CDS, "*"), (EDS, "b")]);
    assert_eq!(world.stream(stream).subscribed().iter().sum::<usize>(), 2);
}

/// Bytes that look like requests: small field numbers, short texts.
fn almost_a_request() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[ab*]",
        "\\x0a\\x01n",
        Just(EDS.url().to_owned()),
        Just(CDS.url().to_owned()),
        "[0-9a-f]{12}"
    ];
    let field = (1u8..9, text).prop_map(|(number, text)| {
        let mut field = vec![number << 3 | 2, text.len() as u8];
        field.extend(text.bytes());
        field
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..20);
    let fields = proptest::collection::vec(prop_oneof![9 => field, 1 => noise], 0..8);
    fields.prop_map(|fields| fields.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// "a flood of requests, random bytes or truncated frames leave the others unharmed": a stream
    /// ends with a status or goes on, and its index agrees with it.
    #[test]
    fn random_messages_end_the_stream_or_leave_it_intact(
        messages in proptest::collection::vec(almost_a_request(), 1..20)
    ) {
        for protocol in PROTOCOLS {
            let mut world = World::serving([put(CDS, "a", "1"), put(EDS, "b", "2")]);
            let stream = world.open_service(protocol, Service::PerType(CDS));
            for message in &messages {
                if world.feed_bytes(stream, message).is_ok() {
                    world.classify(stream, AUDIENCE);
                    world.pump(stream);
                }
            }
        }
    }
}
