//! Races between threads: the locks of the model checker (`sync`) run each test in thousands of orders.
//!
//! `cargo test --features shuttle concurrency`. The threads in here do to [`Shared`] what shards and Python do to it.

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
use crate::net::peer::{Peer, PeerKey, Token, Transport};
use crate::observe::event::{Event, Events};
use crate::runtime::shared::Shared;

/// Orders per test.
const ORDERS: usize = 3000;

const CDS: TypeId = TypeId::Cluster;

fn check(test: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(test, ORDERS);
}

/// Demand is withdrawn as soon as it has no subscriber.
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
    let peer = Peer::new("", Transport::Plaintext);
    Event::Opened { stream, peer: Arc::new(peer), token: Token::default(), node: Bytes::new() }
}

fn is_readable(events: &Events) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(events.signal(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

/// A connection is admitted or evicted, whichever is first, and no slot is given twice or lost.
#[test]
fn a_connection_is_admitted_or_evicted() {
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

/// "Readable while `poll()` has events": a thread that waits for the descriptor misses no event.
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
                    // This one leaves no event, unless it was polled in between.
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
        let mut polled = polling.join().unwrap();
        assert_eq!(is_readable(&events), events.len() > 0);
        polled.extend(events.poll(false));
        assert!(!is_readable(&events));

        let closed = |range: std::ops::Range<u64>| -> Vec<u64> {
            let streams = polled.iter().filter_map(|event| match event {
                Event::Closed { stream } if range.contains(stream) => Some(*stream),
                _ => None,
            });
            streams.collect()
        };
        assert_eq!((closed(0..100), closed(100..200)), (vec![0, 1, 2], vec![100, 101, 102]), "in order");
    });
}

/// What Python knows follows the demand of the shards, in whichever order demand and withdrawal arrive.
#[test]
fn demand_and_withdrawal_are_reported_in_order() {
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
            move || (0..3).fold(HashSet::new(), |known, _| poll_demand(&shared, known))
        });
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        timer.join().unwrap();
        let known = python.join().unwrap();
        // A demand that came back is in the queue once more.
        (0..3).for_each(|_| shared.withdraw_due());
        let known = poll_demand(&shared, known);
        assert_eq!(known, HashSet::from([demand("b")]));
        assert_eq!(shared.demanded_names(), 1);
    });
}

/// What Python knows after another poll.
fn poll_demand(shared: &Shared, mut known: HashSet<DemandKey>) -> HashSet<DemandKey> {
    for event in shared.poll(100).0 {
        match event {
            Event::Demand(key, _) => assert!(known.insert(key), "reported once"),
            Event::Withdrawn(key) => assert!(known.remove(&key), "only reported demand is withdrawn"),
            event => panic!("{event:?}"),
        }
    }
    known
}

/// A wildcard that was withdrawn and demanded again is answered by a new answer only.
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
        let events = shared.poll(100).0;
        let withdrawn = matches!(events.first(), Some(Event::Withdrawn(_)));
        assert_eq!(answered, !withdrawn, "either it was demanded all the time, or the answer is a new one");
        assert_eq!(events.len(), if withdrawn { 2 } else { 0 });
    });
}

/// A stream that subscribes while a commit is published sees the new state or is notified of the change.
#[test]
fn no_commit_is_missed_by_a_new_subscription() {
    check(|| {
        let shared = shared();
        shared.commit(Commit { put: vec![put("a", "old")], ..Commit::default() }.into());
        let (sender, changes) = mpsc::channel();
        let publisher = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for content in ["1", "2"] {
                    let commit = Commit { put: vec![put("a", content)], ..Commit::default() };
                    sender.send(shared.commit(commit.into()).changed).unwrap();
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
                // As in the engine: first the index, then the demand, then the answer; commands come in between.
                assert_eq!(interest.subscribe(7, &"".into(), CDS, &"a".into()), Transition::First);
                shared.update_demand(&[(Transition::First, demand("a"))], Flow::default());
                let mut seen = look();
                for changed in changes {
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
