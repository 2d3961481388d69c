//! The state of each resource on a stream, as operators see it.

use std::time::Duration;

use steerway_engine::{MAX_ABSENT_SHOWN, Protocol, TypeId};

use crate::world::{CDS, EDS, LDS, Request, World, absent, complete, put, request};

const PROTOCOLS: [Protocol; 2] = [Protocol::Sotw, Protocol::Delta];

/// `a:acked b:nacked(cannot)`, in the order of the view.
fn statuses(world: &World, stream: usize, type_id: TypeId) -> String {
    let view = world.view(stream, type_id);
    let texts = view.resources.iter().map(|shown| {
        let error = if shown.error.is_empty() { String::new() } else { format!("({})", shown.error) };
        format!("{}:{}{error}", shown.name, shown.status.name())
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// An ACK without a change of the subscription.
fn same(protocol: Protocol, type_id: TypeId, names: &[&str]) -> Request {
    request(type_id, if protocol == Protocol::Sotw { names } else { &[] })
}

#[test]
fn each_name_has_its_own_status() {
    for protocol in PROTOCOLS {
        let mut world = World::serving([put(EDS, "a", "1"), put(EDS, "b", "1"), absent(EDS, "d")]);
        let stream = world.open(protocol);
        let names = ["a", "b", "c", "d"];
        let again = || same(protocol, EDS, &names);
        let first = world.answer(stream, request(EDS, &names));
        assert_eq!(statuses(&world, stream, EDS), "a:sent b:sent c:requested d:does_not_exist");
        world.send(stream, again().ack(&first));
        assert_eq!(statuses(&world, stream, EDS), "a:acked b:acked c:requested d:does_not_exist");
        let bad = world.change(stream, [put(EDS, "a", "bad")]).remove(0);
        assert_eq!(statuses(&world, stream, EDS), "a:sent b:acked c:requested d:does_not_exist");
        world.send(stream, again().nack(&bad, 3, "cannot"));
        assert_eq!(statuses(&world, stream, EDS), "a:nacked(cannot) b:acked c:requested d:does_not_exist");
        let other = world.change(stream, [put(EDS, "b", "2")]).remove(0);
        world.send(stream, again().ack(&other));
        assert_eq!(
            statuses(&world, stream, EDS),
            "a:nacked(cannot) b:acked c:requested d:does_not_exist",
            "{protocol:?}: what was taken since brought another one"
        );
        let fixed = world.change(stream, [put(EDS, "a", "2"), put(EDS, "c", "1")]).remove(0);
        world.send(stream, again().ack(&fixed));
        assert_eq!(statuses(&world, stream, EDS), "a:acked b:acked c:acked d:does_not_exist");
    }
}

#[test]
fn a_name_that_was_rejected_earlier_stays_rejected() {
    for protocol in PROTOCOLS {
        let mut world = World::serving([put(EDS, "a", "bad"), put(EDS, "b", "1")]);
        let stream = world.open(protocol);
        let again = || same(protocol, EDS, &["a", "b"]);
        let first = world.answer(stream, request(EDS, &["a", "b"]));
        world.send(stream, again().nack(&first, 3, "cannot"));
        let second = world.change(stream, [put(EDS, "b", "bad")]).remove(0);
        world.send(stream, again().nack(&second, 3, "neither"));
        assert_eq!(statuses(&world, stream, EDS), "a:nacked b:nacked(neither)");
    }
}

/// A full-state response carries again what was rejected: its ACK accepts that, too.
#[test]
fn a_sotw_ack_covers_the_whole_set() {
    for type_id in [LDS, CDS] {
        let mut world = World::serving([put(type_id, "a", "1"), put(type_id, "b", "1")]);
        let stream = world.open(Protocol::Sotw);
        let first = world.answer(stream, request(type_id, &["a", "b"]));
        world.send(stream, request(type_id, &["a", "b"]).nack(&first, 3, "cannot"));
        assert_eq!(statuses(&world, stream, type_id), "a:nacked(cannot) b:nacked(cannot)");
        let second = world.change(stream, [put(type_id, "b", "2")]).remove(0);
        world.send(stream, request(type_id, &["a", "b"]).ack(&second));
        assert_eq!(statuses(&world, stream, type_id), "a:acked b:acked");
    }
}

#[test]
fn versions_and_ages_are_those_of_the_last_send() {
    let mut world = World::serving([put(EDS, "a", "1")]);
    let stream = world.open(Protocol::Delta);
    world.wait(Duration::from_secs(5));
    let first = world.answer(stream, request(EDS, &["a", "b"]));
    world.wait(Duration::from_secs(7));
    let view = world.view(stream, EDS);
    let seen: Vec<_> = view.resources.iter().map(|shown| (&*shown.version, shown.sent_age)).collect();
    let version = first.versions["a"].as_str();
    assert_eq!(seen, [(version, Some(Duration::from_secs(7))), ("", None)]);
}

/// `a:no such thing b:no such thing (removed)`, in the order of the view.
fn absences(world: &World, stream: usize, type_id: TypeId) -> String {
    let view = world.view(stream, type_id);
    assert_eq!(view.absent_count, view.absent.len());
    assert_eq!(view.absent_count, world.absent(stream, type_id));
    let texts = view.absent.iter().map(|absent| {
        let removed = if absent.removed { " (removed)" } else { "" };
        format!("{}:{}{removed}", absent.name, absent.reason)
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// A name without an entry is not absent; one that is created is no longer absent; one that is removed is absent again.
#[test]
fn a_requested_name_without_a_resource_is_absent() {
    for protocol in PROTOCOLS {
        for type_id in [LDS, EDS] {
            let mut world =
                World::serving([put(type_id, "b", "1"), absent(type_id, "d"), absent(type_id, "x")]);
            let stream = world.open(protocol);
            let names = ["a", "b", "d"];
            world.send(stream, request(type_id, &names));
            assert_eq!(absences(&world, stream, type_id), "d:no such thing", "{protocol:?}");
            world.change(stream, [absent(type_id, "a")]);
            assert_eq!(absences(&world, stream, type_id), "a:no such thing d:no such thing");
            world.change(stream, [put(type_id, "a", "1"), put(type_id, "d", "1")]);
            assert_eq!(absences(&world, stream, type_id), "");
            world.change(stream, [absent(type_id, "b")]);
            assert_eq!(absences(&world, stream, type_id), "b:no such thing (removed)");
            let goes = match protocol {
                Protocol::Sotw => request(type_id, &["a", "d"]),
                Protocol::Delta => request(type_id, &[]).unsubscribe(&["b"]),
            };
            world.send(stream, goes);
            assert_eq!(absences(&world, stream, type_id), "", "what is not asked for is not missed");
        }
    }
}

#[test]
fn only_requested_names_are_absent_under_a_wildcard() {
    let mut world = World::serving([put(CDS, "a", "1"), absent(CDS, "b"), absent(CDS, "c"), complete(CDS)]);
    let stream = world.open(Protocol::Delta);
    world.answer(stream, request(CDS, &["*", "b"]));
    assert_eq!(absences(&world, stream, CDS), "b:no such thing");
}

#[test]
fn a_view_lists_a_maximum_of_absences_and_counts_all() {
    let names: Vec<String> = (0..150).map(|number| format!("{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::serving(names.iter().map(|name| absent(EDS, name)));
    let stream = world.open(Protocol::Sotw);
    world.send(stream, request(EDS, &names));
    let view = world.view(stream, EDS);
    assert_eq!((view.absent_count, view.absent.len()), (150, MAX_ABSENT_SHOWN));
    assert_eq!((&*view.absent[0].name, &*view.absent[99].name), ("000", "099"));
}
