//! "EDS asked again after its cluster was re-sent (warming): answered again, also when unchanged."

use steerway_engine::Protocol::{Delta, Sotw};
use steerway_engine::{RequestKind, TypeId};

use crate::world::{
    CDS, EDS, LDS, NOTHING, Op, RDS, Reply, World, cluster, complete, naming, put, request, resource, texts,
};

/// A client that took clusters `a` and `b` (made by `of`) and their endpoints; returns the last EDS response.
fn warm_client(of: fn(&str, &str) -> Op) -> (World, usize, Reply) {
    let mut world = World::serving([of("a", "1"), of("b", "1"), put(EDS, "ea", "1"), put(EDS, "eb", "1")]);
    let stream = world.open(Sotw);
    let clusters = world.answer(stream, request(CDS, &["a", "b"]));
    world.send(stream, request(CDS, &["a", "b"]).ack(&clusters));
    let endpoints = world.answer(stream, request(EDS, &["ea", "eb"]));
    for _ in 0..2 {
        let replies = world.send(stream, request(EDS, &["ea", "eb"]).ack(&endpoints));
        assert_eq!(texts(&replies), NOTHING, "no cluster was sent since");
    }
    (world, stream, endpoints)
}

fn named(name: &str, content: &str) -> Op {
    cluster(name, content, &format!("e{name}"))
}

fn unnamed(name: &str, content: &str) -> Op {
    put(CDS, name, content)
}

fn change_cluster(world: &mut World, stream: usize, op: Op) {
    let clusters = world.change(stream, [op]).remove(0);
    assert_eq!(clusters.type_id, CDS);
    assert_eq!(texts(&world.send(stream, request(CDS, &["a", "b"]).ack(&clusters))), NOTHING);
}

#[test]
fn a_repeated_request_gets_the_endpoints_of_the_changed_cluster_once() {
    for (of, expected) in [(named as fn(&str, &str) -> Op, "ea=1"), (unnamed, "ea=1 eb=1")] {
        let (mut world, stream, endpoints) = warm_client(of);
        change_cluster(&mut world, stream, of("a", "2"));
        let again = world.answer(stream, request(EDS, &["ea", "eb"]).ack(&endpoints));
        assert_eq!(
            (again.text().as_str(), &again.version),
            (expected, &endpoints.version),
            "unchanged content"
        );
        for _ in 0..2 {
            assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&again))), NOTHING);
        }
    }
}

/// Two clusters may share one assignment: the new one warms it, too.
#[test]
fn a_new_cluster_warms_endpoints_that_the_client_has() {
    let (mut world, stream, endpoints) = warm_client(named);
    world.commit([cluster("c", "1", "eb")]);
    let clusters = world.answer(stream, request(CDS, &["a", "b", "c"]).nonce("000000000001"));
    world.send(stream, request(CDS, &["a", "b", "c"]).ack(&clusters));
    assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&endpoints))), ["eb=1"]);
}

/// Endpoints that were sent after the cluster have warmed it.
#[test]
fn endpoints_sent_since_are_not_sent_twice() {
    let (mut world, stream, _) = warm_client(named);
    let replies = world.change(stream, [named("a", "2"), put(EDS, "ea", "2")]);
    assert_eq!(texts(&replies), ["a=2 b=1", "ea=2"]);
    for _ in 0..2 {
        assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&replies[1]))), NOTHING);
    }
}

/// The repeat may cross a response on its way: it is answered after the ACK, with what that response lacked.
#[test]
fn a_repeated_request_that_crosses_a_response_is_answered_after_it() {
    let (mut world, stream, endpoints) = warm_client(named);
    let crossing = world.change(stream, [put(EDS, "eb", "2")]).remove(0);
    change_cluster(&mut world, stream, named("a", "2"));
    assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&endpoints))), NOTHING);
    let again = world.answer(stream, request(EDS, &["ea", "eb"]).ack(&crossing));
    assert_eq!(again.text(), "ea=1");
    assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&again))), NOTHING);
}

/// The plain ACK of a response in flight is no repeat.
#[test]
fn an_ordinary_ack_gets_no_response_while_warming() {
    let (mut world, stream, _) = warm_client(named);
    let crossing = world.change(stream, [put(EDS, "eb", "2")]).remove(0);
    change_cluster(&mut world, stream, named("a", "2"));
    assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&crossing))), NOTHING);
    assert_eq!(
        texts(&world.send(stream, request(EDS, &["ea", "eb"]).ack(&crossing))),
        ["ea=1"],
        "this one is"
    );
}

/// A repeat that also changes the names gets both the added and the warming names.
#[test]
fn a_repeated_request_with_another_name_gets_both() {
    let (mut world, stream, endpoints) = warm_client(named);
    world.commit([put(EDS, "ec", "1")]);
    change_cluster(&mut world, stream, named("a", "2"));
    assert_eq!(texts(&world.send(stream, request(EDS, &["ea", "ec"]).ack(&endpoints))), ["ea=1 ec=1"]);
}

/// The references of each type that the client holds.
fn delta_client() -> (World, usize) {
    let mut world = World::serving([
        named("a", "1"),
        named("b", "1"),
        put(EDS, "ea", "1"),
        put(EDS, "eb", "1"),
        naming(LDS, "l", "1", RDS, &["r"]),
        put(RDS, "r", "1"),
        complete(CDS),
        complete(LDS),
    ]);
    let stream = world.open(Delta);
    for first in [request(CDS, &[]), request(EDS, &["ea", "eb"]), request(LDS, &[]), request(RDS, &["r"])] {
        let reply = world.answer(stream, first);
        assert_eq!(texts(&world.send(stream, request(reply.type_id, &[]).ack(&reply))), NOTHING);
    }
    (world, stream)
}

/// "Delta: EDS (and RDS) of a changed cluster (listener) follow it in the same turn without being asked, equal bytes or
/// not": Envoy over delta does not ask again, and neither uses the cluster nor accepts it until then.
#[test]
fn over_delta_names_of_a_changed_resource_follow_it() {
    let table: [(Vec<Op>, &[&str]); 4] = [
        (vec![named("a", "2")], &["a=2", "ea=1"]),
        (vec![named("a", "2"), put(EDS, "ea", "2")], &["a=2", "ea=2"]),
        (vec![cluster("c", "1", "eb")], &["c=1", "eb=1"]),
        (vec![naming(LDS, "l", "2", RDS, &["r"])], &["l=2", "r=1"]),
    ];
    for (ops, expected) in table {
        let (mut world, stream) = delta_client();
        let before = world.view(stream, EDS).version_sent;
        let replies = world.change(stream, ops);
        assert_eq!(texts(&replies), expected);
        if expected[1] == "ea=1" {
            assert_eq!(replies[1].version, before, "unchanged content has its version");
        }
        for reply in &replies {
            assert_eq!(texts(&world.send(stream, request(reply.type_id, &[]).ack(reply))), NOTHING);
            assert!(matches!(world.kind(), RequestKind::Ack { .. }));
        }
    }
}

/// The ACK of earlier endpoints does not stand in the way, nor that of earlier clusters in the way of endpoints.
#[test]
fn over_delta_endpoints_follow_while_a_response_is_open() {
    let (mut world, stream) = delta_client();
    let crossing = world.change(stream, [put(EDS, "eb", "2"), put(EDS, "ea", "2")]).remove(0);
    assert_eq!(texts(&world.change(stream, [named("a", "2")])), ["a=2", "ea=2"]);
    assert_eq!(texts(&world.send(stream, request(EDS, &[]).ack(&crossing))), NOTHING);
    assert_eq!(
        texts(&world.send(stream, request(CDS, &["b"]))),
        ["b=1", "eb=2"],
        "sent again, though it did not change"
    );
}

/// Names without a subscription are not sent until the client subscribes.
#[test]
fn over_delta_names_without_a_subscription_do_not_follow() {
    let (mut world, stream) = delta_client();
    assert_eq!(texts(&world.change(stream, [named("c", "1"), put(EDS, "ec", "1")])), ["c=1"]);
    assert_eq!(texts(&world.send(stream, request(EDS, &["ec"]))), ["ec=1"]);
}

/// A reconnecting client may announce its endpoints after a changed cluster was sent: it waits for those endpoints all
/// the same. Unchanged ones are not sent again.
#[test]
fn over_delta_endpoints_follow_a_cluster_that_changed_before_the_client_reconnected() {
    let held = |type_id: TypeId, name: &str| resource(type_id, name, "1").version_text();
    let (ea, eb) = (held(EDS, "ea"), held(EDS, "eb"));
    let clusters =
        || request(CDS, &[]).with_initial(&[("a", held(CDS, "a").as_str()), ("b", &held(CDS, "b"))]);
    let endpoints = || request(EDS, &["ea", "eb"]).with_initial(&[("ea", &ea), ("eb", &eb)]);
    for clusters_first in [true, false] {
        let (mut world, _) = delta_client();
        world.commit([named("a", "2")]);
        let stream = world.open(Delta);
        let requests = if clusters_first { [clusters(), endpoints()] } else { [endpoints(), clusters()] };
        let replies: Vec<Reply> =
            requests.into_iter().flat_map(|request| world.send(stream, request)).collect();
        assert_eq!(texts(&replies), ["a=2", "ea=1"], "clusters first: {clusters_first}");
    }
}
