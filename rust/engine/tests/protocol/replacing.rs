//! "A removal waits until the client has accepted all that replaced what named it" (decision 0012), for clients that
//! learn of each resource from another one and switch when they have all of it (gRFC A74).

use std::sync::Arc;
use std::time::Duration;

use steerway_engine::Protocol::{self, Delta, Sotw};
use steerway_engine::{Commit, Grant, Put, Reason};

use crate::proxyless::{Client, inline, over_rds, route, served};
use crate::world::{
    CDS, EDS, LDS, MAKE_BEFORE_BREAK_TIMEOUT, NOTHING, Op, RDS, World, absent, key, request, resource, texts,
};

fn gone(cluster: &str, assignment: &str) -> [Op; 2] {
    [absent(CDS, cluster), absent(EDS, assignment)]
}

/// One change, and a client that accepts all responses; it checks after each response that the resources that it uses
/// exist. Returns the replies.
fn change(before: Vec<Op>, change: Vec<Op>, protocol: Protocol, asks_first: bool) -> Vec<String> {
    let mut world = World::serving(before);
    let mut client = Client::new(&mut world, protocol, "l");
    client.asks_first = asks_first;
    let first = client.in_use.clone();
    assert!(first.is_some());
    client.commit(&mut world, change);
    client.finish(&mut world);
    assert_ne!(client.in_use, first, "it has switched");
    let got = client.got();
    world.wait(MAKE_BEFORE_BREAK_TIMEOUT * 2);
    client.pump(&mut world);
    assert_eq!(client.got(), NOTHING, "nothing was left for the timeout");
    got
}

#[test]
fn a_replaced_resource_stays_until_the_client_has_switched() {
    let table: [(&str, Vec<Op>, Vec<Op>); 7] = [
        ("routes leave the listener", vec![inline("l", "a")], vec![over_rds("l", "r"), route("r", "b")]),
        (
            "routes move into the listener",
            vec![over_rds("l", "r"), route("r", "a")],
            vec![inline("l", "b"), absent(RDS, "r")],
        ),
        (
            "other routes",
            vec![over_rds("l", "r"), route("r", "a")],
            vec![over_rds("l", "s"), route("s", "b"), absent(RDS, "r")],
        ),
        ("a route to another cluster", vec![over_rds("l", "r"), route("r", "a")], vec![route("r", "b")]),
        ("inline", vec![inline("l", "a")], vec![inline("l", "b")]),
        ("one of two clusters stays", vec![over_rds("l", "r"), route("r", "a+c")], vec![route("r", "b+c")]),
        (
            "another listener and the same routes with another cluster",
            vec![inline("l", "a"), route("r", "c")],
            vec![over_rds("l", "r"), route("r", "b")],
        ),
    ];
    for (what, before, after) in table {
        for (protocol, asks_first) in [(Sotw, false), (Sotw, true), (Delta, false), (Delta, true)] {
            let before = before.iter().cloned().chain(served("a", "a1")).chain(served("c", "c1"));
            let after = after.iter().cloned().chain(served("b", "b1")).chain(gone("a", "a1"));
            let got = change(before.collect(), after.collect(), protocol, asks_first);
            assert!(got.contains(&"Endpoint b1=1".to_owned()), "{what}: {got:?}");
        }
    }
}

#[test]
fn a_renamed_assignment_is_sent_before_the_old_one_is_removed() {
    for protocol in [Sotw, Delta] {
        let before = [inline("l", "a")].into_iter().chain(served("a", "old"));
        let after = served("a", "new").into_iter().chain([absent(EDS, "old")]);
        let got = change(before.collect(), after.collect(), protocol, false);
        let came = ["Cluster a=new", "Endpoint new=1"];
        let then: &[&str] = if protocol == Sotw { &[] } else { &["Endpoint -old"] };
        assert_eq!(got, [&came[..], then].concat(), "{protocol:?}");
    }
}

/// A client that accepts the listener and sends nothing afterwards.
fn half_way(protocol: Protocol) -> (World, Client) {
    let mut world = World::serving([inline("l", "a")].into_iter().chain(served("a", "a1")));
    let mut client = Client::new(&mut world, protocol, "l");
    let change = [over_rds("l", "r"), route("r", "b")].into_iter();
    client.commit(&mut world, change.chain(served("b", "b1")).chain(gone("a", "a1")));
    assert_eq!(client.got(), ["Listener l=rds:r"]);
    assert!(client.take(&mut world));
    assert_eq!(client.got(), ["Route r=b"], "{protocol:?}: the cluster of the old listener stays");
    (world, client)
}

#[test]
fn removals_end_with_the_timeout() {
    for protocol in [Sotw, Delta] {
        let (mut world, mut client) = half_way(protocol);
        world.wait(MAKE_BEFORE_BREAK_TIMEOUT - Duration::from_millis(1));
        client.pump(&mut world);
        assert_eq!(client.got(), NOTHING, "{protocol:?}");
        world.wait(Duration::from_millis(1));
        client.pump(&mut world);
        let late: &[&str] = if protocol == Sotw { &["Cluster"] } else { &["Cluster -a", "Endpoint -a1"] };
        assert_eq!(client.got(), late, "{protocol:?}");
        world.wait(MAKE_BEFORE_BREAK_TIMEOUT * 3);
        client.pump(&mut world);
        assert_eq!(client.got(), NOTHING, "{protocol:?}");
    }
}

#[test]
fn a_nack_releases_nothing() {
    for protocol in [Sotw, Delta] {
        let (mut world, mut client) = half_way(protocol);
        client.refuse(&mut world);
        assert_eq!(client.got(), NOTHING, "{protocol:?}: the route was refused");
        client.commit(&mut world, [route("r", "b+c")].into_iter().chain(served("c", "c1")));
        assert_eq!(client.got(), ["Route r=b+c"]);
        assert!(client.take(&mut world));
        let both = if protocol == Sotw { "Cluster a=a1 b=b1 c=c1" } else { "Cluster b=b1 c=c1" };
        assert_eq!(client.got(), [both], "{protocol:?}");
        client.refuse(&mut world);
        assert_eq!(client.got(), NOTHING, "{protocol:?}: the clusters were refused");
        client.commit(&mut world, served("b", "b2"));
        client.finish(&mut world);
        assert!(client.got().iter().all(|got| !got.contains("-a")), "{protocol:?}");
    }
}

#[test]
fn a_later_commit_does_not_remove_a_resource_in_use() {
    for protocol in [Sotw, Delta] {
        let mut world = World::serving([inline("l", "a")].into_iter().chain(served("a", "a1")));
        let mut client = Client::new(&mut world, protocol, "l");
        let change = [over_rds("l", "r"), route("r", "b")].into_iter().chain(served("b", "b1"));
        client.commit(&mut world, change);
        assert!(client.take(&mut world));
        client.commit(&mut world, gone("a", "a1"));
        assert_eq!(client.got(), ["Listener l=rds:r", "Route r=b"], "{protocol:?}");
        client.finish(&mut world);
        assert_eq!(client.in_use.unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
    }
}

/// The new route names a cluster that does not exist: there is nothing to wait for.
#[test]
fn no_removal_waits_for_a_missing_resource() {
    for protocol in [Sotw, Delta] {
        let before = [over_rds("l", "r"), route("r", "a")].into_iter().chain(served("a", "a1"));
        let mut world = World::serving(before);
        let mut client = Client::new(&mut world, protocol, "l");
        client.commit(&mut world, [route("r", "b"), absent(CDS, "b")].into_iter().chain(gone("a", "a1")));
        assert_eq!(client.got(), ["Route r=b"]);
        let accepted = if protocol == Sotw { request(RDS, &["r"]) } else { request(RDS, &[]) };
        let replies = world.send(client.stream, accepted.ack(&client.next()));
        let released = if protocol == Sotw { "" } else { "-a" };
        assert_eq!(replies[0].text(), released, "{protocol:?}");
    }
}

/// A resource that the client may no longer see is not kept for others: by its grant, or by what is published for its
/// audience.
#[test]
fn a_denied_resource_is_removed_at_once() {
    let private = || {
        let private = Arc::into_inner(resource(CDS, "a", "a1")).unwrap().with_scope("bank/vault");
        let put = vec![Put { key: key(CDS, "a", ""), resource: private.into() }];
        Commit { put, ..Commit::default() }
    };
    let denied = || {
        let reason = Reason { text: "not exported".into(), denied: true };
        Commit { absent: vec![(key(CDS, "a", ""), reason)], ..Commit::default() }
    };
    for protocol in [Sotw, Delta] {
        for commit in [private(), denied()] {
            let mut world = World::serving([inline("l", "a")].into_iter().chain(served("a", "a1")));
            let stream = world.open(protocol);
            world.feed(stream, request(LDS, &["l"])).unwrap();
            world.grant(stream, "grpc", Grant::of([""]));
            for (type_id, name) in [(LDS, "l"), (CDS, "a"), (EDS, "a1")] {
                let replies = world.send(stream, request(type_id, &[name]));
                let replies = if type_id == LDS {
                    world.pump(stream).into_iter().chain(replies).collect()
                } else {
                    replies
                };
                let names: &[&str] = if protocol == Sotw { &[name] } else { &[] };
                world.send(stream, request(type_id, names).ack(&replies[0]));
            }
            world.apply(commit);
            let left = if protocol == Sotw { "" } else { "-a" };
            assert_eq!(texts(&world.pump(stream)), [left], "{protocol:?}: the listener names it still");
        }
    }
}

/// The listener is replaced before the client has all that its routes name: it still uses the former assignment of a
/// cluster.
#[test]
fn a_part_of_a_replaced_resource_keeps_its_replaced_parts() {
    for protocol in [Sotw, Delta] {
        let before = [over_rds("l", "r"), route("r", "a+b")].into_iter();
        let mut world = World::serving(before.chain(served("a", "a1")).chain(served("b", "b0")));
        let mut client = Client::new(&mut world, protocol, "l");
        let moved = [inline("l", "a"), absent(RDS, "r"), absent(EDS, "b0")].into_iter();
        client.commit(&mut world, moved.chain(served("b", "b1")));
        let again = [inline("l", "a+c"), absent(EDS, "a1")].into_iter();
        client.commit(&mut world, again.chain(served("a", "a0")).chain(served("c", "c0")));
        client.take(&mut world);
        client.refuse(&mut world);
        client.take(&mut world);
        client.take(&mut world);
        let after = [inline("l", "a")].into_iter().chain(gone("c", "c0")).chain(gone("b", "b1"));
        client.commit(&mut world, after);
        client.finish(&mut world);
        assert_eq!(client.in_use.unwrap().into_keys().collect::<Vec<_>>(), ["a"], "{protocol:?}");
    }
}
