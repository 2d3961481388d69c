//! "`resource_errors` for clients that announce support" (xRFC TP3, gRFC A88): once, never beside the resource, with a
//! reason.

use std::collections::BTreeMap;

use steerway_engine::Commit;
use steerway_engine::Protocol::{Delta, Sotw};

use crate::world::{
    CDS, EDS, LDS, NOTHING, RDS, World, absent, complete, forget, key, naming, put, request, texts,
};

const ABLE: [&str; 1] = ["supports-resource-errors"];

#[test]
fn an_error_for_a_missing_resource_is_sent_once() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS, RDS] {
            let mut world = World::serving([put(type_id, "a", "1"), absent(type_id, "b")]);
            let stream = world.open(protocol);
            let first = world.answer(stream, request(type_id, &["a", "b"]).with_features(&ABLE));
            let expected = BTreeMap::from([("b".to_owned(), "no such thing".to_owned())]);
            assert_eq!(first.errors, expected, "{protocol:?} {type_id:?}");
            assert_eq!(first.resources.len(), 1);

            let again =
                || if protocol == Sotw { request(type_id, &["a", "b"]) } else { request(type_id, &[]) };
            world.send(stream, again().ack(&first));
            let second = world.change(stream, [put(type_id, "a", "2")]).remove(0);
            assert!(second.errors.is_empty(), "\"only expected to return the error message once\"");

            world.send(stream, again().ack(&second));
            let third = world.change(stream, [put(type_id, "b", "1")]).remove(0);
            assert!(third.errors.is_empty() && third.resources.contains_key("b"));
            world.send(stream, again().ack(&third));
            let fourth = world.change(stream, [absent(type_id, "b")]).remove(0);
            assert_eq!(fourth.errors, expected, "removed again, reported again");
        }
    }
}

/// "only expected to return the error message once": neither another lookup of the absence nor another reason repeats
/// it. A client that subscribes to the name again gets it again.
#[test]
fn an_error_is_repeated_only_for_a_client_that_subscribes_again() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS, RDS] {
            let mut world = World::serving([absent(type_id, "b"), put(type_id, "a", "1")]);
            let stream = world.open(protocol);
            let first = world.answer(stream, request(type_id, &["a", "b"]).with_features(&ABLE));
            assert_eq!(first.errors.len(), 1, "{protocol:?} {type_id:?}");
            let same =
                || if protocol == Sotw { request(type_id, &["a", "b"]) } else { request(type_id, &[]) };
            world.send(stream, same().ack(&first));

            let mut unchanged = world.change(stream, [forget(type_id, "b")]);
            unchanged.extend(world.change(stream, [absent(type_id, "b")]));
            let other = (key(type_id, "b", ""), "another reason".into());
            world.apply(Commit { absent: vec![other], ..Commit::default() });
            unchanged.extend(world.pump(stream));
            assert_eq!(unchanged, [], "{protocol:?} {type_id:?}");

            if protocol == Sotw {
                world.send(stream, request(type_id, &["a"]).ack(&first));
            }
            let names: &[&str] = if protocol == Sotw { &["a", "b"] } else { &["b"] };
            let again = world.answer(stream, request(type_id, names).ack(&first));
            let reason = BTreeMap::from([("b".to_owned(), "another reason".to_owned())]);
            assert_eq!(again.errors, reason, "{protocol:?} {type_id:?}");
        }
    }
}

/// A listener that waits for its cluster is not in the set, and is not missing either.
#[test]
fn a_waiting_resource_has_no_error() {
    let mut world = World::serving([complete(CDS), put(LDS, "m", "1"), absent(LDS, "n")]);
    let stream = world.open(Sotw);
    world.answer(stream, request(CDS, &["*"]).with_features(&ABLE));
    world.commit([put(CDS, "c", "1"), naming(LDS, "l", "1", CDS, &["c"])]);
    let listeners = world.answer(stream, request(LDS, &["l", "m", "n"]));
    assert_eq!(listeners.text(), "m=1");
    assert_eq!(listeners.errors.keys().collect::<Vec<_>>(), ["n"]);
}

#[test]
fn an_error_alone_is_a_response() {
    let mut world = World::serving([absent(EDS, "b")]);
    let stream = world.open(Sotw);
    assert_eq!(world.answer(stream, request(EDS, &["b"]).with_features(&ABLE)).errors.len(), 1);
}

#[test]
fn clients_without_the_feature_get_no_errors() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "a", "1"), absent(EDS, "b")]);
        let stream = world.open(protocol);
        assert!(world.answer(stream, request(EDS, &["a", "b"])).errors.is_empty());
    }
    let mut world = World::serving([absent(EDS, "b")]);
    let stream = world.open(Sotw);
    assert_eq!(texts(&world.send(stream, request(EDS, &["b"]))), NOTHING);
}
