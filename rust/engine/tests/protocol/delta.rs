//! "Subscriptions" and `initial_resource_versions`, delta.

use steerway_engine::Protocol::Delta;

use crate::world::{
    CDS, EDS, LDS, NOTHING, RDS, Reply, World, absent, complete, forget, put, request, resource, texts,
};

fn serving() -> World {
    let types = [LDS, CDS, EDS, RDS].into_iter();
    World::serving(types.flat_map(|t| [put(t, "a", "1"), put(t, "b", "2"), complete(t)]))
}

fn version_of(name: &str, content: &str) -> String {
    resource(CDS, name, content).version_text()
}

fn finish(world: &mut World, stream: usize, replies: Vec<Reply>) {
    for reply in replies {
        assert_eq!(
            texts(&world.send(stream, request(reply.type_id, &[]).ack(&reply))),
            NOTHING,
            "ACK: silence"
        );
    }
}

/// "Delta: legacy wildcard, `*`".
#[test]
fn a_first_request_without_names_or_with_a_wildcard_subscribes_to_all() {
    for names in [&[] as &[&str], &["*"]] {
        let mut world = serving();
        let stream = world.open(Delta);
        let reply = world.answer(stream, request(LDS, names));
        assert_eq!(reply.text(), "a=1 b=2");
        assert_eq!(reply.versions["a"], version_of("a", "1"), "delta: per-resource version = content hash");
        finish(&mut world, stream, vec![reply]);
        assert_eq!(texts(&world.change(stream, [put(LDS, "c", "3")])), ["c=3"], "only what changed");
    }
}

/// Only listeners and clusters have a wildcard; a first request that unsubscribes something is none.
#[test]
fn other_requests_without_names_get_no_response() {
    let mut world = serving();
    let stream = world.open(Delta);
    assert_eq!(texts(&world.send(stream, request(EDS, &[]))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(EDS, &["*"]))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(CDS, &[]).unsubscribe(&["a"]))), NOTHING);
    assert_eq!(world.stream(stream).interests().count(), 0);
}

/// A wildcard is answered when all resources are published, and also when there are none.
#[test]
fn the_first_response_to_a_wildcard_is_complete_or_empty() {
    let mut world = World::default();
    let stream = world.open(Delta);
    assert_eq!(texts(&world.send(stream, request(CDS, &[]))), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(CDS, "a", "1")])), NOTHING, "not yet all");
    assert_eq!(texts(&world.change(stream, [put(CDS, "b", "2"), complete(CDS)])), ["a=1 b=2"]);
    let other = world.open(Delta);
    assert_eq!(texts(&world.send(other, request(LDS, &["*"]))), NOTHING);
    assert_eq!(texts(&world.change(other, [complete(LDS)])), [""]);
}

/// The four steps of the specification's example, with a change at each.
#[test]
fn wildcard_and_names_are_added_and_removed() {
    let mut world = serving();
    let stream = world.open(Delta);
    let replies = world.send(stream, request(CDS, &[]));
    finish(&mut world, stream, replies);
    let replies = world.send(stream, request(CDS, &["a"]));
    assert_eq!(texts(&replies), ["a=1"], "named: answered again");
    finish(&mut world, stream, replies);
    let replies = world.change(stream, [put(CDS, "b", "3")]);
    assert_eq!(texts(&replies), ["b=3"], "the wildcard goes on");
    finish(&mut world, stream, replies);
    assert_eq!(texts(&world.send(stream, request(CDS, &[]).unsubscribe(&["*"]))), NOTHING);
    let replies = world.change(stream, [put(CDS, "a", "9"), put(CDS, "b", "9")]);
    assert_eq!(texts(&replies), ["a=9"], "the name stays");
    finish(&mut world, stream, replies);
    assert_eq!(texts(&world.send(stream, request(CDS, &[]).unsubscribe(&["a"]))), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(CDS, "a", "10")])), NOTHING);
    assert_eq!(
        texts(&world.send(stream, request(CDS, &[]))),
        NOTHING,
        "the legacy wildcard does not come back"
    );
}

/// "subscribe and unsubscribe, both in one message."
#[test]
fn names_are_added_and_removed_in_one_message() {
    let mut world = serving();
    let stream = world.open(Delta);
    let replies = world.send(stream, request(EDS, &["a"]));
    finish(&mut world, stream, replies);
    let replies = world.send(stream, request(EDS, &["b"]).unsubscribe(&["a", "phantom"]));
    assert_eq!(texts(&replies), ["b=2"]);
    finish(&mut world, stream, replies);
    assert_eq!(texts(&world.change(stream, [put(EDS, "a", "9")])), NOTHING);
    assert_eq!(
        texts(&world.send(stream, request(EDS, &["a"]).unsubscribe(&["a"]))),
        NOTHING,
        "a name in both lists goes"
    );
}

/// "when a client unsubscribes a name while the wildcard remains, the server must send it or removed."
#[test]
fn a_name_unsubscribed_under_a_wildcard_is_answered() {
    let mut world = serving();
    let stream = world.open(Delta);
    let replies = world.send(stream, request(CDS, &["*", "a", "x"]));
    assert_eq!(texts(&replies), ["a=1 b=2"], "x has no entry yet");
    finish(&mut world, stream, replies);
    let replies = world.send(stream, request(CDS, &[]).unsubscribe(&["a", "x"]));
    assert_eq!(texts(&replies), ["a=1 -x"]);
    finish(&mut world, stream, replies);
    let replies = world.change(stream, [put(CDS, "a", "9")]);
    assert_eq!(texts(&replies), ["a=9"], "still covered");
    finish(&mut world, stream, replies);
    assert_eq!(
        texts(&world.send(stream, request(CDS, &[]).unsubscribe(&["a"]))),
        NOTHING,
        "a phantom: it was not subscribed"
    );
}

/// "in delta report it in `removed_resources` at once".
#[test]
fn a_missing_name_is_reported_removed() {
    let mut world = serving();
    world.commit([absent(EDS, "x")]);
    let stream = world.open(Delta);
    let reply = world.answer(stream, request(EDS, &["a", "x", "unknown"]));
    assert_eq!(reply.text(), "a=1 -x");
    finish(&mut world, stream, vec![reply]);
    let replies = world.change(stream, [absent(EDS, "unknown")]);
    assert_eq!(texts(&replies), ["-unknown"]);
    finish(&mut world, stream, replies);
    let replies = world.change(stream, [put(EDS, "x", "5"), absent(EDS, "a")]);
    assert_eq!(texts(&replies), ["x=5 -a"]);
    finish(&mut world, stream, replies);
    assert_eq!(texts(&world.change(stream, [put(EDS, "a", "1")])), ["a=1"]);
}

/// "the server must respond with all resources listed in resource_names_subscribe, even if it believes the client has
/// the most recent version of them."
#[test]
fn every_subscribed_name_is_answered() {
    let mut world = serving();
    world.commit([absent(EDS, "x")]);
    let stream = world.open(Delta);
    for _ in 0..2 {
        let replies = world.send(stream, request(EDS, &["a", "x"]));
        assert_eq!(texts(&replies), ["a=1 -x"]);
        finish(&mut world, stream, replies);
    }
    let replies = world.send(stream, request(CDS, &["*"]));
    finish(&mut world, stream, replies);
    assert_eq!(texts(&world.send(stream, request(CDS, &["*"]))), ["a=1 b=2"], "the wildcard, too");
}

/// "Unsubscribe, then subscribe again to an unchanged resource: send it again".
#[test]
fn a_name_subscribed_again_is_sent_again() {
    let mut world = serving();
    let stream = world.open(Delta);
    let first = world.answer(stream, request(EDS, &["a"]));
    finish(&mut world, stream, vec![first.clone()]);
    assert_eq!(texts(&world.send(stream, request(EDS, &[]).unsubscribe(&["a"]))), NOTHING);
    let again = world.answer(stream, request(EDS, &["a"]));
    assert_eq!((again.text().as_str(), again.version), ("a=1", first.version));
}

/// "`initial_resource_versions` is honoured (nothing re-sent that is current; stale sent; deleted reported removed)."
#[test]
fn initial_versions_decide_what_is_sent() {
    let (current, stale) = (version_of("a", "1"), version_of("b", "old"));
    let held = [("a", current.as_str()), ("b", &stale), ("x", &stale), ("strange", "v1")];
    for (names, expected) in [
        (["a", "b", "x", "strange"].as_slice(), "b=2 strange=7 -x"),
        (&["*"], "b=2 strange=7 -x"),
        (&[], "b=2 strange=7 -x"),
    ] {
        let mut world = serving();
        world.commit([absent(CDS, "x"), put(CDS, "strange", "7")]);
        let stream = world.open(Delta);
        let replies = world.send(stream, request(CDS, names).with_initial(&held));
        assert_eq!(texts(&replies), [expected], "{names:?}");
        finish(&mut world, stream, replies);
        assert_eq!(texts(&world.change(stream, [put(CDS, "a", "2")])), ["a=2"]);
    }
}

/// Current names need no response; a wildcard is answered all the same, so that Envoy initializes.
#[test]
fn current_resources_are_not_sent_again() {
    let (a, b) = (version_of("a", "1"), version_of("b", "2"));
    let held = [("a", a.as_str()), ("b", &b), ("not asked for", "v1")];
    let mut world = serving();
    let stream = world.open(Delta);
    assert_eq!(texts(&world.send(stream, request(EDS, &["a", "b"]).with_initial(&held))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(CDS, &["*"]).with_initial(&held[..2]))), [""]);
    assert_eq!(
        texts(&world.send(stream, request(EDS, &["a"]).with_initial(&held))),
        ["a=1"],
        "only in the first request"
    );
}

/// "forget: a named subscription keeps what it has and waits; a wildcard subscription drops the resource."
#[test]
fn a_forgotten_name_is_kept_and_a_covered_one_removed() {
    let mut world = serving();
    let (named, wildcard) = (world.open(Delta), world.open(Delta));
    for (stream, names) in [(named, &["a"]), (wildcard, &["*"])] {
        let replies = world.send(stream, request(CDS, names));
        finish(&mut world, stream, replies);
    }
    world.commit([forget(CDS, "a")]);
    assert_eq!(texts(&world.pump(named)), NOTHING);
    let replies = world.pump(wildcard);
    assert_eq!(texts(&replies), ["-a"]);
    finish(&mut world, wildcard, replies);
    world.commit([put(CDS, "a", "1")]);
    assert_eq!((texts(&world.pump(named)), texts(&world.pump(wildcard))), (vec![], vec!["a=1".into()]));
}

/// A name subscribed again without an entry in the store is answered when it has one, also unchanged.
#[test]
fn a_due_response_to_a_forgotten_name_stays_due() {
    let mut world = serving();
    let stream = world.open(Delta);
    let replies = world.send(stream, request(EDS, &["a"]));
    finish(&mut world, stream, replies);
    world.commit([forget(EDS, "a")]);
    assert_eq!(texts(&world.send(stream, request(EDS, &["a"]))), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(EDS, "a", "1")])), ["a=1"]);
}
