//! "`resource_errors` for clients that announce support" (xRFC TP3, gRFC A88): once, never beside the resource, with a
//! reason.

use std::collections::BTreeMap;

use steerway_engine::Protocol::{Delta, Sotw};

use crate::world::{CDS, EDS, NOTHING, RDS, World, absent, ask, put, texts};

const ABLE: [&str; 1] = ["supports-resource-errors"];

#[test]
fn a_missing_resource_is_explained_once() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS, RDS] {
            let mut world = World::serving([put(type_id, "a", "1"), absent(type_id, "b")]);
            let stream = world.open(protocol);
            let first = world.answer(stream, ask(type_id, &["a", "b"]).able(&ABLE));
            let told = BTreeMap::from([("b".to_owned(), "no such thing".to_owned())]);
            assert_eq!(first.errors, told, "{protocol:?} {type_id:?}");
            assert_eq!(first.resources.len(), 1);

            let again = || if protocol == Sotw { ask(type_id, &["a", "b"]) } else { ask(type_id, &[]) };
            world.say(stream, again().ack(&first));
            let second = world.change(stream, [put(type_id, "a", "2")]).remove(0);
            assert!(second.errors.is_empty(), "\"only expected to return the error message once\"");

            world.say(stream, again().ack(&second));
            let third = world.change(stream, [put(type_id, "b", "1")]).remove(0);
            assert!(third.errors.is_empty() && third.resources.contains_key("b"));
            world.say(stream, again().ack(&third));
            let fourth = world.change(stream, [absent(type_id, "b")]).remove(0);
            assert_eq!(fourth.errors, told, "gone again, told again");
        }
    }
}

#[test]
fn alone_it_is_a_response_of_its_own() {
    let mut world = World::serving([absent(EDS, "b")]);
    let stream = world.open(Sotw);
    assert_eq!(world.answer(stream, ask(EDS, &["b"]).able(&ABLE)).errors.len(), 1);
}

#[test]
fn who_did_not_announce_it_gets_none() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "a", "1"), absent(EDS, "b")]);
        let stream = world.open(protocol);
        assert!(world.answer(stream, ask(EDS, &["a", "b"])).errors.is_empty());
    }
    let mut world = World::serving([absent(EDS, "b")]);
    let stream = world.open(Sotw);
    assert_eq!(texts(&world.say(stream, ask(EDS, &["b"]))), NOTHING);
}
