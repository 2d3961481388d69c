//! Demand over time, and what is left of it.

use std::time::Duration;

use super::table::{MAX_STALE, MAX_UNWANTED, MAX_UNWANTED_BYTES};
use super::{Demand, DemandEvent, DemandKey, Flow};
use crate::protocol::TypeId;
use crate::store::Key;

const AT: fn(u64) -> Duration = Duration::from_secs;
const FLOW: Flow = Flow { account: 7, connection: 1 };

fn key(name: &str) -> DemandKey {
    DemandKey { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
}

/// The events, a word each.
fn events(demand: &mut Demand) -> String {
    let words = demand.take_events(usize::MAX).into_iter().map(|event| match event {
        DemandEvent::Added(key, account) => format!("+{}:{account}", key.name),
        DemandEvent::Withdrawn(key) => format!("-{}", key.name),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn added_again(demand: &mut Demand, service: &str, names: &[&str]) -> usize {
    let names = names.iter().map(|name| (TypeId::Cluster, *name)).collect();
    demand.changed([service].into_iter(), &names).len()
}

#[test]
fn demand_begins_with_the_first_shard_and_ends_a_grace_time_after_the_last() {
    let mut demand = Demand::new(AT(30));
    demand.add(&key("a"), FLOW);
    demand.add(&key("a"), FLOW);
    assert!(demand.has_events());
    assert_eq!((events(&mut demand).as_str(), demand.has_events()), ("+a:7", false));
    demand.remove(&key("a"), AT(10));
    assert_eq!((demand.expire(AT(100)).len(), demand.next_due()), (0, None), "one shard is still subscribed");
    demand.remove(&key("a"), AT(20));
    assert_eq!(demand.next_due(), Some(AT(50)));
    assert!(demand.expire(AT(49)).is_empty() && !demand.has_events());
    assert!(demand.expire(AT(50)).is_empty());
    assert_eq!((events(&mut demand).as_str(), demand.next_due(), demand.is_empty()), ("-a", None, true));
    demand.add(&key("a"), FLOW);
    assert_eq!(events(&mut demand), "+a:7", "a demand after its withdrawal is new");
}

#[test]
fn a_key_added_within_the_grace_time_causes_no_event() {
    let mut demand = Demand::new(AT(30));
    demand.add(&key("a"), FLOW);
    assert_eq!(events(&mut demand), "+a:7");
    demand.remove(&key("a"), AT(0));
    demand.add(&key("a"), FLOW);
    demand.remove(&key("a"), AT(20));
    assert!(demand.expire(AT(30)).is_empty());
    assert_eq!((demand.next_due(), demand.unwanted.len()), (Some(AT(50)), 1));
    assert!(demand.expire(AT(50)).is_empty());
    demand.add(&key("a"), FLOW);
    assert_eq!(events(&mut demand), "", "it was added before its withdrawal was taken");
    demand.remove(&key("a"), AT(60));
    assert!(demand.expire(AT(90)).is_empty());
    assert_eq!(events(&mut demand), "-a");
}

#[test]
fn keys_removed_before_their_event_leave_nothing() {
    let mut demand = Demand::new(Duration::ZERO);
    demand.add(&key("kept"), FLOW);
    for number in 0..100_000 {
        let key = key(&number.to_string());
        demand.add(&key, FLOW);
        demand.remove(&key, AT(1));
        assert!(demand.expire(AT(1)).is_empty());
    }
    assert!(demand.slots.len() <= 2 * MAX_STALE + 2, "{} slots", demand.slots.len());
    assert_eq!((events(&mut demand).as_str(), demand.len()), ("+kept:7", 1));
    assert_eq!((demand.queue.len(), demand.stale), (0, 0));
}

#[test]
fn unwanted_names_have_a_maximum() {
    let mut demand = Demand::new(AT(30));
    for number in 0..MAX_UNWANTED + 10 {
        let key = key(&number.to_string());
        demand.add(&key, FLOW);
        demand.remove(&key, AT(1));
        assert!(demand.expire(AT(1)).is_empty());
    }
    assert_eq!(demand.len(), MAX_UNWANTED);
    let mut demand = Demand::new(AT(30));
    for number in 0..10 {
        let key = key(&number.to_string().repeat(MAX_UNWANTED_BYTES / 4));
        demand.add(&key, FLOW);
        demand.remove(&key, AT(1));
        assert!(demand.expire(AT(1)).is_empty());
    }
    assert_eq!(demand.len(), 4, "long ones are fewer");
}

#[test]
fn a_key_removed_twice_is_withdrawn_once() {
    let mut demand = Demand::new(Duration::ZERO);
    for _ in 0..2 {
        demand.add(&key("a"), FLOW);
        assert!(demand.take_events(9).len() < 2);
        demand.remove(&key("a"), AT(1));
    }
    demand.remove(&key("never"), AT(1));
    assert!(demand.expire(AT(1)).is_empty());
    assert_eq!((events(&mut demand).as_str(), demand.len()), ("-a", 0));
}

#[test]
fn a_changed_name_affects_every_audience() {
    let of = |name: &str, audience: &str| DemandKey { audience: audience.into(), ..key(name) };
    for others in [0, 100] {
        let mut demand = Demand::new(AT(0));
        let others = (0..others).map(|number| of(&number.to_string(), "one"));
        let keys: Vec<_> =
            [of("a", "one"), of("a", "two"), of("b", "one")].into_iter().chain(others).collect();
        keys.iter().for_each(|key| demand.add(key, FLOW));
        assert_eq!(demand.take_events(usize::MAX).len(), keys.len());
        assert!(keys.iter().all(|key| demand.mark_missing(key, "").is_some()));
        assert_eq!(added_again(&mut demand, "", &["a", "never"]), 2);
        assert_eq!(events(&mut demand), "+a:7 +a:7");
        assert_eq!(demand.audiences.len(), 2);
        keys.iter().for_each(|key| demand.remove(key, AT(1)));
        assert_eq!(demand.expire(AT(1)).len(), keys.len() - 2);
        assert_eq!(events(&mut demand), "-a -a");
        assert!(demand.audiences.is_empty(), "no audience is left without keys");
    }
}

#[test]
fn a_missing_name_is_added_again_when_its_service_changes() {
    let mut demand = Demand::new(AT(30));
    for name in ["a:1", "a:2", "b:1", "no name"] {
        demand.add(&key(name), FLOW);
    }
    assert_eq!(demand.take_events(usize::MAX).len(), 4);
    for (name, service) in [("a:1", "shop/a"), ("a:2", "shop/a"), ("b:1", "shop/b"), ("no name", "")] {
        assert!(demand.mark_missing(&key(name), service).is_some());
    }
    assert_eq!(added_again(&mut demand, "shop/other", &[]), 0);
    assert_eq!((added_again(&mut demand, "shop/a", &[]), events(&mut demand).as_str()), (2, "+a:2:7 +a:1:7"));
    assert_eq!(added_again(&mut demand, "shop/a", &[]), 0, "they are reported already");
    assert!(demand.mark_missing(&key("a:1"), "shop/a").is_some());
    assert_eq!(added_again(&mut demand, "shop/a", &["a:1", "no name", "a:2"]), 2);
    assert_eq!(events(&mut demand), "+a:1:7 +no name:7");
    assert_eq!((added_again(&mut demand, "shop/b", &[]), demand.missing.len()), (1, 0));
    assert!(!demand.missing.has_lists());
}

#[test]
fn an_unwanted_missing_name_is_dropped_without_an_event() {
    let mut demand = Demand::new(AT(30));
    let names = ["a", "b", "c"];
    for name in names {
        demand.add(&key(name), FLOW);
    }
    assert_eq!(demand.take_events(usize::MAX).len(), 3);
    assert!(names.iter().all(|name| demand.mark_missing(&key(name), "shop/a").is_some()));
    demand.remove(&key("b"), AT(0));
    assert_eq!(demand.expire(AT(30)), [demand_entry("b")]);
    assert_eq!((demand.len(), demand.missing.len()), (2, 2));
    demand.remove(&key("a"), AT(40));
    assert_eq!(added_again(&mut demand, "shop/a", &[]), 2);
    assert_eq!(events(&mut demand), "+c:7", "the other one is unwanted now");
    demand.add(&key("a"), FLOW);
    assert_eq!(events(&mut demand), "+a:7");
}

#[test]
fn an_account_pays_as_long_as_the_translation_keeps_a_name() {
    let mut demand = Demand::new(Duration::ZERO);
    for name in ["kept", "missing", "late"] {
        demand.add(&key(name), FLOW);
    }
    assert_eq!(demand.take_events(usize::MAX).len(), 3);
    demand.add(&key("kept"), Flow { account: 8, connection: 1 });
    assert_eq!(demand.take_released(), []);
    assert!(demand.mark_missing(&key("missing"), "").is_some());
    assert_eq!(demand.take_released(), [7]);
    for name in ["kept", "kept", "late", "missing"] {
        demand.remove(&key(name), AT(1));
    }
    assert_eq!(demand.expire(AT(1)).len(), 1);
    assert_eq!(demand.mark_missing(&key("late"), ""), None);
    assert_eq!(events(&mut demand), "-kept");
    assert_eq!(demand.take_released(), [7, 7], "the account of the event paid, not the later one");
}

#[test]
fn a_withdrawn_key_reported_as_missing_is_not_kept() {
    let mut demand = Demand::new(Duration::ZERO);
    demand.add(&key("a"), FLOW);
    assert_eq!(events(&mut demand), "+a:7");
    demand.remove(&key("a"), AT(1));
    assert!(demand.expire(AT(1)).is_empty());
    assert_eq!(demand.mark_missing(&key("a"), "shop/a"), None);
    assert_eq!((events(&mut demand).as_str(), demand.len(), demand.missing.len()), ("", 0, 0));
    assert_eq!(demand.mark_missing(&key("a"), "shop/a"), None);
}

fn demand_entry(name: &str) -> Key {
    Key { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
}
