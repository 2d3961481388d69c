//! Which changes reach a client, and what it answers: counted once per stream and change.

use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{RequestKind, SyncState, TypeId};

use crate::world::{
    CDS, EDS, LDS, Reply, Request, World, absent, cluster, complete, forget, key, put, request, resource,
    texts,
};

const ALL: [(Protocol, TypeId); 4] = [(Sotw, EDS), (Delta, EDS), (Sotw, CDS), (Delta, CDS)];

/// The answer of a client to a response, which keeps its subscription to `names`.
fn again(protocol: Protocol, type_id: TypeId, names: &[&str]) -> Request {
    request(type_id, if protocol == Sotw { names } else { &[] })
}

/// A client that has accepted `a` and `b`.
fn subscribed(protocol: Protocol, type_id: TypeId) -> (World, usize) {
    let mut world = World::default();
    world.change = 1;
    world.commit([put(type_id, "a", "1"), put(type_id, "b", "1"), complete(type_id)]);
    world.change = 0;
    let stream = world.open(protocol);
    let first = world.answer(stream, request(type_id, &["a", "b"]));
    world.send(stream, again(protocol, type_id, &["a", "b"]).ack(&first));
    assert_eq!(world.take_deliveries(), "", "an answer to a subscription");
    (world, stream)
}

fn only(mut replies: Vec<Reply>) -> Reply {
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}

#[test]
fn a_change_is_pending_until_it_is_answered() {
    for (protocol, type_id) in ALL {
        let (mut world, stream) = subscribed(protocol, type_id);
        let again = || again(protocol, type_id, &["a", "b"]);
        let reply = only(world.deliver(stream, 7, [put(type_id, "a", "2")]));
        assert_eq!(world.take_deliveries(), "7:Pending");
        world.send(stream, again().ack(&reply));
        assert_eq!(world.take_deliveries(), "7:Acked", "{protocol:?}");
        let reply = only(world.deliver(stream, 8, [put(type_id, "a", "3")]));
        world.send(stream, again().nack(&reply, 3, "cannot"));
        assert_eq!(world.take_deliveries(), "8:Pending 8:Nacked");
        assert!(matches!(world.kind(), RequestKind::Nack(nack) if nack.change == 8));
        world.deliver(stream, 9, [put(type_id, "b", "2")]);
        world.close(stream);
        assert_eq!(world.take_deliveries(), "9:Pending 9:Ended");
    }
}

#[test]
fn a_superseded_change_is_never_delivered() {
    for (protocol, type_id) in ALL {
        let (mut world, stream) = subscribed(protocol, type_id);
        let again = || again(protocol, type_id, &["a", "b"]);
        let reply = only(world.deliver(stream, 7, [put(type_id, "a", "2")]));
        // The client is slow: these wait, and the last one of each name is sent.
        assert_eq!(
            texts(&world.deliver(stream, 8, [put(type_id, "a", "3"), put(type_id, "b", "2")])),
            [""; 0]
        );
        world.deliver(stream, 9, [put(type_id, "a", "4")]);
        world.take_deliveries();
        let next = only(world.send(stream, again().ack(&reply)));
        assert_eq!(world.take_deliveries(), "7:Acked 8:Pending 9:Pending");
        world.send(stream, again().ack(&next));
        assert_eq!(world.take_deliveries(), "8:Acked 9:Acked");
        world.deliver(stream, 10, [put(type_id, "a", "5")]);
        world.deliver(stream, 11, [put(type_id, "a", "6")]);
        world.deliver(stream, 12, [put(type_id, "a", "5")]);
        world.close(stream);
        assert_eq!(
            world.take_deliveries(),
            "10:Pending 10:Ended",
            "the content of the last is there already"
        );
    }
}

#[test]
fn a_change_that_is_not_counted_supersedes_one_that_is() {
    for (protocol, type_id) in ALL {
        let (mut world, stream) = subscribed(protocol, type_id);
        let reply = only(world.change(stream, [put(type_id, "b", "2")]));
        world.deliver(stream, 7, [put(type_id, "a", "2")]);
        world.change(stream, [put(type_id, "a", "3")]);
        let next = only(world.send(stream, again(protocol, type_id, &["a", "b"]).ack(&reply)));
        assert_eq!((next.resources["a"].as_str(), world.take_deliveries().as_str()), ("3", ""));
    }
}

#[test]
fn a_new_client_and_a_new_name_are_no_delivery() {
    for (protocol, type_id) in ALL {
        let (mut world, stream) = subscribed(protocol, type_id);
        world.deliver(stream, 7, [put(type_id, "a", "2"), put(type_id, "c", "1")]);
        world.take_deliveries();
        let late = world.open(protocol);
        world.answer(late, request(type_id, &["a", "c"]));
        assert_eq!(world.take_deliveries(), "", "it came after the change");
        let later = world.open(protocol);
        let held = [("a", "0000000000000001")];
        world.send(later, request(type_id, &["a"]).with_initial(if protocol == Delta { &held } else { &[] }));
        assert_eq!(world.take_deliveries(), "", "it reconnects with an old version");
    }
}

#[test]
fn a_name_that_appears_is_a_delivery_to_clients_that_wait_for_it() {
    for protocol in [Sotw, Delta] {
        for type_id in [EDS, CDS] {
            let (mut world, stream) = subscribed(protocol, type_id);
            let again = || again(protocol, type_id, &["a", "b", "new"]);
            world.commit([absent(type_id, "new")]);
            for reply in world.send(stream, request(type_id, &["a", "b", "new"])) {
                world.send(stream, again().ack(&reply));
            }
            assert_eq!(world.take_deliveries(), "");
            let reply = only(world.deliver(stream, 7, [put(type_id, "new", "1")]));
            world.send(stream, again().ack(&reply));
            assert_eq!(world.take_deliveries(), "7:Pending 7:Acked", "{protocol:?} {type_id:?}");
        }
    }
}

#[test]
fn an_answer_to_a_demand_is_no_delivery_although_a_change_carries_it() {
    for (protocol, type_id) in ALL {
        let (mut world, stream) = subscribed(protocol, type_id);
        world.send(stream, request(type_id, &["a", "b", "new"]));
        world.take_deliveries();
        world.change = 7;
        // A resource of the demand has no change of its own.
        let commit = steerway_engine::Commit {
            put: vec![steerway_engine::Put {
                key: key(type_id, "new", ""),
                resource: resource(type_id, "new", "1"),
            }],
            ..Default::default()
        };
        world.apply(commit);
        assert_eq!(only(world.pump(stream)).resources["new"], "1");
        assert_eq!(world.take_deliveries(), "");
    }
}

#[test]
fn a_reconnected_client_is_sent_later_changes() {
    let (mut world, before) = subscribed(Delta, EDS);
    let version = world.view(before, EDS).resources[0].version.clone();
    let stream = world.open(Delta);
    assert!(world.send(stream, request(EDS, &["a"]).with_initial(&[("a", &version)])).is_empty());
    let reply = only(world.deliver(stream, 7, [put(EDS, "a", "2")]));
    world.send(stream, request(EDS, &[]).ack(&reply));
    assert!(world.take_deliveries().ends_with("7:Pending 7:Acked"));
}

#[test]
fn a_removal_is_a_delivery_where_the_protocol_reports_it() {
    let table = [(Sotw, CDS, "7:Pending 7:Acked"), (Delta, EDS, "7:Pending 7:Acked"), (Sotw, EDS, "")];
    for (protocol, type_id, expected) in table {
        let (mut world, stream) = subscribed(protocol, type_id);
        for reply in world.deliver(stream, 7, [absent(type_id, "a")]) {
            world.send(stream, again(protocol, type_id, &["a", "b"]).ack(&reply));
        }
        assert_eq!(world.take_deliveries(), expected, "{protocol:?} {type_id:?}");
    }
    // A wildcard drops what is forgotten.
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(CDS, "a", "1"), put(CDS, "b", "1"), complete(CDS)]);
        let stream = world.open(protocol);
        let first = world.answer(stream, request(CDS, &[]));
        world.send(stream, request(CDS, &[]).ack(&first));
        let reply = only(world.deliver(stream, 7, [forget(CDS, "a")]));
        world.send(stream, request(CDS, &[]).ack(&reply));
        assert_eq!(world.take_deliveries(), "7:Pending 7:Acked", "{protocol:?}");
    }
}

#[test]
fn a_client_counts_once_for_all_responses_of_a_change() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([cluster("c", "1", "e"), put(EDS, "e", "1"), complete(CDS)]);
        let stream = world.open(protocol);
        let clusters = world.answer(stream, request(CDS, &["c"]));
        world.send(stream, again(protocol, CDS, &["c"]).ack(&clusters));
        let endpoints = world.answer(stream, request(EDS, &["e"]));
        world.send(stream, again(protocol, EDS, &["e"]).ack(&endpoints));
        let replies = world.deliver(stream, 7, [cluster("c", "2", "e"), put(EDS, "e", "2")]);
        assert_eq!(texts(&replies), ["c=2", "e=2"]);
        world.send(stream, again(protocol, CDS, &["c"]).nack(&replies[0], 3, "cannot"));
        assert_eq!(world.take_deliveries(), "7:Pending");
        world.send(stream, again(protocol, EDS, &["e"]).ack(&replies[1]));
        assert_eq!(world.take_deliveries(), "7:Nacked");
    }
}

#[test]
fn a_resource_that_is_sent_again_is_no_delivery() {
    let (mut world, stream) = subscribed(Delta, EDS);
    let reply = only(world.deliver(stream, 7, [put(EDS, "a", "2")]));
    world.send(stream, request(EDS, &[]).ack(&reply));
    world.take_deliveries();
    assert_eq!(world.answer(stream, request(EDS, &["a"])).text(), "a=2", "subscribed again");
    assert_eq!(world.take_deliveries(), "");
}

#[test]
fn a_heartbeat_is_no_delivery() {
    for protocol in [Sotw, Delta] {
        let mut world = World::default();
        let ttl = Duration::from_secs(30);
        let expiring = |content: &str, change: u64| {
            let value = format!("a={content}");
            let resource = steerway_engine::Resource::new(EDS, "a", value.as_bytes(), Vec::new());
            let resource = resource.with_change(change).with_ttl("a", ttl).into();
            let put = vec![steerway_engine::Put { key: key(EDS, "a", ""), resource }];
            steerway_engine::Commit { put, ..Default::default() }
        };
        world.apply(expiring("1", 1));
        let stream = world.open(protocol);
        let features = ["supports-resource-ttl", "resource-in-sotw"];
        let first = world.answer(stream, request(EDS, &["a"]).with_features(&features));
        world.send(stream, again(protocol, EDS, &["a"]).ack(&first));
        world.change = 7;
        world.apply(expiring("2", 7));
        let reply = only(world.pump(stream));
        world.send(stream, again(protocol, EDS, &["a"]).ack(&reply));
        assert_eq!(world.take_deliveries(), "7:Pending 7:Acked");
        world.wait(ttl);
        world.pump(stream);
        assert_eq!(world.take_deliveries(), "", "{protocol:?}");
    }
}

#[test]
fn an_answer_accepts_the_responses_before_it() {
    for protocol in [Sotw, Delta] {
        let (mut world, stream) = subscribed(protocol, EDS);
        let first = only(world.deliver(stream, 7, [put(EDS, "a", "2")]));
        world.commit([put(EDS, "c", "1")]);
        let names: &[&str] = if protocol == Sotw { &["a", "b", "c"] } else { &["c"] };
        let second = world.answer(stream, Request { version: first.version.clone(), ..request(EDS, names) });
        assert_eq!(second.text(), "c=1");
        world.send(stream, again(protocol, EDS, &["a", "b", "c"]).nack(&second, 3, "cannot"));
        assert_eq!(world.take_deliveries(), "7:Pending 7:Acked", "{protocol:?}: it refused the other one");
    }
}

/// The state of the stream, and of each of its names.
fn progress(world: &World, stream: usize) -> (SyncState, String) {
    let mut names = Vec::new();
    world
        .stream(stream)
        .visit_names(&world.store, |_, name, state| names.push(format!("{name}:{}", state.name())));
    names.sort_unstable();
    (world.stream(stream).progress(&world.store).state, names.join(" "))
}

#[test]
fn the_progress_of_a_stream_is_the_worst_of_its_names() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([put(EDS, "a", "1"), put(EDS, "b", "1")]);
        let stream = world.open(protocol);
        let names = ["a", "b", "c"];
        let first = world.answer(stream, request(EDS, &names));
        assert_eq!(progress(&world, stream), (SyncState::Waiting, "a:behind b:behind c:waiting".into()));
        world.now = Duration::from_secs(3);
        let unacked = world.stream(stream).progress(&world.store).oldest_unacked;
        assert_eq!(unacked, Some(Duration::ZERO));
        world.send(stream, again(protocol, EDS, &names).ack(&first));
        assert_eq!(progress(&world, stream), (SyncState::Waiting, "a:in_sync b:in_sync c:waiting".into()));
        let gone = world.change(stream, [absent(EDS, "c")]);
        gone.iter().for_each(|reply| drop(world.send(stream, again(protocol, EDS, &names).ack(reply))));
        assert_eq!(progress(&world, stream), (SyncState::Absent, "a:in_sync b:in_sync c:absent".into()));
        let progress_now = world.stream(stream).progress(&world.store);
        assert_eq!((progress_now.absent, progress_now.oldest_unacked), (1, None));
        let bad = only(world.change(stream, [put(EDS, "a", "bad")]));
        assert_eq!(progress(&world, stream), (SyncState::Behind, "a:behind b:in_sync c:absent".into()));
        world.send(stream, again(protocol, EDS, &names).nack(&bad, 3, ""));
        assert_eq!(progress(&world, stream), (SyncState::Refused, "a:refused b:in_sync c:absent".into()));
        assert!(world.stream(stream).progress(&world.store).refused[EDS.index()]);
        let good = only(world.change(stream, [put(EDS, "a", "2"), put(EDS, "c", "1")]));
        world.send(stream, again(protocol, EDS, &names).ack(&good));
        assert_eq!(progress(&world, stream), (SyncState::InSync, "a:in_sync b:in_sync c:in_sync".into()));
        if protocol == Sotw {
            world.send(stream, request(EDS, &["b", "d"]).ack(&good));
        } else {
            world.send(stream, request(EDS, &["d"]).unsubscribe(&["a", "c"]));
        }
        assert_eq!(progress(&world, stream), (SyncState::Waiting, "b:in_sync d:waiting".into()));
    }
}

#[test]
fn a_wildcard_waits_until_it_can_be_answered() {
    let mut world = World::serving([put(LDS, "a", "1")]);
    let stream = world.open(Sotw);
    world.send(stream, request(LDS, &[]));
    assert_eq!(progress(&world, stream), (SyncState::Waiting, "*:waiting".into()));
    let reply = only(world.change(stream, [complete(LDS)]));
    assert_eq!(progress(&world, stream), (SyncState::Behind, "*:behind".into()));
    world.send(stream, request(LDS, &[]).ack(&reply));
    assert_eq!(progress(&world, stream), (SyncState::InSync, "*:in_sync".into()));
}
