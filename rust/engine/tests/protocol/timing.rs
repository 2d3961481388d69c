//! The latency of a change to a client: measured for resources that it held before, from the oldest change.

use std::sync::Arc;
use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Commit, Origin, Propagation, Put, RequestKind, Resource, TypeId};

use crate::world::{CDS, EDS, Reply, Request, World, complete, key, put, request};

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

/// A change that was received at `received` and is published 1 ms later; it happened 10 ms before.
fn changed(type_id: TypeId, name: &str, content: &str, received: Duration) -> Put {
    let event = received.checked_sub(MILLIS(10));
    let origin = Origin { event, received, published: received + MILLIS(1) };
    let value = format!("{name}={content}");
    let resource = Resource::new(type_id, name, value.as_bytes(), Vec::new());
    Put { key: key(type_id, name, ""), resource: Arc::new(resource.with_origin(Some(origin))) }
}

fn again(protocol: Protocol, reply: &Reply) -> Request {
    request(reply.type_id, if protocol == Sotw { &["a", "b"] } else { &[] }).ack(reply)
}

fn measured(world: &World) -> Option<Propagation> {
    match world.kind() {
        RequestKind::Ack { change, .. } => *change,
        other => panic!("no ACK: {other:?}"),
    }
}

#[test]
fn a_change_is_measured_to_its_ack_and_a_first_answer_is_not() {
    for (protocol, type_id) in [(Sotw, EDS), (Delta, EDS), (Sotw, CDS), (Delta, CDS)] {
        let mut world = World::serving([put(type_id, "b", "1"), complete(type_id)]);
        world.now = MILLIS(1000);
        world.apply(Commit { put: vec![changed(type_id, "a", "1", world.now)], ..Commit::default() });
        let stream = world.open(protocol);
        let first = world.answer(stream, request(type_id, &["a", "b"]));
        world.send(stream, again(protocol, &first));
        assert_eq!(measured(&world), None, "it was there before the client came");

        world.now = MILLIS(5000);
        world.apply(Commit { put: vec![changed(type_id, "a", "2", MILLIS(4990))], ..Commit::default() });
        let second = world.pump(stream).remove(0);
        world.now = MILLIS(5030);
        world.send(stream, again(protocol, &second));
        let change = measured(&world).expect("a change");
        assert_eq!(change.event_to_acked(), Some(MILLIS(50)));
        assert_eq!(change.received_to_acked(), MILLIS(40));
        assert_eq!((change.published_to_sent(), change.sent_to_acked()), (MILLIS(9), MILLIS(30)));
        assert_eq!(world.view(stream, type_id).change, Some(change));

        let third = world.change(stream, [put(type_id, "b", "2")]).remove(0);
        world.send(stream, again(protocol, &third));
        assert_eq!(measured(&world), None, "a resource without an origin");
        assert_eq!(world.view(stream, type_id).change, Some(change), "the last one that was measured");
    }
}

#[test]
fn a_response_counts_as_its_oldest_change() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "a", "1"), put(EDS, "b", "1")]);
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a", "b"]));
        // Both wait for the ACK.
        world.now = MILLIS(900);
        world.apply(Commit { put: vec![changed(EDS, "b", "2", MILLIS(300))], ..Commit::default() });
        world.apply(Commit { put: vec![changed(EDS, "a", "2", MILLIS(600))], ..Commit::default() });
        let second = world.send(stream, again(protocol, &first)).remove(0);
        world.send(stream, again(protocol, &second));
        assert_eq!(measured(&world).map(|change| change.received_to_acked()), Some(MILLIS(600)));
    }
}

#[test]
fn a_rejected_change_is_not_measured() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "a", "1"), put(EDS, "b", "1")]);
        let stream = world.open(protocol);
        let first = world.answer(stream, request(EDS, &["a", "b"]));
        world.send(stream, again(protocol, &first));
        world.apply(Commit { put: vec![changed(EDS, "a", "2", MILLIS(300))], ..Commit::default() });
        let second = world.pump(stream).remove(0);
        let names: &[&str] = if protocol == Sotw { &["a", "b"] } else { &[] };
        world.send(stream, request(EDS, names).nack(&second, 3, "cannot"));
        assert!(matches!(world.kind(), RequestKind::Nack(_)));
        assert_eq!(world.view(stream, EDS).change, None);
    }
}

#[test]
fn the_first_response_is_not_measured_even_if_the_client_held_an_older_version() {
    let mut world = World::serving([put(EDS, "a", "1")]);
    let before = world.open(Delta);
    let held = world.answer(before, request(EDS, &["a"])).versions["a"].clone();
    world.apply(Commit { put: vec![changed(EDS, "a", "2", MILLIS(300))], ..Commit::default() });
    let stream = world.open(Delta);
    let first = world.answer(stream, request(EDS, &["a"]).with_initial(&[("a", &held)]));
    assert_eq!(first.text(), "a=2");
    world.send(stream, again(Delta, &first));
    assert_eq!(measured(&world), None, "it was not connected when it changed");
}
