//! What threads do to each other, in thousands of orders: the model checker's locks choose who goes on (`sync`).
//!
//! `cargo test --features shuttle concurrency`. Shards and Python are threads in here that do what they do to [`Shared`],
//! and nothing else.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use shuttle::sync::mpsc;
use shuttle::thread;
use steerway_engine::{
    Commit, DemandKey, Flow, Identifier, Interest, Key, Lookup, Put, Resource, StreamOptions, Transition,
    TypeId, WILDCARD,
};

use crate::failpoint::options;
use crate::limits::connection_slot::ConnectionSlots;
use crate::net::peer::{Peer, PeerKey, Token};
use crate::observe::event::{Event, Events};
use crate::runtime::shared::Shared;

/// So many orders of each test.
const ORDERS: usize = 3000;

const CDS: TypeId = TypeId::Cluster;

fn check(test: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(test, ORDERS);
}

/// Demand is withdrawn as soon as nobody wants it.
fn shared() -> Arc<Shared> {
    let stream_options = StreamOptions {
        identifier: Identifier::new("test"),
        make_before_break_timeout: Duration::ZERO,
        names_per_stream: 100,
        name_bytes: 100,
        node_metadata: Arc::default(),
    };
    Shared::new(&options(), stream_options).unwrap()
}

fn demand(name: &str) -> DemandKey {
    DemandKey { type_id: CDS, name: name.into(), audience: "".into() }
}

fn put(name: &str, content: &str) -> Put {
    let key = Key { type_id: CDS, name: name.into(), audience: "".into() };
    Put { key, resource: Arc::new(Resource::new(CDS, name, content.as_bytes(), Vec::new())) }
}

fn opened(stream: u64) -> Event {
    let peer = Peer { address: "".into(), certificate: Arc::default(), local: false };
    Event::Opened { stream, peer: Arc::new(peer), token: Token::default(), node: Bytes::new() }
}

fn is_readable(events: &Events) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(events.signal(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

/// A connection is admitted or makes room for another one, whatever comes first, and no slot is given twice or lost.
#[test]
fn a_connection_is_admitted_or_displaced() {
    check(|| {
        let (slots, peer) = (ConnectionSlots::new(2, 0), PeerKey::User(None));
        let open = |name: &str| slots.take(peer, &name.into()).0.unwrap();
        let (first, mut evicted) = open("first");
        let (second, mut evicted_second) = open("second");
        let admitting = thread::spawn(move || {
            first.admit();
            second.admit();
            [first, second]
        });
        let arriving = thread::spawn({
            let slots = Arc::clone(&slots);
            move || slots.take(peer, &"third".into()).0
        });
        let (admitted, third) = (admitting.join().unwrap(), arriving.join().unwrap());
        let lost = [evicted.try_recv().is_ok(), evicted_second.try_recv().is_ok()];
        assert_eq!(lost.iter().filter(|lost| **lost).count(), usize::from(third.is_some()));
        assert_eq!(slots.used(), 2);
        drop((admitted, third));
        assert_eq!(slots.used(), 0);
    });
}

/// "Readable while `poll()` has events": whoever sleeps until it is readable misses nothing.
#[test]
fn the_descriptor_is_readable_while_something_waits() {
    check(|| {
        let events = Arc::new(Events::new().unwrap());
        let pushing: Vec<_> = [0, 100]
            .map(|first| {
                let events = Arc::clone(&events);
                thread::spawn(move || {
                    for stream in first..first + 3 {
                        events.push(Event::Closed { stream });
                    }
                    // Nothing is told of this one, if it was not polled in between.
                    events.push(opened(1000 + first));
                    events.push(Event::Closed { stream: 1000 + first });
                })
            })
            .into();
        let polling = thread::spawn({
            let events = Arc::clone(&events);
            move || (0..4).flat_map(|_| events.poll(false)).collect::<Vec<_>>()
        });
        pushing.into_iter().for_each(|pushing| pushing.join().unwrap());
        let mut told = polling.join().unwrap();
        assert_eq!(is_readable(&events), events.len() > 0);
        told.extend(events.poll(false));
        assert!(!is_readable(&events));

        let closed = |range: std::ops::Range<u64>| -> Vec<u64> {
            let streams = told.iter().filter_map(|event| match event {
                Event::Closed { stream } if range.contains(stream) => Some(*stream),
                _ => None,
            });
            streams.collect()
        };
        assert_eq!((closed(0..100), closed(100..200)), (vec![0, 1, 2], vec![100, 101, 102]), "in order");
    });
}

/// What Python knows follows what shards want, however demand and withdrawal cross.
#[test]
fn demand_and_withdrawal_are_told_in_their_order() {
    check(|| {
        let shared = shared();
        let shards: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for _ in 0..2 {
                        shared.update_demand(&[(Transition::First, demand("a"))], Flow::default());
                        shared.update_demand(&[(Transition::Last, demand("a"))], Flow::default());
                    }
                    shared.update_demand(&[(Transition::First, demand("b"))], Flow::default());
                })
            })
            .collect();
        let timer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || (0..3).for_each(|_| shared.withdraw_due())
        });
        let python = thread::spawn({
            let shared = Arc::clone(&shared);
            move || (0..3).fold(HashSet::new(), |known, _| learn(&shared, known))
        });
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        timer.join().unwrap();
        let known = python.join().unwrap();
        // A demand that came back stands in the queue once more.
        (0..3).for_each(|_| shared.withdraw_due());
        let known = learn(&shared, known);
        assert_eq!(known, HashSet::from([demand("b")]));
        assert_eq!(shared.demanded_names(), 1);
    });
}

/// What Python knows after it polled once more.
fn learn(shared: &Shared, mut known: HashSet<DemandKey>) -> HashSet<DemandKey> {
    for event in shared.poll(100).0 {
        match event {
            Event::Demand(key, _) => assert!(known.insert(key), "told once"),
            Event::Withdrawn(key) => assert!(known.remove(&key), "only what was told is withdrawn"),
            event => panic!("{event:?}"),
        }
    }
    known
}

/// A wildcard that was withdrawn is answered by what is said after it was wanted again.
#[test]
fn a_wildcard_that_comes_back_waits_for_a_fresh_answer() {
    check(|| {
        let shared = shared();
        let answer = || Commit { complete: vec![(CDS, "".into())], ..Commit::default() };
        shared.update_demand(&[(Transition::First, demand(WILDCARD))], Flow::default());
        assert_eq!(shared.poll(100).0.len(), 1);
        shared.commit(answer().into());
        shared.update_demand(&[(Transition::Last, demand(WILDCARD))], Flow::default());

        let timer = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.withdraw_due()
        });
        let shard = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.update_demand(&[(Transition::First, demand(WILDCARD))], Flow::default());
                shared.store.read().is_complete(CDS, "")
            }
        });
        let answered = shard.join().unwrap();
        timer.join().unwrap();
        let told = shared.poll(100).0;
        let withdrawn = matches!(told.first(), Some(Event::Withdrawn(_)));
        assert_eq!(answered, !withdrawn, "either it was wanted all the time, or all begins anew");
        assert_eq!(told.len(), if withdrawn { 2 } else { 0 });
    });
}

/// A stream that subscribes while a commit is published sees the new state, or is told of the change.
#[test]
fn no_commit_is_missed_by_a_new_subscription() {
    check(|| {
        let shared = shared();
        shared.commit(Commit { put: vec![put("a", "old")], ..Commit::default() }.into());
        let (tell, told) = mpsc::channel();
        let publisher = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for content in ["1", "2"] {
                    let commit = Commit { put: vec![put("a", content)], ..Commit::default() };
                    tell.send(shared.commit(commit.into()).changed).unwrap();
                }
            }
        });
        let shard = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let mut interest = Interest::<u64>::new();
                let look = || match shared.store.read().lookup(CDS, "a", "") {
                    Lookup::Present(resource) => resource.value(),
                    missing => panic!("{missing:?}"),
                };
                // As in `Shard`: first the index, then the demand, then the answer; commands come in between.
                assert_eq!(interest.subscribe(7, &"".into(), CDS, &"a".into()), Transition::First);
                shared.update_demand(&[(Transition::First, demand("a"))], Flow::default());
                let mut seen = look();
                for changed in told {
                    for (type_id, name) in changed {
                        if interest.subscribers(type_id, &name).any(|stream| stream == 7) {
                            seen = look();
                        }
                    }
                }
                seen
            }
        });
        publisher.join().unwrap();
        assert_eq!(shard.join().unwrap(), "2");
    });
}
