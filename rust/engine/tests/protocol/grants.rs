//! Resources outside of a stream's grant are absent for it, by name and in wildcards, and counted when requested by
//! name.

use std::sync::Arc;

use steerway_engine::Protocol::{Delta, Sotw};
use steerway_engine::{Commit, Grant, Put, Resource};

use crate::world::{AUDIENCE, CDS, EDS, NOTHING, World, complete, key, request, texts};

const SCOPES: [(&str, &str); 4] = [("a", ""), ("b", "shop/cart"), ("c", "shop/pay"), ("d", "shopping/x")];

/// Scopes by name, all contents `CONTENT`.
fn commit(world: &mut World, type_id: steerway_engine::TypeId, content: &str) {
    let put = SCOPES.map(|(name, scope)| {
        let resource = Resource::new(type_id, name, format!("{name}={content}").as_bytes(), Vec::new());
        Put { key: key(type_id, name, ""), resource: Arc::new(resource.with_scope(scope)) }
    });
    world.apply(Commit { put: put.into(), ..Commit::default() });
}

#[test]
fn a_grant_covers_names_and_wildcards_alike() {
    let table: [(&[&str], &str); 5] =
        [(&["*"], "abcd"), (&[""], "a"), (&["", "shop/*"], "abc"), (&["shop/cart"], "b"), (&["bank/*"], "")];
    for (patterns, visible) in table {
        for protocol in [Sotw, Delta] {
            for wildcard in [false, true] {
                let mut world = World::serving([complete(CDS)]);
                commit(&mut world, CDS, "1");
                let stream = world.open(protocol);
                let names: &[&str] = if wildcard { &[] } else { &["a", "b", "c", "d"] };
                world.feed(stream, request(CDS, names)).unwrap();
                world.grant(stream, AUDIENCE, Grant::of(patterns.iter().copied()));
                let replies = world.pump(stream);
                let seen: String = replies.iter().flat_map(|reply| reply.resources.keys().cloned()).collect();
                assert_eq!(seen, visible, "{protocol:?} {patterns:?} wildcard: {wildcard}");
                let removed: usize = replies.iter().map(|reply| reply.removed.len()).sum();
                let expected = protocol == Delta && !wildcard;
                assert_eq!(
                    removed,
                    if expected { 4 - visible.len() } else { 0 },
                    "absent, as what never was"
                );
                assert_eq!(
                    world.take_denied(stream) > 0,
                    !wildcard && visible.len() < 4,
                    "counted when named"
                );
            }
        }
    }
}

/// The client must not see the difference, operators must.
#[test]
fn a_denied_resource_is_absent_for_authorization() {
    let mut world = World::default();
    commit(&mut world, EDS, "1");
    let stream = world.open(Sotw);
    world.feed(stream, request(EDS, &["a", "b", "never"])).unwrap();
    world.grant(stream, AUDIENCE, Grant::of([""]));
    world.pump(stream);
    let denied = world.take_denied(stream);
    let absent = world.view(stream, EDS).absent;
    let rows: Vec<_> = absent.iter().map(|absent| (&*absent.name, &*absent.reason)).collect();
    assert_eq!(rows, [("b", "authorization does not permit this client to see it")]);
    assert_eq!((world.absent(stream, EDS), world.take_denied(stream)), (1, 0), "a look is no answer");
    assert!(denied > 0);
}

#[test]
fn changes_of_a_denied_resource_are_not_sent() {
    for protocol in [Sotw, Delta] {
        let mut world = World::default();
        commit(&mut world, EDS, "1");
        let stream = world.open(protocol);
        world.feed(stream, request(EDS, &["a", "d"])).unwrap();
        world.grant(stream, AUDIENCE, Grant::of([""]));
        let first = world.pump(stream).remove(0);
        world.send(stream, request(EDS, if protocol == Sotw { &["a", "d"] } else { &[] }).ack(&first));
        commit(&mut world, EDS, "2");
        assert_eq!(texts(&world.pump(stream)), ["a=2"]);
        let alone = Resource::new(EDS, "d", b"d=3", Vec::new()).with_scope("shopping/x");
        let put = vec![Put { key: key(EDS, "d", ""), resource: alone.into() }];
        world.apply(Commit { put, ..Commit::default() });
        assert_eq!(texts(&world.pump(stream)), NOTHING);
    }
}
