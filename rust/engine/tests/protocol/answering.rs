//! "Versions, nonces, ACK, NACK".

use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Nack, RequestKind, ResourceStatus, Service, TypeId};

use crate::world::{
    CDS, EDS, LDS, NOTHING, RDS, Reply, Request, World, absent, complete, put, request, texts,
};

const PROTOCOLS: [Protocol; 2] = [Sotw, Delta];

fn serving() -> World {
    World::serving(
        [LDS, RDS, CDS, EDS].into_iter().flat_map(|t| [put(t, "a", "1"), put(t, "b", "2"), complete(t)]),
    )
}

/// A request that leaves the subscription to `names` as it is.
fn same(protocol: Protocol, reply: &Reply, names: &[&str]) -> Request {
    request(reply.type_id, if protocol == Sotw { names } else { &[] })
}

/// "ACK with unchanged subscription: silence."
#[test]
fn an_ack_gets_no_response() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        for type_id in [LDS, EDS] {
            let reply = world.answer(stream, request(type_id, &["a", "b"]));
            world.now += Duration::from_millis(20);
            for _ in 0..3 {
                assert_eq!(
                    texts(&world.send(stream, same(protocol, &reply, &["a", "b"]).ack(&reply))),
                    NOTHING
                );
            }
            let view = world.view(stream, type_id);
            assert_eq!((&view.version_acked, &view.version_sent), (&reply.version, &reply.version));
            assert_eq!(
                (view.sent_age, view.acked_age),
                (Some(Duration::from_millis(20)), Some(Duration::ZERO))
            );
        }
    }
}

#[test]
fn an_ack_reports_its_latency_once() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let reply = world.answer(stream, request(EDS, &["a"]));
        assert_eq!(world.kind(), &RequestKind::Subscribe);
        world.now += Duration::from_millis(30);
        world.send(stream, same(protocol, &reply, &["a"]).ack(&reply));
        assert_eq!(world.kind(), &RequestKind::Ack { latency: Duration::from_millis(30), change: None });
        world.send(stream, same(protocol, &reply, &["a"]).ack(&reply));
        assert_ne!(world.kind(), &RequestKind::Ack { latency: Duration::from_millis(30), change: None });
    }
}

/// "An old nonce: ignored in SotW".
#[test]
fn sotw_ignores_a_stale_nonce() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let first = world.answer(stream, request(EDS, &["a"]));
    world.send(stream, request(EDS, &["a"]).ack(&first));
    let second = world.change(stream, [put(EDS, "a", "2")]).remove(0);
    for old in [first.nonce.as_str(), "of another server"] {
        assert_eq!(texts(&world.send(stream, request(EDS, &["b"]).nonce(old))), NOTHING);
        assert_eq!(world.kind(), &RequestKind::Stale);
    }
    assert_eq!(world.view(stream, EDS).names, ["a".into()], "the whole request was ignored");
    assert_eq!(texts(&world.send(stream, request(EDS, &["a"]).ack(&second))), NOTHING);
    assert!(matches!(world.kind(), RequestKind::Ack { .. }));
}

/// The client dropped a name that two requests with a stale nonce removed and added again: it is resent. (A name that
/// the open response carries is not sent twice.)
#[test]
fn sotw_resends_names_dropped_in_a_request_with_a_stale_nonce() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let first = world.answer(stream, request(EDS, &["a", "b"]));
    world.send(stream, request(EDS, &["a", "b"]).ack(&first));
    let second = world.change(stream, [put(EDS, "a", "9")]).remove(0);
    for names in [&[] as &[&str], &["a", "b"]] {
        assert_eq!(texts(&world.send(stream, request(EDS, names).ack(&first))), NOTHING);
    }
    let third = world.answer(stream, request(EDS, &["a", "b"]).ack(&second));
    assert_eq!(third.text(), "b=2");
    assert_eq!(texts(&world.send(stream, request(EDS, &["a", "b"]).ack(&third))), NOTHING);
}

/// "in delta its subscription changes still count."
#[test]
fn delta_applies_the_names_of_a_request_with_a_stale_nonce() {
    let mut world = serving();
    let stream = world.open(Delta);
    let first = world.answer(stream, request(EDS, &["a"]));
    world.send(stream, request(EDS, &[]).ack(&first));
    let second = world.change(stream, [put(EDS, "a", "2")]).remove(0);
    let beside = world.answer(stream, request(EDS, &["b"]).ack(&first));
    assert_eq!((beside.text().as_str(), world.kind()), ("b=2", &RequestKind::Stale));
    for open in [second, beside] {
        assert_eq!(texts(&world.send(stream, request(EDS, &[]).ack(&open))), NOTHING);
        assert!(matches!(world.kind(), RequestKind::Ack { .. }));
    }
}

/// Names added before the first response arrived: the request has no nonce yet, and is no ACK.
#[test]
fn names_without_a_nonce_are_applied_and_acknowledge_nothing() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a"]));
        let added: &[&str] = if protocol == Sotw { &["a", "b"] } else { &["b"] };
        let second = world.answer(stream, request(EDS, added));
        assert_eq!((second.text().as_str(), world.kind()), ("b=2", &RequestKind::Subscribe));
        assert_eq!(world.view(stream, EDS).version_acked, "");
        for reply in [first, second] {
            let ack = same(protocol, &reply, &["a", "b"]).ack(&reply);
            assert_eq!(texts(&world.send(stream, ack)), NOTHING);
            assert!(matches!(world.kind(), RequestKind::Ack { .. }), "{protocol:?}: each has its own answer");
        }
    }
}

/// The services that carry a type: the aggregated one, and its own.
fn services(type_id: TypeId) -> [Service; 2] {
    [Service::Ads, Service::PerType(type_id)]
}

/// "A subscription change is answered while a response of that type is un-ACKed."
#[test]
fn a_new_name_is_answered_while_a_response_is_open() {
    for (protocol, type_id) in PROTOCOLS.into_iter().flat_map(|p| [LDS, RDS, CDS, EDS].map(|t| (p, t))) {
        for service in services(type_id) {
            let mut world = serving();
            let stream = world.open_service(protocol, service);
            let first = world.answer(stream, request(type_id, &["a"]));
            let case = format!("{protocol:?} {type_id:?} {service:?}");
            let added: &[&str] = if protocol == Sotw { &["a", "b"] } else { &["b"] };
            let second = world.answer(stream, request(type_id, added));
            let whole = protocol == Sotw && type_id.is_full_state();
            assert_eq!(second.text(), if whole { "a=1 b=2" } else { "b=2" }, "{case}");
            assert_ne!(first.nonce, second.nonce, "{case}");
            // Also a name without an entry in the store at first.
            let listed: &[&str] = if protocol == Sotw { &["a", "b", "c"] } else { &["c"] };
            assert_eq!(texts(&world.send(stream, request(type_id, listed))), NOTHING, "{case}");
            let third = world.change(stream, [put(type_id, "c", "3")]).remove(0);
            assert_eq!(third.text(), if whole { "a=1 b=2 c=3" } else { "c=3" }, "{case}");
        }
    }
}

/// The same for a wildcard that joins names (delta).
#[test]
fn a_new_wildcard_is_answered_while_a_response_is_open() {
    for type_id in [LDS, CDS] {
        let mut world = serving();
        let stream = world.open(Delta);
        world.answer(stream, request(type_id, &["a"]));
        world.commit([put(type_id, "a", "9")]);
        let all = world.answer(stream, request(type_id, &["*"]));
        assert_eq!(all.text(), "b=2", "what the client lacks; the change waits");
        assert_eq!(
            world.answer(stream, request(type_id, &["*"])).text(),
            "a=9 b=2",
            "all is asked for again"
        );
    }
}

/// "k changes while one response is un-ACKed: after the ACK exactly one more, the latest", also when names were
/// added meanwhile.
#[test]
fn changes_merge_until_the_ack_while_names_are_answered() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a"]));
        assert_eq!(texts(&world.change(stream, [put(EDS, "a", "3")])), NOTHING);
        let added: &[&str] = if protocol == Sotw { &["a", "b"] } else { &["b"] };
        let second = world.answer(stream, request(EDS, added));
        assert_eq!(second.text(), "b=2", "{protocol:?}: the change waits");
        assert_eq!(texts(&world.change(stream, [put(EDS, "a", "4")])), NOTHING);
        // The change is older than the second response, and does not wait for its answer.
        let third = world.answer(stream, same(protocol, &first, &["a", "b"]).ack(&first));
        assert_eq!(third.text(), "a=4", "{protocol:?}: one more, the latest");
        assert_eq!(texts(&world.change(stream, [put(EDS, "a", "5"), put(EDS, "b", "5")])), NOTHING);
        assert_eq!(texts(&world.send(stream, same(protocol, &second, &["a", "b"]).ack(&second))), NOTHING);
        let last = world.answer(stream, same(protocol, &third, &["a", "b"]).ack(&third));
        assert_eq!(last.text(), "a=5 b=5", "{protocol:?}");
    }
}

/// Each open response has its own ACK or NACK, whichever way it ends.
#[test]
fn each_open_response_has_its_own_ack_or_nack() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a"]));
        let added: &[&str] = if protocol == Sotw { &["a", "b"] } else { &["b"] };
        let second = world.answer(stream, request(EDS, added));
        world.send(stream, same(protocol, &first, &["a", "b"]).nack(&first, 3, "cannot"));
        let RequestKind::Nack(nack) = world.kind() else { panic!("{:?}", world.kind()) };
        assert_eq!((&*nack.resources, &nack.version), (["a".into()].as_slice(), &first.version));
        let status =
            |world: &World| world.view(stream, EDS).resources.into_iter().map(|r| r.status).collect();
        let states: Vec<_> = status(&world);
        assert_eq!(states, [ResourceStatus::Nacked, ResourceStatus::Sent], "{protocol:?}");
        world.send(stream, same(protocol, &second, &["a", "b"]).ack(&second));
        let states: Vec<_> = status(&world);
        assert_eq!(states, [ResourceStatus::Nacked, ResourceStatus::Acked], "{protocol:?}");
    }
}

/// A client that answers the last response has processed the earlier ones.
#[test]
fn an_answer_to_the_last_response_closes_the_earlier_ones() {
    let mut world = serving();
    let stream = world.open(Delta);
    world.answer(stream, request(EDS, &["a"]));
    let second = world.answer(stream, request(EDS, &["b"]));
    world.commit([put(EDS, "a", "9")]);
    assert_eq!(texts(&world.send(stream, request(EDS, &[]).ack(&second))), ["a=9"]);
}

/// "Version changes for a client if and only if its content changed."
#[test]
fn versions_follow_content() {
    for protocol in PROTOCOLS {
        for type_id in [LDS, EDS] {
            let mut world = serving();
            let mut versions = Vec::new();
            let stream = world.open(protocol);
            let mut reply = world.answer(stream, request(type_id, &["a", "b"]));
            for content in ["5", "6", "1"] {
                versions.push(reply.version.clone());
                world.send(stream, same(protocol, &reply, &["a", "b"]).ack(&reply));
                assert_eq!(world.commit([put(type_id, "a", content)]), 1);
                assert_eq!(world.commit([put(type_id, "a", content)]), 0, "equal bytes change nothing");
                reply = world.pump(stream).remove(0);
                assert_eq!(texts(&world.pump(stream)), NOTHING);
            }
            assert_eq!(reply.version, versions[0], "the old content has its old version");
            assert!(versions[0] != versions[1] && versions[1] != versions[2] && versions[0] != versions[2]);
        }
    }
}

/// "Equal content has an equal version on every replica", independent of its history.
#[test]
fn versions_are_equal_on_every_replica() {
    for protocol in PROTOCOLS {
        let mut first = serving();
        let mut other = World::serving([put(EDS, "b", "2"), put(EDS, "a", "0"), absent(EDS, "x")]);
        let (stream, same_stream) = (first.open(protocol), other.open(protocol));
        let version = first.answer(stream, request(EDS, &["a", "b"])).version;
        let reply = other.answer(same_stream, request(EDS, &["b", "a"]));
        other.send(same_stream, same(protocol, &reply, &["b", "a"]).ack(&reply));
        assert_eq!(other.change(same_stream, [put(EDS, "a", "1")])[0].version, version);
    }
}

/// "A new SotW stream that carries an old version gets a full answer", with any nonce.
#[test]
fn a_new_stream_gets_a_full_answer() {
    let mut world = serving();
    for type_id in [LDS, EDS] {
        let stream = world.open(Sotw);
        let before = world.answer(stream, request(type_id, &["a", "b"]));
        let reconnected = world.open(Sotw);
        assert_eq!(texts(&world.send(reconnected, request(type_id, &["a", "b"]).ack(&before))), ["a=1 b=2"]);
    }
}

/// "NACK: silence until the content changes, then at once; … error text, resource, client and time are kept".
#[test]
fn after_a_nack_nothing_is_sent_until_the_content_changes() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let good = world.answer(stream, request(LDS, &["a", "b"]));
        world.send(stream, same(protocol, &good, &["a", "b"]).ack(&good));
        let bad = world.change(stream, [put(LDS, "a", "bad")]).remove(0);
        let refuse = same(protocol, &bad, &["a", "b"]).nack(&bad, 3, "cannot");
        assert_eq!(texts(&world.send(stream, refuse)), NOTHING);
        let nack = Nack {
            resources: vec!["a".into()],
            refused: 1,
            version: bad.version.clone(),
            code: 3,
            message: "cannot".into(),
            change: 0,
        };
        assert_eq!(world.kind(), &RequestKind::Nack(nack.into()));
        world.now += Duration::from_secs(7);
        assert_eq!(texts(&world.change(stream, [put(LDS, "a", "bad")])), NOTHING, "the same content");
        let view = world.view(stream, LDS);
        assert_eq!((view.nack_version, view.nack_message.as_str()), (bad.version, "cannot"));
        assert_eq!((view.nack_age, view.version_acked), (Some(Duration::from_secs(7)), good.version));
        let fixed = world.change(stream, [put(LDS, "a", "good")]).remove(0);
        world.send(stream, same(protocol, &fixed, &["a", "b"]).ack(&fixed));
        assert_eq!(world.view(stream, LDS).nack_message, "");
    }
}

/// A NACK is as long as its client likes: its text and its names are cut before they are kept.
#[test]
fn a_nack_keeps_512_bytes_of_text_and_of_names() {
    for protocol in PROTOCOLS {
        let names: Vec<String> = (0..300).map(|number| format!("name-{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::serving(names.iter().map(|name| put(EDS, name, "1")));
        let stream = world.open(protocol);
        let reply = world.answer(stream, request(EDS, &names));
        let refusal = format!("{}: the reason", "ä".repeat(9000));
        world.send(stream, same(protocol, &reply, &names).nack(&reply, 3, &refusal));
        let RequestKind::Nack(nack) = world.kind() else { panic!("a NACK") };
        assert!(nack.message.len() <= 512 && nack.message.ends_with("ä: the reason"), "{}", nack.message);
        assert_eq!((nack.resources.len(), nack.refused), (512 / "name-000".len(), 300));
        let message = nack.message.clone();
        assert_eq!(world.view(stream, EDS).nack_message, message);
    }
}

/// "other resources and other clients are unaffected".
#[test]
fn a_nack_does_not_affect_other_clients_or_types() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let (rejecting, calm) = (world.open(protocol), world.open(protocol));
        let bad = world.answer(rejecting, request(LDS, &["a"]));
        let fine = world.answer(calm, request(LDS, &["a"]));
        world.send(rejecting, same(protocol, &bad, &["a"]).nack(&bad, 3, "cannot"));
        world.send(calm, same(protocol, &fine, &["a"]).ack(&fine));
        assert_eq!(texts(&world.send(rejecting, request(EDS, &["a"]))), ["a=1"]);
        world.commit([put(LDS, "a", "9")]);
        assert_eq!(
            (texts(&world.pump(rejecting)), texts(&world.pump(calm))),
            (vec!["a=9".into()], vec!["a=9".into()])
        );
    }
}

/// "Presence of `error_detail` decides, also with code 0."
#[test]
fn error_detail_with_code_zero_is_a_nack() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        let reply = world.answer(stream, request(EDS, &["a"]));
        world.send(stream, same(protocol, &reply, &["a"]).nack(&reply, 0, ""));
        assert!(matches!(world.kind(), RequestKind::Nack(nack) if nack.code == 0));
        assert_eq!(world.view(stream, EDS).version_acked, "");
    }
}

/// "An added name inside a NACK is served."
#[test]
fn a_name_added_in_a_nack_is_served() {
    for (protocol, names) in [(Sotw, ["a", "b"].as_slice()), (Delta, &["b"])] {
        let mut world = serving();
        let stream = world.open(protocol);
        let reply = world.answer(stream, request(EDS, &["a"]));
        assert_eq!(texts(&world.send(stream, request(EDS, names).nack(&reply, 3, "cannot"))), ["b=2"]);
    }
}

/// "A NACK before any response does no harm."
#[test]
fn a_nack_before_any_response_is_a_subscription() {
    for protocol in PROTOCOLS {
        let mut world = World::default();
        let stream = world.open(protocol);
        let mut elsewhere = serving();
        let other = elsewhere.open(protocol);
        let unseen = elsewhere.answer(other, request(EDS, &["a"]));
        for _ in 0..2 {
            assert_eq!(texts(&world.send(stream, request(EDS, &["a"]).nack(&unseen, 3, "cannot"))), NOTHING);
            assert_eq!(world.kind(), &RequestKind::Subscribe);
        }
        assert_eq!(texts(&world.change(stream, [put(EDS, "a", "1")])), ["a=1"]);
    }
}

/// "k changes while one response is un-ACKed: after the ACK exactly one more, the latest."
#[test]
fn changes_merge_while_a_response_is_in_flight() {
    for protocol in PROTOCOLS {
        for (type_id, whole) in [(LDS, "a=14 b=2"), (EDS, "a=14")] {
            let mut world = serving();
            let stream = world.open(protocol);
            let reply = world.answer(stream, request(type_id, &["a", "b"]));
            for content in 10..15 {
                assert_eq!(texts(&world.change(stream, [put(type_id, "a", &content.to_string())])), NOTHING);
            }
            let replies = world.send(stream, same(protocol, &reply, &["a", "b"]).ack(&reply));
            assert_eq!(texts(&replies), [if protocol == Sotw { whole } else { "a=14" }]);
            assert_eq!(
                texts(&world.send(stream, same(protocol, &reply, &["a", "b"]).ack(&replies[0]))),
                NOTHING
            );
        }
    }
}

/// A change that was reverted while a response was open is not sent.
#[test]
fn a_change_that_was_reverted_is_not_sent() {
    for protocol in PROTOCOLS {
        for type_id in [LDS, EDS] {
            let mut world = serving();
            let stream = world.open(protocol);
            let reply = world.answer(stream, request(type_id, &["a", "b"]));
            world.commit([put(type_id, "a", "9")]);
            world.commit([put(type_id, "a", "1")]);
            assert_eq!(texts(&world.send(stream, same(protocol, &reply, &["a", "b"]).ack(&reply))), NOTHING);
        }
    }
}

/// "no head-of-line blocking between types of one stream."
#[test]
fn an_open_response_of_one_type_does_not_delay_another() {
    for protocol in PROTOCOLS {
        let mut world = serving();
        let stream = world.open(protocol);
        world.answer(stream, request(CDS, &["a"]));
        world.answer(stream, request(EDS, &["a"]));
        assert_eq!(texts(&world.change(stream, [put(CDS, "a", "9")])), NOTHING);
        assert_eq!(texts(&world.send(stream, request(LDS, &["a"]))), ["a=1"]);
    }
}
