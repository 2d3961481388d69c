//! "TTL and heartbeats" (xDS REST and gRPC protocol: TTL).

use std::collections::BTreeMap;
use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Commit, Put, Resource, TypeId};

use crate::world::{
    CDS, EDS, LDS, NOTHING, Reply, Request, World, absent, complete, forget, key, naming, put, request, texts,
};

const TTL: Duration = Duration::from_secs(30);
const ABLE: [&str; 2] = ["supports-resource-ttl", "resource-in-sotw"];

fn expiring(world: &mut World, type_id: TypeId, name: &str, content: &str) {
    living(world, type_id, name, content, TTL);
}

fn living(world: &mut World, type_id: TypeId, name: &str, content: &str, ttl: Duration) {
    let value = format!("{name}={content}");
    let resource = Resource::new(type_id, name, value.as_bytes(), Vec::new()).with_ttl(name, ttl);
    world.apply(Commit {
        put: vec![Put { key: key(type_id, name, ""), resource: resource.into() }],
        ..Commit::default()
    });
}

fn endpoints() -> Request {
    request(EDS, &["a", "b"]).with_features(&ABLE)
}

/// A client that holds `a` for 30 s and `b` without limit.
fn client(protocol: Protocol) -> (World, usize, Reply) {
    let mut world = World::serving([put(EDS, "b", "1")]);
    expiring(&mut world, EDS, "a", "1");
    let stream = world.open(protocol);
    let first = world.answer(stream, endpoints());
    assert_eq!(first.ttls, BTreeMap::from([("a".to_owned(), TTL)]));
    (world, stream, first)
}

fn ack(protocol: Protocol, reply: &Reply) -> Request {
    let again = if protocol == Sotw { endpoints() } else { request(EDS, &[]) };
    again.ack(reply)
}

#[test]
fn three_heartbeats_per_ttl_carry_no_resource() {
    for protocol in [Sotw, Delta] {
        let (mut world, stream, first) = client(protocol);
        world.send(stream, ack(protocol, &first));
        let version = if protocol == Sotw { first.version.clone() } else { first.versions["a"].clone() };
        for _ in 0..3 {
            world.wait(TTL / 3 - Duration::from_millis(1));
            assert_eq!(texts(&world.pump(stream)), NOTHING, "{protocol:?}");
            world.wait(Duration::from_millis(1));
            let heartbeat = world.pump(stream).remove(0);
            assert_eq!(
                (heartbeat.text().as_str(), &heartbeat.version),
                ("~a", &first.version),
                "{protocol:?}"
            );
            assert_eq!(
                (&heartbeat.heartbeats["a"], heartbeat.ttls["a"]),
                (&version, TTL),
                "the version that the client has"
            );
            assert_eq!(texts(&world.send(stream, ack(protocol, &heartbeat))), NOTHING);
        }
    }
}

#[test]
fn a_change_is_a_heartbeat_too() {
    let (mut world, stream, first) = client(Delta);
    world.send(stream, ack(Delta, &first));
    world.wait(TTL / 4);
    expiring(&mut world, EDS, "a", "2");
    let change = world.pump(stream).remove(0);
    assert_eq!((change.text().as_str(), change.ttls.len()), ("a=2", 1));
    world.send(stream, ack(Delta, &change));
    world.wait(TTL / 4);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    world.wait(TTL / 4);
    assert_eq!(texts(&world.pump(stream)), ["~a"]);
}

#[test]
fn heartbeats_end_with_the_resource_and_the_subscription() {
    for leave in [false, true] {
        let (mut world, stream, first) = client(Delta);
        world.send(stream, ack(Delta, &first));
        if leave {
            world.send(stream, request(EDS, &[]).unsubscribe(&["a"]));
        } else {
            let gone = world.change(stream, [absent(EDS, "a")]).remove(0);
            world.send(stream, ack(Delta, &gone));
        }
        world.wait(TTL * 2);
        assert_eq!(texts(&world.pump(stream)), NOTHING);
        world.wait(TTL * 2);
        assert_eq!(world.stream(stream).next_deadline(), None);
    }
}

/// State of the world cannot report that endpoints were removed: they get no heartbeat.
#[test]
fn over_sotw_a_removed_resource_gets_no_heartbeat() {
    let (mut world, stream, first) = client(Sotw);
    world.send(stream, ack(Sotw, &first));
    assert_eq!(texts(&world.change(stream, [absent(EDS, "a")])), NOTHING);
    world.wait(TTL * 2);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    assert_eq!(world.stream(stream).next_deadline(), None);
}

#[test]
fn a_heartbeat_of_a_full_state_type_carries_the_whole_set() {
    let mut world = World::serving([put(CDS, "b", "1")]);
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let clusters = || request(CDS, &["a", "b"]).with_features(&ABLE);
    let first = world.answer(stream, clusters());
    world.send(stream, clusters().ack(&first));
    world.wait(TTL / 3);
    let heartbeat = world.pump(stream).remove(0);
    assert_eq!((heartbeat.text().as_str(), &heartbeat.version), ("a=1 b=1", &first.version));
    assert_eq!(heartbeat.ttls.len(), 1);
}

#[test]
fn clients_without_the_feature_get_no_ttl() {
    for (protocol, features) in
        [(Sotw, &[][..]), (Sotw, &["supports-resource-ttl"]), (Sotw, &["resource-in-sotw"]), (Delta, &[])]
    {
        let mut world = World::default();
        expiring(&mut world, EDS, "a", "1");
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a"]).with_features(features));
        assert_eq!((first.text().as_str(), first.ttls.len()), ("a=1", 0), "{protocol:?} {features:?}");
        world.wait(TTL);
        assert_eq!(texts(&world.pump(stream)), NOTHING);
    }
}

#[test]
fn a_set_that_was_not_sent_is_no_heartbeat() {
    let mut world = World::default();
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let clusters = || request(CDS, &["a"]).with_features(&ABLE);
    let first = world.answer(stream, clusters());
    world.send(stream, clusters().ack(&first));
    world.wait(TTL / 4);
    world.commit([put(CDS, "a", "2")]);
    expiring(&mut world, CDS, "a", "1");
    assert_eq!(texts(&world.pump(stream)), NOTHING, "it is what the client has");
    world.wait(TTL / 12);
    assert_eq!(texts(&world.pump(stream)), ["a=1"], "a third of its life after it was sent");
}

#[test]
fn a_changed_ttl_is_sent_with_the_resource() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS] {
            let mut world = World::default();
            expiring(&mut world, type_id, "a", "1");
            let stream = world.open(protocol);
            let first = world.answer(stream, request(type_id, &["a"]).with_features(&ABLE));
            let again = || {
                if protocol == Sotw {
                    request(type_id, &["a"]).with_features(&ABLE)
                } else {
                    request(type_id, &[])
                }
            };
            world.send(stream, again().ack(&first));
            living(&mut world, type_id, "a", "1", TTL / 10);
            let shorter = world.pump(stream).remove(0);
            assert_eq!(
                (shorter.text().as_str(), shorter.ttls["a"]),
                ("a=1", TTL / 10),
                "{protocol:?} {type_id:?}"
            );
            world.send(stream, again().ack(&shorter));
            world.wait(TTL / 30);
            assert_eq!(world.pump(stream).len(), 1, "heartbeats follow");
        }
    }
}

/// A cluster that a route still names is listed for longer than it is served: with its heartbeats, and no faster.
#[test]
fn a_resource_that_waits_for_its_removal_gets_heartbeats() {
    let mut world = World::serving([complete(CDS), naming(LDS, "l", "1", CDS, &["a"]), put(LDS, "m", "1")]);
    living(&mut world, CDS, "a", "1", Duration::from_secs(3));
    let stream = world.open(Sotw);
    let clusters = world.answer(stream, request(CDS, &[]).with_features(&ABLE));
    world.send(stream, request(CDS, &[]).ack(&clusters));
    let listeners = world.answer(stream, request(LDS, &["l"]));
    world.send(stream, request(LDS, &["l"]).ack(&listeners));
    world.commit([forget(CDS, "a")]);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    let mut got = Vec::new();
    for _ in 0..4 {
        world.wait(Duration::from_secs(1));
        for reply in world.pump(stream) {
            got.push(reply.text());
            world.send(stream, request(CDS, &[]).ack(&reply));
        }
    }
    assert_eq!(got, ["a=1"; 4], "one a second");
}

/// A client that does not answer, or has no subscription, must not cause repeated deadlines.
#[test]
fn a_deadline_is_reported_once() {
    for protocol in [Sotw, Delta] {
        let (mut world, stream, first) = client(protocol);
        world.wait(TTL);
        assert_eq!(world.stream(stream).next_deadline(), None, "a response is in flight");
        let replies = world.send(stream, ack(protocol, &first));
        assert_eq!(texts(&replies), ["~a"], "what was due comes with the answer");
        assert!(world.stream(stream).next_deadline().is_some_and(|due| due > world.now));
    }
}

#[test]
fn a_client_without_subscriptions_has_no_deadline() {
    let mut world = World::default();
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let first = world.answer(stream, request(CDS, &["a"]).with_features(&ABLE));
    assert_eq!(texts(&world.send(stream, request(CDS, &[]).ack(&first))), NOTHING);
    world.wait(TTL);
    assert_eq!(world.stream(stream).next_deadline(), None);
}

/// The time to live runs on while the client is disconnected; it does not report how much is left.
#[test]
fn a_reconnecting_client_gets_a_heartbeat_at_once() {
    let (mut world, _, first) = client(Delta);
    let held = [("a", first.versions["a"].as_str()), ("b", first.versions["b"].as_str())];
    let stream = world.open(Delta);
    let heartbeat = world.answer(stream, endpoints().with_initial(&held));
    assert_eq!((heartbeat.text().as_str(), heartbeat.ttls["a"]), ("~a", TTL));
    world.send(stream, ack(Delta, &heartbeat));
    world.wait(TTL / 3);
    assert_eq!(texts(&world.pump(stream)), ["~a"]);
}

/// The content is the same; the resource of the client would expire.
#[test]
fn a_reconnecting_client_gets_a_changed_ttl() {
    let (mut world, _, first) = client(Delta);
    let held = [("a", first.versions["a"].as_str()), ("b", first.versions["b"].as_str())];
    world.change(0, [put(EDS, "a", "1")]);
    let stream = world.open(Delta);
    let answer = world.answer(stream, endpoints().with_initial(&held));
    assert_eq!((answer.text().as_str(), answer.ttls.len()), ("a=1", 0));
}

/// discovery.proto, DeltaDiscoveryRequest.initial_resource_versions: versions decide what is sent again. The version is
/// that of the store, which is the same for every client: one without TTL support learns it with the resource.
#[test]
fn a_client_without_ttl_support_gets_the_version_with_one() {
    let held = Resource::new(CDS, "a", b"a=1", Vec::new()).version_text();
    let mut world = World::serving([complete(CDS)]);
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Delta);
    let answer = world.answer(stream, request(CDS, &[]).with_initial(&[("a", &held)]));
    assert_eq!((answer.text().as_str(), answer.ttls.len()), ("a=1", 0));
    world.send(stream, request(CDS, &[]).ack(&answer));

    let again = world.open(Delta);
    let answer = world.answer(again, request(CDS, &[]).with_initial(&[("a", &answer.versions["a"])]));
    assert_eq!(answer.text(), "", "nothing is sent again that is current");
    world.send(again, request(CDS, &[]).ack(&answer));

    let changed = world.change(again, [put(CDS, "a", "1")]).remove(0);
    assert_eq!(
        (changed.text().as_str(), &changed.versions["a"]),
        ("a=1", &held),
        "so it is without one again"
    );
}
