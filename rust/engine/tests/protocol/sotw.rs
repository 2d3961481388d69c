//! "Subscriptions", state of the world.

use steerway_engine::Protocol::Sotw;
use steerway_engine::TypeId;

use crate::world::{
    CDS, EDS, LDS, NOTHING, Op, RDS, Reply, World, absent, complete, forget, put, request, texts,
};

/// Two listeners, two clusters and two assignments, complete.
fn serving() -> World {
    let types = [LDS, CDS, EDS, RDS].into_iter();
    World::serving(types.flat_map(|t| [put(t, "a", "1"), put(t, "b", "2"), complete(t)]))
}

/// Send a request and ACK the replies; returns the last one.
fn finish(world: &mut World, stream: usize, type_id: TypeId, names: &[&str]) -> Reply {
    let reply = world.answer(stream, request(type_id, names));
    assert_eq!(texts(&world.send(stream, request(type_id, names).ack(&reply))), NOTHING, "ACK: silence");
    reply
}

/// "SotW LDS/CDS: no names in the first request, or `*`, is wildcard".
#[test]
fn no_names_or_a_wildcard_subscribes_to_all() {
    for type_id in [LDS, CDS, TypeId::ScopedRoute] {
        for names in [&[] as &[&str], &["*"]] {
            let mut world =
                World::serving([put(type_id, "a", "1"), put(type_id, "b", "2"), complete(type_id)]);
            let stream = world.open(Sotw);
            assert_eq!(world.answer(stream, request(type_id, names)).text(), "a=1 b=2");
            assert!(world.view(stream, type_id).wildcard);
        }
    }
}

/// "names then none is "nothing", not wildcard".
#[test]
fn an_empty_list_after_names_subscribes_to_nothing() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let reply = finish(&mut world, stream, LDS, &["a"]);
    assert_eq!(texts(&world.send(stream, request(LDS, &[]).ack(&reply))), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(LDS, "a", "9"), put(LDS, "c", "9")])), NOTHING);
    assert!(!world.view(stream, LDS).wildcard);
}

/// "`*` plus names, dropping `*`": the four steps of the specification's example, with a change at each.
#[test]
fn wildcard_and_names_are_added_and_removed() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let reply = finish(&mut world, stream, CDS, &[]);
    let reply = world.answer(stream, request(CDS, &["*", "a"]).ack(&reply));
    assert_eq!(reply.text(), "a=1 b=2", "a was added");
    assert_eq!(texts(&world.send(stream, request(CDS, &["*", "a"]).ack(&reply))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(CDS, &["a"]).ack(&reply))), NOTHING, "dropping only");
    assert_eq!(texts(&world.change(stream, [put(CDS, "b", "9")])), NOTHING);
    let reply = world.change(stream, [put(CDS, "a", "9")]).remove(0);
    assert_eq!(reply.text(), "a=9");
    assert_eq!(texts(&world.send(stream, request(CDS, &[]).ack(&reply))), NOTHING, "not the wildcard again");
    assert_eq!(texts(&world.change(stream, [put(CDS, "a", "10")])), NOTHING);
}

/// A wildcard added later is answered with the whole set.
#[test]
fn an_added_wildcard_is_answered() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let reply = finish(&mut world, stream, CDS, &["a"]);
    assert_eq!(world.answer(stream, request(CDS, &["a", "*"]).ack(&reply)).text(), "a=1 b=2");
}

/// "EDS/RDS without names: silence."
#[test]
fn endpoints_and_routes_without_names_get_no_response() {
    for names in [&[] as &[&str], &["*"]] {
        let mut world = serving();
        let stream = world.open(Sotw);
        for type_id in [EDS, RDS] {
            assert_eq!(texts(&world.send(stream, request(type_id, names))), NOTHING);
            assert_eq!(texts(&world.change(stream, [put(type_id, "a", "9"), complete(type_id)])), NOTHING);
            assert_eq!(world.stream(stream).interests().count(), 0);
        }
    }
}

/// "LDS/CDS SotW always carry the whole subscribed set, also after a deletion, also when it is empty".
#[test]
fn a_response_carries_the_whole_set() {
    for (names, wildcard) in [(["a", "b"].as_slice(), false), (&["*"], true)] {
        let mut world = serving();
        let stream = world.open(Sotw);
        let reply = finish(&mut world, stream, CDS, names);
        assert_eq!(reply.text(), "a=1 b=2");
        let gone = |name| if wildcard { forget(CDS, name) } else { absent(CDS, name) };
        let steps = [
            (put(CDS, "b", "3"), "a=1 b=3"),
            (gone("a"), "b=3"),
            (gone("b"), ""),
            (put(CDS, "a", "1"), "a=1"),
        ];
        for (op, expected) in steps {
            let reply = world.change(stream, [op]).remove(0);
            assert_eq!(reply.text(), expected);
            assert_eq!(texts(&world.send(stream, request(CDS, names).ack(&reply))), NOTHING);
        }
    }
}

/// "LDS/CDS SotW with nothing to give answer promptly with an empty set."
#[test]
fn a_set_without_resources_is_sent_empty() {
    for (names, op) in [(["x"].as_slice(), absent(LDS, "x")), (&["*"], complete(LDS))] {
        let mut world = World::serving([op]);
        let stream = world.open(Sotw);
        let reply = world.answer(stream, request(LDS, names));
        assert_eq!((reply.text(), reply.version.is_empty()), (String::new(), false));
    }
}

/// An incomplete set would make a reconnecting client drop resources: wait until each name has an entry.
#[test]
fn a_full_set_waits_for_an_entry_of_every_name() {
    let mut world = World::serving([put(LDS, "a", "1")]);
    let stream = world.open(Sotw);
    assert_eq!(texts(&world.send(stream, request(LDS, &["a", "b", "c"]))), NOTHING);
    assert_eq!(world.view(stream, LDS).waiting, ["b".into(), "c".into()]);
    assert_eq!(texts(&world.change(stream, [put(LDS, "b", "2")])), NOTHING);
    assert_eq!(texts(&world.change(stream, [absent(LDS, "c")])), ["a=1 b=2"]);
    let wildcard = world.open(Sotw);
    assert_eq!(texts(&world.send(wildcard, request(LDS, &[]))), NOTHING);
    assert_eq!(world.view(wildcard, LDS).waiting, ["*".into()]);
    assert_eq!(texts(&world.change(wildcard, [complete(LDS)])), ["a=1 b=2"]);
}

/// A set does not wait for unsubscribed names.
#[test]
fn a_set_does_not_wait_for_a_removed_name() {
    let mut world = World::serving([put(LDS, "a", "1")]);
    let stream = world.open(Sotw);
    assert_eq!(texts(&world.send(stream, request(LDS, &["a", "b"]))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(LDS, &["a"]))), ["a=1"]);
    let other = world.open(Sotw);
    assert_eq!(texts(&world.send(other, request(LDS, &["x"]))), NOTHING);
    assert_eq!(texts(&world.send(other, request(LDS, &[]))), NOTHING, "nothing is wanted: nothing is owed");
    assert_eq!(texts(&world.change(other, [put(LDS, "x", "1")])), NOTHING);
}

/// A requested name that a wildcard covers, too, keeps a forgotten resource; the wildcard does not have it.
#[test]
fn a_forgotten_resource_leaves_the_set_with_its_name() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let reply = finish(&mut world, stream, CDS, &["*", "a"]);
    assert_eq!(texts(&world.change(stream, [forget(CDS, "a")])), NOTHING);
    assert_eq!(world.answer(stream, request(CDS, &["*"]).ack(&reply)).text(), "b=2");
}

/// "EDS/RDS SotW carry what changed."
#[test]
fn partial_types_carry_changes_only() {
    for type_id in [EDS, RDS, TypeId::Secret, TypeId::Runtime, TypeId::Extension] {
        let mut world = World::serving([put(type_id, "a", "1"), put(type_id, "b", "2")]);
        let stream = world.open(Sotw);
        let reply = finish(&mut world, stream, type_id, &["a", "b"]);
        assert_eq!(reply.text(), "a=1 b=2");
        assert_eq!(texts(&world.change(stream, [put(type_id, "b", "3")])), ["b=3"]);
    }
}

/// "Names that do not exist: answer the others now, the missing one when created".
#[test]
fn a_missing_name_is_sent_when_created() {
    for missing in [None, Some(absent(EDS, "x"))] {
        let mut world = serving();
        world.commit(missing);
        let stream = world.open(Sotw);
        let reply = finish(&mut world, stream, EDS, &["a", "x"]);
        assert_eq!(reply.text(), "a=1");
        assert_eq!(texts(&world.change(stream, [put(EDS, "x", "5")])), ["x=5"]);
    }
}

/// All absent: silence in state of the world until one is created.
#[test]
fn missing_names_alone_get_no_response() {
    let mut world = World::serving([absent(EDS, "x")]);
    let stream = world.open(Sotw);
    assert_eq!(texts(&world.send(stream, request(EDS, &["x"]))), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(EDS, "x", "5")])), ["x=5"]);
}

/// A deletion of a partial type is not reported, but the resource is sent when it is created again, also unchanged.
#[test]
fn a_resource_created_again_is_sent() {
    let mut world = serving();
    let stream = world.open(Sotw);
    finish(&mut world, stream, EDS, &["a", "b"]);
    assert_eq!(texts(&world.change(stream, [absent(EDS, "a")])), NOTHING);
    assert_eq!(texts(&world.change(stream, [put(EDS, "a", "1")])), ["a=1"]);
}

/// "forget: a named subscription keeps what it has and waits".
#[test]
fn a_forgotten_name_waits() {
    for type_id in [EDS, CDS] {
        let mut world = serving();
        let stream = world.open(Sotw);
        let reply = finish(&mut world, stream, type_id, &["a", "b"]);
        assert_eq!(texts(&world.change(stream, [forget(type_id, "a")])), NOTHING);
        assert_eq!(world.view(stream, type_id).waiting, ["a".into()]);
        assert_eq!(texts(&world.change(stream, [put(type_id, "a", "1")])), NOTHING, "equal content");
        assert_eq!(world.view(stream, type_id).version_sent, reply.version);
        world.commit([forget(type_id, "a")]);
        let expected = if type_id == CDS { "a=9 b=2" } else { "a=9" };
        assert_eq!(texts(&world.change(stream, [put(type_id, "a", "9")])), [expected]);
    }
}

/// "Unsubscribe, then subscribe again to an unchanged resource: send it again (gRPC channels going idle do exactly
/// this)."
#[test]
fn a_name_subscribed_again_is_sent_again() {
    for (type_id, whole) in [(LDS, "a=1 b=2"), (EDS, "b=2")] {
        let mut world = serving();
        let stream = world.open(Sotw);
        let first = finish(&mut world, stream, type_id, &["a", "b"]);
        assert_eq!(texts(&world.send(stream, request(type_id, &["a"]).ack(&first))), NOTHING, "pure removal");
        let again = world.answer(stream, request(type_id, &["a", "b"]).ack(&first));
        assert_eq!(
            (again.text().as_str(), &again.version),
            (whole, &first.version),
            "same content, same version"
        );
        assert_eq!(texts(&world.send(stream, request(type_id, &[]).ack(&again))), NOTHING);
        assert_eq!(world.answer(stream, request(type_id, &["a"]).ack(&again)).text(), "a=1");
    }
}

/// Order of sending within one stream: CDS, EDS, LDS, RDS.
#[test]
fn types_are_sent_in_order() {
    let mut world = World::default();
    let stream = world.open(Sotw);
    for type_id in [RDS, LDS, EDS, CDS] {
        world.send(stream, request(type_id, &["a"]));
    }
    let ops: Vec<Op> = [LDS, CDS, RDS, EDS].map(|type_id| put(type_id, "a", "1")).into();
    let types: Vec<TypeId> = world.change(stream, ops).iter().map(|reply| reply.type_id).collect();
    assert_eq!(types, [CDS, EDS, LDS, RDS]);
}

/// The same name twice in a request, and the same set in another order, are no change.
#[test]
fn duplicate_names_count_once() {
    let mut world = serving();
    let stream = world.open(Sotw);
    let reply = finish(&mut world, stream, EDS, &["a", "b", "a"]);
    assert_eq!(reply.text(), "a=1 b=2");
    assert_eq!(texts(&world.send(stream, request(EDS, &["b", "a"]).ack(&reply))), NOTHING);
    assert_eq!(texts(&world.send(stream, request(EDS, &["a", "a"]).ack(&reply))), NOTHING, "b went");
    assert_eq!(world.answer(stream, request(EDS, &["a", "b"]).ack(&reply)).text(), "b=2");
}
