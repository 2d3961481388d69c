//! Requests and their effect, step by step.

use std::time::Duration;

use super::{Change, ClientCopy, Held, Subscription, WildcardChange};
use crate::wire::Malformed;

fn bytes<'a>(names: &'a [&'a str]) -> impl Iterator<Item = Result<&'a [u8], Malformed>> {
    names.iter().map(|name| Ok(name.as_bytes()))
}

/// Wildcard or not, and the names, after a request.
fn state(subscription: &Subscription) -> (bool, Vec<String>) {
    let mut names: Vec<String> = subscription.interests().map(|name| name.to_string()).collect();
    names.sort_unstable();
    (subscription.wildcard(), names)
}

fn to_answer(subscription: &Subscription, change: &Change) -> Vec<String> {
    let tracked = |&index| subscription.names.get(index).expect("a name that is tracked");
    change.to_answer.iter().map(|index| tracked(index).name.to_string()).collect()
}

type SotwStep<'a> = (&'a [&'a str], bool, &'a [&'a str], WildcardChange, &'a [&'a str]);

/// Each step: names in the request; then wildcard, names, change of the wildcard, names to answer.
#[test]
fn sotw_requests_step_by_step() {
    use WildcardChange::{Added, None, Removed};
    let table: [(&str, bool, &[SotwStep<'_>]); 5] = [
        (
            "the specification's example",
            true,
            &[
                (&[], true, &[], Added, &[]),
                (&[], true, &[], None, &[]),
                (&["*", "A"], true, &["A"], None, &["A"]),
                (&["A"], false, &["A"], Removed, &[]),
                (&[], false, &[], None, &[]),
                (&[], false, &[], None, &[]),
            ],
        ),
        (
            "names, then none, then names",
            true,
            &[
                (&["A", "B"], false, &["A", "B"], None, &["A", "B"]),
                (&["B", "C"], false, &["B", "C"], None, &["C"]),
                (&[], false, &[], None, &[]),
                (&["B"], false, &["B"], None, &["B"]),
            ],
        ),
        (
            "the wildcard is added, removed and added",
            true,
            &[
                (&["*"], true, &[], Added, &[]),
                (&[], false, &[], Removed, &[]),
                (&["*"], true, &[], Added, &[]),
            ],
        ),
        (
            "from legacy to names alone",
            true,
            &[(&[], true, &[], Added, &[]), (&["A"], false, &["A"], Removed, &["A"])],
        ),
        (
            "a type without wildcard",
            false,
            &[
                (&[], false, &[], None, &[]),
                (&["*"], false, &[], None, &[]),
                (&["*", "A"], false, &["A"], None, &["A"]),
            ],
        ),
    ];
    for (title, wildcard_allowed, steps) in table {
        let mut subscription = Subscription::new(wildcard_allowed);
        for (names, wildcard, requested, moved, answered) in steps {
            let change = subscription.apply_sotw(bytes(names)).unwrap();
            assert_eq!(
                state(&subscription),
                (*wildcard, requested.iter().map(|n| n.to_string()).collect()),
                "{title}: {names:?}"
            );
            assert_eq!(change.wildcard, *moved, "{title}: {names:?}");
            assert_eq!(to_answer(&subscription, &change), *answered, "{title}: {names:?}");
        }
    }
}

/// Change of the wildcard by a request, or that all of it is resent.
#[derive(Debug, PartialEq)]
enum Moved {
    None,
    Added,
    Again,
    Removed,
}

impl Moved {
    fn of(change: &Change) -> Moved {
        match change.wildcard {
            WildcardChange::None if change.resend_all => Moved::Again,
            WildcardChange::None => Moved::None,
            WildcardChange::Added => Moved::Added,
            WildcardChange::Removed => Moved::Removed,
        }
    }
}

type DeltaStep<'a> = (&'a [&'a str], &'a [&'a str], bool, &'a [&'a str], Moved, &'a [&'a str]);

/// Each step: names added and removed; then wildcard, names, change of the wildcard, names to answer.
#[test]
fn delta_requests_step_by_step() {
    use Moved::{Added, Again, None, Removed};
    let table: [(&str, bool, &[DeltaStep<'_>]); 10] = [
        ("`*` twice in one request", true, &[(&["*", "*"], &[], true, &[], Added, &[])]),
        (
            "the specification's example",
            true,
            &[
                (&[], &[], true, &[], Added, &[]),
                (&["A"], &[], true, &["A"], None, &["A"]),
                (&[], &["*"], false, &["A"], Removed, &[]),
                (&[], &["A"], false, &[], None, &[]),
                (&[], &[], false, &[], None, &[]),
            ],
        ),
        (
            "`*` by name",
            true,
            &[
                (&["*"], &[], true, &[], Added, &[]),
                (&["*"], &[], true, &[], Again, &[]),
                (&[], &["*"], false, &[], Removed, &[]),
                (&[], &["*"], false, &[], None, &[]),
            ],
        ),
        (
            "legacy, then `*`: still set",
            true,
            &[
                (&[], &[], true, &[], Added, &[]),
                (&["*", "A"], &[], true, &["A"], None, &["A"]),
                (&["*"], &[], true, &["A"], Again, &[]),
            ],
        ),
        (
            "legacy, then a name, then `*`: subscribed again",
            true,
            &[
                (&[], &[], true, &[], Added, &[]),
                (&["A"], &[], true, &["A"], None, &["A"]),
                (&["*"], &[], true, &["A"], Again, &[]),
            ],
        ),
        (
            "legacy, then `*` twice in one request: still set, then subscribed again",
            true,
            &[(&[], &[], true, &[], Added, &[]), (&["*", "*"], &[], true, &[], Again, &[])],
        ),
        (
            "legacy, then a name is removed that was never added",
            true,
            &[
                (&[], &[], true, &[], Added, &[]),
                (&[], &["A"], true, &[], None, &[]),
                (&["*"], &[], true, &[], None, &[]),
                (&["*"], &[], true, &[], Again, &[]),
            ],
        ),
        (
            "a name unsubscribed under a wildcard is answered",
            true,
            &[
                (&["*", "A"], &[], true, &["A"], Added, &["A"]),
                (&["B"], &["A", "phantom"], true, &["B"], None, &["B", "A"]),
            ],
        ),
        (
            "unsubscribing first is no wildcard",
            true,
            &[(&[], &["A"], false, &[], None, &[]), (&[], &[], false, &[], None, &[])],
        ),
        (
            "a type without wildcard",
            false,
            &[
                (&[], &[], false, &[], None, &[]),
                (&["*", "A"], &[], false, &["A"], None, &["A"]),
                (&["A"], &[], false, &["A"], None, &["A"]),
                (&["B"], &["A"], false, &["B"], None, &["B"]),
            ],
        ),
    ];
    for (title, wildcard_allowed, steps) in table {
        let mut subscription = Subscription::new(wildcard_allowed);
        for (subscribe, unsubscribe, wildcard, requested, moved, answered) in steps {
            let step = format!("{title}: {subscribe:?} {unsubscribe:?}");
            let change = subscription.apply_delta(bytes(subscribe), bytes(unsubscribe)).unwrap();
            assert_eq!(
                state(&subscription),
                (*wildcard, requested.iter().map(|n| n.to_string()).collect()),
                "{step}"
            );
            assert_eq!(Moved::of(&change), *moved, "{step}");
            assert_eq!(to_answer(&subscription, &change), *answered, "{step}");
        }
    }
}

#[test]
fn interest_changes_come_in_order() {
    let mut subscription = Subscription::new(true);
    let change = subscription.apply_delta(bytes(&["A", "A", "B"]), bytes(&["A"])).unwrap();
    let interest: Vec<(bool, &str)> = change.interest.iter().map(|(added, name)| (*added, &**name)).collect();
    assert_eq!(interest, [(true, "A"), (true, "B"), (false, "A")]);
}

#[test]
fn names_must_be_text() {
    let broken = || std::iter::once(Ok([0xff].as_slice()));
    assert_eq!(Subscription::new(true).apply_sotw(broken()).unwrap_err(), Malformed);
    assert_eq!(Subscription::new(true).apply_delta(broken(), bytes(&[])).unwrap_err(), Malformed);
}

/// A request with a stale nonce shows which names the client dropped; names that a glob collection alone covers are
/// never listed.
#[test]
fn a_stale_request_drops_the_requested_names_that_it_lacks() {
    const GLOB: &str = "xdstp://auth/T/*";
    let mut subscription = Subscription::new(false);
    subscription.apply_sotw(bytes(&[GLOB, "kept", "dropped", "later"])).unwrap();
    let names = &mut subscription.names;
    for (name, nonce) in [("xdstp://auth/T/covered", 1), ("kept", 1), ("dropped", 1), ("later", 2)] {
        let index = names.track(name, || name.into());
        names.set_held(index, Held::Version(1));
        let tracked = names.get_mut(index).unwrap();
        tracked.mark_sent(nonce, Duration::ZERO);
        tracked.introduced_in = 1;
    }
    subscription.note_stale_request(bytes(&[GLOB, "kept"]), 1).unwrap();
    let copies =
        subscription.names.iter().map(|tracked| (&*tracked.name, tracked.copy, tracked.introduced_in));
    let mut copies: Vec<_> = copies.collect();
    copies.sort_unstable_by_key(|(name, ..)| *name);
    let expected = [
        ("dropped", ClientCopy::Dropped, 1),
        ("kept", ClientCopy::Kept, 1),
        ("later", ClientCopy::Kept, 2),
        ("xdstp://auth/T/covered", ClientCopy::Kept, 1),
    ];
    assert_eq!(copies, expected);
}
