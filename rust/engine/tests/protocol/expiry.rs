//! "TTL and heartbeats" (xDS REST and gRPC protocol: TTL).

use std::collections::BTreeMap;
use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Commit, Put, Resource, TypeId};

use crate::world::{
    Ask, CDS, EDS, LDS, NOTHING, Reply, World, absent, ask, complete, forget, key, naming, put, texts,
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

fn endpoints() -> Ask {
    ask(EDS, &["a", "b"]).able(&ABLE)
}

/// A client that holds `a` for 30 s and `b` for ever.
fn client(protocol: Protocol) -> (World, usize, Reply) {
    let mut world = World::serving([put(EDS, "b", "1")]);
    expiring(&mut world, EDS, "a", "1");
    let stream = world.open(protocol);
    let first = world.answer(stream, endpoints());
    assert_eq!(first.ttls, BTreeMap::from([("a".to_owned(), TTL)]));
    (world, stream, first)
}

fn ack(protocol: Protocol, reply: &Reply) -> Ask {
    let again = if protocol == Sotw { endpoints() } else { ask(EDS, &[]) };
    again.ack(reply)
}

#[test]
fn a_heartbeat_comes_three_times_in_a_life_without_the_resource() {
    for protocol in [Sotw, Delta] {
        let (mut world, stream, first) = client(protocol);
        world.say(stream, ack(protocol, &first));
        let version = if protocol == Sotw { first.version.clone() } else { first.versions["a"].clone() };
        for _ in 0..3 {
            world.wait(TTL / 3 - Duration::from_millis(1));
            assert_eq!(texts(&world.pump(stream)), NOTHING, "{protocol:?}");
            world.wait(Duration::from_millis(1));
            let beat = world.pump(stream).remove(0);
            assert_eq!((beat.text().as_str(), &beat.version), ("~a", &first.version), "{protocol:?}");
            assert_eq!(
                (&beat.beats["a"], beat.ttls["a"]),
                (&version, TTL),
                "the version that the client has"
            );
            assert_eq!(texts(&world.say(stream, ack(protocol, &beat))), NOTHING);
        }
    }
}

#[test]
fn a_change_is_a_heartbeat_too() {
    let (mut world, stream, first) = client(Delta);
    world.say(stream, ack(Delta, &first));
    world.wait(TTL / 4);
    expiring(&mut world, EDS, "a", "2");
    let change = world.pump(stream).remove(0);
    assert_eq!((change.text().as_str(), change.ttls.len()), ("a=2", 1));
    world.say(stream, ack(Delta, &change));
    world.wait(TTL / 4);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    world.wait(TTL / 4);
    assert_eq!(texts(&world.pump(stream)), ["~a"]);
}

#[test]
fn heartbeats_end_with_the_resource_and_with_the_interest() {
    for leave in [false, true] {
        let (mut world, stream, first) = client(Delta);
        world.say(stream, ack(Delta, &first));
        if leave {
            world.say(stream, ask(EDS, &[]).leave(&["a"]));
        } else {
            let gone = world.change(stream, [absent(EDS, "a")]).remove(0);
            world.say(stream, ack(Delta, &gone));
        }
        world.wait(TTL * 2);
        assert_eq!(texts(&world.pump(stream)), NOTHING);
        world.wait(TTL * 2);
        assert_eq!(world.stream(stream).next_deadline(), None);
    }
}

/// State of the world has no way to say that endpoints are gone: no heartbeat says it.
#[test]
fn with_state_of_the_world_what_is_gone_ends_in_time() {
    let (mut world, stream, first) = client(Sotw);
    world.say(stream, ack(Sotw, &first));
    assert_eq!(texts(&world.change(stream, [absent(EDS, "a")])), NOTHING);
    world.wait(TTL * 2);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    assert_eq!(world.stream(stream).next_deadline(), None);
}

#[test]
fn a_full_state_type_beats_with_the_whole_set() {
    let mut world = World::serving([put(CDS, "b", "1")]);
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let clusters = || ask(CDS, &["a", "b"]).able(&ABLE);
    let first = world.answer(stream, clusters());
    world.say(stream, clusters().ack(&first));
    world.wait(TTL / 3);
    let beat = world.pump(stream).remove(0);
    assert_eq!((beat.text().as_str(), &beat.version), ("a=1 b=1", &first.version));
    assert_eq!(beat.ttls.len(), 1);
}

#[test]
fn who_cannot_is_not_told() {
    for (protocol, features) in
        [(Sotw, &[][..]), (Sotw, &["supports-resource-ttl"]), (Sotw, &["resource-in-sotw"]), (Delta, &[])]
    {
        let mut world = World::default();
        expiring(&mut world, EDS, "a", "1");
        let stream = world.open(protocol);
        let first = world.answer(stream, ask(EDS, &["a"]).able(features));
        assert_eq!((first.text().as_str(), first.ttls.len()), ("a=1", 0), "{protocol:?} {features:?}");
        world.wait(TTL);
        assert_eq!(texts(&world.pump(stream)), NOTHING);
    }
}

#[test]
fn a_list_that_was_looked_at_and_not_sent_is_no_heartbeat() {
    let mut world = World::default();
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let clusters = || ask(CDS, &["a"]).able(&ABLE);
    let first = world.answer(stream, clusters());
    world.say(stream, clusters().ack(&first));
    world.wait(TTL / 4);
    world.commit([put(CDS, "a", "2")]);
    expiring(&mut world, CDS, "a", "1");
    assert_eq!(texts(&world.pump(stream)), NOTHING, "it is what the client has");
    world.wait(TTL / 12);
    assert_eq!(texts(&world.pump(stream)), ["a=1"], "a third of its life after it was sent");
}

#[test]
fn another_time_to_live_is_told_with_the_resource() {
    for protocol in [Sotw, Delta] {
        for type_id in [CDS, EDS] {
            let mut world = World::default();
            expiring(&mut world, type_id, "a", "1");
            let stream = world.open(protocol);
            let first = world.answer(stream, ask(type_id, &["a"]).able(&ABLE));
            let again =
                || if protocol == Sotw { ask(type_id, &["a"]).able(&ABLE) } else { ask(type_id, &[]) };
            world.say(stream, again().ack(&first));
            living(&mut world, type_id, "a", "1", TTL / 10);
            let shorter = world.pump(stream).remove(0);
            assert_eq!(
                (shorter.text().as_str(), shorter.ttls["a"]),
                ("a=1", TTL / 10),
                "{protocol:?} {type_id:?}"
            );
            world.say(stream, again().ack(&shorter));
            world.wait(TTL / 30);
            assert_eq!(world.pump(stream).len(), 1, "heartbeats follow");
        }
    }
}

/// A cluster that a route still names is listed for longer than it is served: with its heartbeats, and no faster.
#[test]
fn what_waits_to_leave_is_kept_alive() {
    let mut world = World::serving([complete(CDS), naming(LDS, "l", "1", CDS, &["a"]), put(LDS, "m", "1")]);
    living(&mut world, CDS, "a", "1", Duration::from_secs(3));
    let stream = world.open(Sotw);
    let clusters = world.answer(stream, ask(CDS, &[]).able(&ABLE));
    world.say(stream, ask(CDS, &[]).ack(&clusters));
    let listeners = world.answer(stream, ask(LDS, &["l"]));
    world.say(stream, ask(LDS, &["l"]).ack(&listeners));
    world.commit([forget(CDS, "a")]);
    assert_eq!(texts(&world.pump(stream)), NOTHING);
    let mut got = Vec::new();
    for _ in 0..4 {
        world.wait(Duration::from_secs(1));
        for reply in world.pump(stream) {
            got.push(reply.text());
            world.say(stream, ask(CDS, &[]).ack(&reply));
        }
    }
    assert_eq!(got, ["a=1"; 4], "one a second");
}

/// Who does not answer, or wants nothing any more, must not have the time told over and over.
#[test]
fn a_deadline_is_told_once() {
    for protocol in [Sotw, Delta] {
        let (mut world, stream, first) = client(protocol);
        world.wait(TTL);
        assert_eq!(world.stream(stream).next_deadline(), None, "a response is in flight");
        let replies = world.say(stream, ack(protocol, &first));
        assert_eq!(texts(&replies), ["~a"], "what was due comes with the answer");
        assert!(world.stream(stream).next_deadline().is_some_and(|due| due > world.now));
    }
}

#[test]
fn a_client_that_wants_nothing_any_more_has_no_deadline() {
    let mut world = World::default();
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Sotw);
    let first = world.answer(stream, ask(CDS, &["a"]).able(&ABLE));
    assert_eq!(texts(&world.say(stream, ask(CDS, &[]).ack(&first))), NOTHING);
    world.wait(TTL);
    assert_eq!(world.stream(stream).next_deadline(), None);
}

/// Its time runs on while it is away, and it does not say how far.
#[test]
fn what_a_reconnecting_client_has_is_kept_alive_at_once() {
    let (mut world, _, first) = client(Delta);
    let held = [("a", first.versions["a"].as_str()), ("b", first.versions["b"].as_str())];
    let stream = world.open(Delta);
    let beat = world.answer(stream, endpoints().holding(&held));
    assert_eq!((beat.text().as_str(), beat.ttls["a"]), ("~a", TTL));
    world.say(stream, ack(Delta, &beat));
    world.wait(TTL / 3);
    assert_eq!(texts(&world.pump(stream)), ["~a"]);
}

/// The content is the same; what the client has of it would end.
#[test]
fn a_reconnecting_client_hears_that_the_time_to_live_is_another() {
    let (mut world, _, first) = client(Delta);
    let held = [("a", first.versions["a"].as_str()), ("b", first.versions["b"].as_str())];
    world.change(0, [put(EDS, "a", "1")]);
    let stream = world.open(Delta);
    let answer = world.answer(stream, endpoints().holding(&held));
    assert_eq!((answer.text().as_str(), answer.ttls.len()), ("a=1", 0));
}

/// discovery.proto, DeltaDiscoveryRequest.initial_resource_versions: versions decide what is sent again. The version is
/// that of the store, which is the same for every client: one that ignores times to live learns it with the resource.
#[test]
fn a_client_that_ignores_times_to_live_gets_the_version_with_one() {
    let held = Resource::new(CDS, "a", b"a=1", Vec::new()).version_text();
    let mut world = World::serving([complete(CDS)]);
    expiring(&mut world, CDS, "a", "1");
    let stream = world.open(Delta);
    let answer = world.answer(stream, ask(CDS, &[]).holding(&[("a", &held)]));
    assert_eq!((answer.text().as_str(), answer.ttls.len()), ("a=1", 0));
    world.say(stream, ask(CDS, &[]).ack(&answer));

    let again = world.open(Delta);
    let answer = world.answer(again, ask(CDS, &[]).holding(&[("a", &answer.versions["a"])]));
    assert_eq!(answer.text(), "", "nothing is sent again that is current");
    world.say(again, ask(CDS, &[]).ack(&answer));

    let changed = world.change(again, [put(CDS, "a", "1")]).remove(0);
    assert_eq!(
        (changed.text().as_str(), &changed.versions["a"]),
        ("a=1", &held),
        "so it is without one again"
    );
}
