//! "xdstp names with authorities and glob collections" (xRFC TP1, gRFC A47).

use steerway_engine::Protocol::{self, Delta, Sotw};

use crate::world::{AUDIENCE, CDS, EDS, NOTHING, World, absent, complete, forget, put, request, texts};

const GLOB: &str = "xdstp://auth/T/shop/*?env=prod";
const A: &str = "xdstp://auth/T/shop/a?env=prod";
const B: &str = "xdstp://auth/T/shop/b?env=prod";
const OTHERS: [&str; 4] =
    ["xdstp://auth/T/shop/a", "xdstp://auth/T/shop/deep/a?env=prod", "xdstp://auth/T/bank/a?env=prod", "a"];

fn world(type_id: steerway_engine::TypeId) -> World {
    let mut world = World::serving([complete(type_id), put(type_id, A, "1")]);
    world.commit(OTHERS.map(|name| put(type_id, name, "1")));
    world
}

fn short(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(|text| text.replace("xdstp://auth/T/shop/", "").replace("?env=prod", "")).collect()
}

#[test]
fn a_collection_covers_names_that_differ_in_the_last_segment() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS] {
            let mut world = world(type_id);
            let stream = world.open(protocol);
            let first = world.answer(stream, request(type_id, &[GLOB]));
            assert_eq!(short(texts(std::slice::from_ref(&first))), ["a=1"], "{protocol:?}");
            let again = if protocol == Sotw { request(type_id, &[GLOB]) } else { request(type_id, &[]) };
            world.send(stream, again.clone().ack(&first));
            assert_eq!(texts(&world.change(stream, OTHERS.map(|name| put(type_id, name, "2")))), NOTHING);

            let grown = world.change(stream, [put(type_id, B, "1")]);
            let full = protocol == Sotw && type_id == CDS;
            assert_eq!(short(texts(&grown)), [if full { "a=1 b=1" } else { "b=1" }], "{protocol:?}");
            world.send(stream, again.clone().ack(&grown[0]));

            let shrunk = world.change(stream, [forget(type_id, A)]);
            let expected: &[&str] = match (protocol, full) {
                (_, true) => &["b=1"],
                (Delta, _) => &["-a"],
                (Sotw, _) => &[],
            };
            assert_eq!(short(texts(&shrunk)), expected, "{protocol:?}");
        }
    }
}

#[test]
fn an_empty_collection_is_answered_and_an_incomplete_one_waits() {
    for protocol in [Sotw, Delta] {
        let mut world = World::default();
        let stream = world.open(protocol);
        assert_eq!(texts(&world.send(stream, request(CDS, &[GLOB]))), NOTHING, "{protocol:?}");
        assert_eq!(world.view(stream, CDS).waiting.len(), 1);
        assert_eq!(texts(&world.change(stream, [complete(CDS)])), [""], "{protocol:?}");
    }
}

#[test]
fn names_are_compared_in_canonical_form() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "xdstp://auth/T/x?a=1&b=2", "1")]);
        let stream = world.open(protocol);
        let first =
            world.answer(stream, request(EDS, &["xdstp://auth/T/%78?b=2&a=1", "xdstp://auth/T/x?a=1&b=2"]));
        assert_eq!(first.resources.len(), 1, "{protocol:?}");
        assert_eq!(world.stream(stream).interests().count(), 1);
    }
}

#[test]
fn names_of_a_removed_collection_are_dropped() {
    for protocol in [Sotw, Delta] {
        let mut world = world(CDS);
        world.commit([put(CDS, B, "1")]);
        let stream = world.open(protocol);
        let first = world.answer(stream, request(CDS, &[GLOB, A]));
        assert_eq!(short(texts(std::slice::from_ref(&first))), ["a=1 b=1"]);
        let leave =
            if protocol == Sotw { request(CDS, &[A]) } else { request(CDS, &[]).unsubscribe(&[GLOB]) };
        let replies = world.send(stream, leave.ack(&first));
        assert!(replies.iter().all(|reply| !reply.resources.contains_key(B)), "{protocol:?}: {replies:?}");
        let changed = world.change(stream, [put(CDS, A, "2"), put(CDS, B, "2")]);
        assert_eq!(short(texts(&changed)), ["a=2"], "{protocol:?}");
    }
}

#[test]
fn a_reconnecting_client_gets_what_it_lacks() {
    let mut world = world(CDS);
    world.commit([put(CDS, B, "1")]);
    let stream = world.open(Delta);
    let first = world.answer(stream, request(CDS, &[GLOB]));
    let gone = "xdstp://auth/T/shop/gone?env=prod";
    world.commit([put(CDS, B, "2"), absent(CDS, gone)]);
    let again = world.open(Delta);
    let held = [(A, first.versions[A].as_str()), (B, &first.versions[B]), (gone, "0000000000000001")];
    let reply = world.answer(again, request(CDS, &[GLOB]).with_initial(&held));
    assert_eq!(short(vec![reply.text()]), ["b=2 -gone"]);
}

#[test]
fn a_collection_subscribed_again_is_sent_again() {
    fn of(protocol: Protocol) -> Vec<String> {
        let mut world = world(EDS);
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &[GLOB]));
        short(texts(&world.send(stream, request(EDS, &[GLOB]).ack(&first))))
    }
    assert_eq!(of(Delta), ["a=1"], "\"even if it believes the client has the most recent version\"");
    assert_eq!(of(Sotw), NOTHING, "an ACK");
}

/// "the server must respond with all resources listed in resource_names_subscribe, even if it believes the client has
/// the most recent version of them"
#[test]
fn a_collection_subscribed_again_is_sent_again_beside_other_names() {
    let mut world = world(CDS);
    let other = world.open(Delta);
    let held = world.answer(other, request(CDS, &[GLOB])).versions[A].clone();
    let stream = world.open(Delta);
    // Nothing is answered before the stream has its audience.
    for names in [GLOB, GLOB, "*"] {
        world.feed(stream, request(CDS, &[names]).with_initial(&[(A, &held)])).unwrap();
    }
    world.classify(stream, AUDIENCE);
    let reply = world.pump(stream).remove(0);
    assert!(reply.resources.contains_key(A) && reply.resources.len() == 1 + OTHERS.len());
}
