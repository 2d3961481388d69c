//! Load reports: sums over clients, gauges that end with their stream, and limits.

use std::time::Duration;

use prost::Message;
use steerway_engine::{
    Commit, Key, Loads, LocalityLoad, Put, Reporter, Resource, Store, TypeId, first_report_node,
};

use crate::wire::Node;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, optional, tag = "1")]
    node: Option<Node>,
    #[prost(message, repeated, tag = "2")]
    clusters: Vec<Cluster>,
}

#[derive(Clone, PartialEq, Message)]
struct Cluster {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    localities: Vec<Stats>,
    #[prost(uint64, tag = "3")]
    total_dropped: u64,
    #[prost(message, repeated, tag = "5")]
    dropped: Vec<Dropped>,
    #[prost(string, tag = "6")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct Stats {
    #[prost(message, optional, tag = "1")]
    locality: Option<Locality>,
    #[prost(uint64, tag = "2")]
    successful: u64,
    #[prost(uint64, tag = "3")]
    in_progress: u64,
    #[prost(uint64, tag = "4")]
    errors: u64,
    #[prost(uint32, tag = "6")]
    priority: u32,
    #[prost(uint64, tag = "8")]
    issued: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Locality {
    #[prost(string, tag = "1")]
    region: String,
    #[prost(string, tag = "2")]
    zone: String,
    #[prost(string, tag = "3")]
    sub_zone: String,
}

#[derive(Clone, PartialEq, Message)]
struct Dropped {
    #[prost(string, tag = "1")]
    category: String,
    #[prost(uint64, tag = "2")]
    count: u64,
}

const START: Duration = Duration::ZERO;

fn key(name: &str) -> Key {
    Key { type_id: TypeId::Cluster, name: name.into(), audience: "grpc".into() }
}

/// The parts of a ClusterLoadAssignment that name localities and drop categories.
#[derive(Clone, PartialEq, Message)]
struct Assignment {
    #[prost(message, repeated, tag = "2")]
    groups: Vec<Group>,
    #[prost(message, optional, tag = "4")]
    policy: Option<DropPolicy>,
}

#[derive(Clone, PartialEq, Message)]
struct Group {
    #[prost(message, optional, tag = "1")]
    locality: Option<Locality>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    endpoints: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct DropPolicy {
    #[prost(message, repeated, tag = "2")]
    overloads: Vec<Dropped>,
}

fn endpoints(name: &str, zones: &[&str], categories: &[&str]) -> Put {
    let locality = |zone: &&str| Locality { zone: (*zone).into(), ..Locality::default() };
    let group = |zone| Group { locality: Some(locality(zone)), endpoints: vec![vec![]; 3] };
    let overload = |category: &&str| Dropped { category: (*category).into(), count: 0 };
    let assignment = Assignment {
        groups: zones.iter().map(group).collect(),
        policy: Some(DropPolicy { overloads: categories.iter().map(overload).collect() }),
    };
    let key = Key { type_id: TypeId::Endpoint, ..key(name) };
    let resource = Resource::new(TypeId::Endpoint, name, &assignment.encode_to_vec(), Vec::new());
    Put { key, resource: resource.into() }
}

/// Each cluster has an assignment with the localities `eu-1a` and `eu-1b`.
fn store(clusters: &[&str]) -> Store {
    let mut store = Store::new();
    let put = clusters.iter().flat_map(|name| {
        let assignment = format!("{name}-endpoints");
        let endpoints = endpoints(&assignment, &["eu-1a", "eu-1b"], &["lb", "throttle"]);
        let refs = vec![(TypeId::Endpoint, assignment.into())];
        let cluster = Resource::new(TypeId::Cluster, name, b"cluster", refs);
        [Put { key: key(name), resource: cluster.into() }, endpoints]
    });
    store.commit(Commit { put: put.collect(), ..Commit::default() });
    store
}

fn stats(zone: &str, issued: u64, successful: u64, errors: u64, in_progress: u64) -> Stats {
    let locality = Some(Locality { zone: zone.into(), ..Locality::default() });
    Stats { locality, issued, successful, errors, in_progress, priority: 0 }
}

fn report(cluster: &str, localities: Vec<Stats>) -> Request {
    let service = format!("{cluster}-endpoints");
    let cluster = Cluster { name: cluster.into(), service, localities, ..Cluster::default() };
    Request { node: None, clusters: vec![cluster] }
}

fn load(loads: &Loads, cluster: &str, zone: &str) -> LocalityLoad {
    let mut of_cluster = loads.clusters().filter(|(name, ..)| &***name == cluster);
    let (_, _, load) = of_cluster.next().expect("the cluster has a load");
    assert!(of_cluster.next().is_none());
    let (_, load) = load.localities.iter().find(|(locality, _)| &*locality.zone == zone).expect("the zone");
    *load
}

fn load_of(loads: &Loads, cluster: &str, service: &str, zone: &str) -> LocalityLoad {
    let mut wanted = loads.clusters().filter(|(name, its, _)| &***name == cluster && *its == service);
    let (_, _, load) = wanted.next().expect("the assignment has a load");
    let (_, load) = load.localities.iter().find(|(locality, _)| &*locality.zone == zone).expect("the zone");
    *load
}

fn take(loads: &mut Loads, reporter: &mut Reporter, request: &Request, store: &Store) {
    loads.record(reporter, &request.encode_to_vec(), store, START).unwrap();
}

fn rows(loads: &Loads) -> usize {
    loads.clusters().map(|(_, _, load)| load.localities.len() + load.dropped.len()).sum()
}

#[test]
fn reports_of_all_clients_are_summed() {
    let (mut loads, store) = (Loads::default(), store(&["a"]));
    let (mut first, mut other) = (Reporter::default(), Reporter::default());
    take(&mut loads, &mut first, &report("a", vec![stats("eu-1a", 5, 3, 1, 1)]), &store);
    take(&mut loads, &mut other, &report("a", vec![stats("eu-1a", 7, 5, 0, 2)]), &store);
    take(&mut loads, &mut first, &report("a", vec![stats("eu-1a", 1, 1, 0, 4)]), &store);
    let sums = LocalityLoad { issued: 13, successful: 9, errors: 1, in_progress: 6 };
    assert_eq!((load(&loads, "a", "eu-1a"), loads.reports(), loads.reporters()), (sums, 3, 2));
    assert!(loads.clusters().all(|(_, service, _)| service == "a-endpoints"));
}

#[test]
fn priorities_of_one_locality_share_a_row() {
    let (mut loads, store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    let lower = Stats { priority: 1, ..stats("eu-1a", 2, 2, 0, 1) };
    take(&mut loads, &mut client, &report("a", vec![stats("eu-1a", 1, 1, 0, 1), lower]), &store);
    let sums = LocalityLoad { issued: 3, successful: 3, errors: 0, in_progress: 2 };
    assert_eq!(load(&loads, "a", "eu-1a"), sums);
    loads.remove_reporter(&mut client);
    assert_eq!(load(&loads, "a", "eu-1a").in_progress, 0);
}

#[test]
fn a_locality_missing_from_a_report_has_no_request_in_progress() {
    let (mut loads, store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    take(&mut loads, &mut client, &report("a", vec![stats("eu-1a", 2, 0, 0, 2)]), &store);
    take(&mut loads, &mut client, &Request::default(), &store);
    assert_eq!(load(&loads, "a", "eu-1a"), LocalityLoad { issued: 2, ..LocalityLoad::default() });
}

#[test]
fn the_gauges_of_a_client_end_with_its_stream() {
    let (mut loads, store) = (Loads::default(), store(&["a"]));
    let (mut first, mut other) = (Reporter::default(), Reporter::default());
    take(&mut loads, &mut first, &report("a", vec![stats("eu-1a", 2, 0, 0, 2)]), &store);
    take(&mut loads, &mut other, &report("a", vec![stats("eu-1a", 3, 0, 0, 3)]), &store);
    loads.remove_reporter(&mut first);
    loads.remove_reporter(&mut first);
    assert_eq!((load(&loads, "a", "eu-1a").in_progress, loads.reporters()), (3, 1));
    loads.remove_reporter(&mut Reporter::default());
    assert_eq!(loads.reporters(), 1, "first that never reported does not count");
}

#[test]
fn drops_beyond_the_categories_have_none() {
    let (mut loads, store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    let mut request = report("a", Vec::new());
    request.clusters[0].total_dropped = 10;
    request.clusters[0].dropped =
        vec![Dropped { category: "lb".into(), count: 4 }, Dropped { category: "throttle".into(), count: 3 }];
    take(&mut loads, &mut client, &request, &store);
    take(&mut loads, &mut client, &request, &store);
    let (_, _, load) = loads.clusters().next().unwrap();
    let dropped: Vec<(&str, u64)> = load.dropped.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(dropped, [("", 6), ("lb", 8), ("throttle", 6)]);
}

#[test]
fn clusters_that_are_not_served_are_ignored_and_counted() {
    let (mut loads, mut store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    store.commit(Commit { absent: vec![(key("gone"), "no".into())], ..Commit::default() });
    for name in ["b", "gone", ""] {
        take(&mut loads, &mut client, &report(name, vec![stats("eu-1a", 1, 1, 0, 1); 2]), &store);
    }
    assert_eq!((loads.ignored(), rows(&loads)), (6, 0));
}

/// Invented names take no row from another client.
#[test]
fn invented_names_share_one_row() {
    let (mut loads, store) = (Loads::default(), store(&["a", "b"]));
    let (mut hostile, mut honest) = (Reporter::default(), Reporter::default());
    for start in [0, 1000] {
        let zones = (start..start + 1000).map(|zone| stats(&zone.to_string(), 1, 1, 0, 1));
        let mut request = report("a", zones.collect());
        let invented = Dropped { category: start.to_string(), count: 1 };
        request.clusters[0].dropped = vec![invented, Dropped { category: "lb".into(), count: 1 }];
        let same = request.clusters[0].clone();
        request.clusters.push(Cluster { service: start.to_string(), ..same.clone() });
        request.clusters.push(Cluster { service: "b-endpoints".into(), ..same });
        take(&mut loads, &mut hostile, &request, &store);
    }
    let names: Vec<(&str, usize)> = loads
        .clusters()
        .map(|(_, service, load)| (service, load.localities.len() + load.dropped.len()))
        .collect();
    assert_eq!(rows(&loads), 6, "{names:?}");
    let sums = LocalityLoad { issued: 4000, successful: 4000, errors: 0, in_progress: 2000 };
    assert_eq!(load_of(&loads, "a", "other", "other"), sums);
    let dropped: Vec<_> = loads.clusters().map(|(_, service, load)| (service, &load.dropped)).collect();
    let (_, dropped) = dropped.iter().find(|(service, _)| *service == "other").expect("its drops");
    assert_eq!((dropped["other"], dropped["lb"]), (4, 4));
    take(&mut loads, &mut honest, &report("a", vec![stats("eu-1a", 1, 1, 0, 0)]), &store);
    take(&mut loads, &mut honest, &report("b", vec![stats("", 1, 1, 0, 0)]), &store);
    assert_eq!(load_of(&loads, "a", "a-endpoints", "eu-1a").issued, 1, "a locality that is served");
    assert_eq!(load_of(&loads, "b", "b-endpoints", "").issued, 1, "endpoints without a locality");
    assert_eq!(loads.ignored(), 0);
}

/// Requests to a zone may end after its last endpoint was removed.
#[test]
fn a_row_stays_when_its_locality_is_no_longer_served() {
    let (mut loads, mut store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    take(&mut loads, &mut client, &report("a", vec![stats("eu-1b", 1, 0, 0, 1)]), &store);
    store.commit(Commit {
        put: vec![endpoints("a-endpoints", &["eu-1a", "eu-1c"], &[])],
        ..Commit::default()
    });
    let late = vec![stats("eu-1b", 0, 1, 0, 0), stats("eu-1c", 1, 1, 0, 0)];
    take(&mut loads, &mut client, &report("a", late), &store);
    let load = |zone| load(&loads, "a", zone);
    assert_eq!((load("eu-1b").successful, load("eu-1c").issued), (1, 1), "new ones have rows at once");
    assert_eq!(rows(&loads), 2);
}

/// A cluster of Envoy may contain its endpoints.
#[test]
fn localities_within_a_cluster_are_served() {
    let locality = Locality { zone: "eu-1a".into(), ..Locality::default() };
    let group = Group { locality: Some(locality), endpoints: Vec::new() };
    let assignment = Assignment { groups: vec![group], policy: None }.encode_to_vec();
    let mut cluster = vec![0x8a, 0x02, assignment.len() as u8];
    cluster.extend(assignment);
    let resource = Resource::new(TypeId::Cluster, "a", &cluster, Vec::new());
    let (mut store, mut loads, mut client) = (Store::new(), Loads::default(), Reporter::default());
    store.commit(Commit { put: vec![Put { key: key("a"), resource: resource.into() }], ..Commit::default() });
    let mut request = report("a", vec![stats("eu-1a", 1, 1, 0, 0)]);
    request.clusters[0].service.clear();
    take(&mut loads, &mut client, &request, &store);
    assert_eq!(load(&loads, "a", "eu-1a").issued, 1);
}

#[test]
fn the_number_of_rows_is_bounded_by_the_served_clusters() {
    let names: Vec<String> = (0..7000).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut loads, mut store, mut client) = (Loads::default(), store(&names), Reporter::default());
    for name in &names {
        let zones = ["eu-1a", "eu-1b", "first", "two"].map(|zone| stats(zone, 1, 1, 0, 0));
        take(&mut loads, &mut client, &report(name, zones.to_vec()), &store);
    }
    assert_eq!(rows(&loads), 3 * names.len(), "each cluster has its own room");
    take(&mut loads, &mut client, &Request::default(), &store);
    let forget = names[1..].iter().map(|name| key(name)).collect();
    store.commit(Commit { forget, ..Commit::default() });
    let first = report("0", vec![stats("eu-1a", 1, 1, 0, 1)]).encode_to_vec();
    loads.record(&mut client, &first, &store, START + Duration::from_secs(59)).unwrap();
    assert_eq!(rows(&loads), 3 * names.len(), "it looks for rows to drop once a minute");
    loads.record(&mut client, &first, &store, START + Duration::from_secs(60)).unwrap();
    assert_eq!(rows(&loads), 3);
}

#[test]
fn huge_numbers_cannot_overflow_a_sum() {
    let (mut loads, store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    for _ in 0..3 {
        take(
            &mut loads,
            &mut client,
            &report("a", vec![stats("eu-1a", u64::MAX, u64::MAX, 0, u64::MAX)]),
            &store,
        );
    }
    let most = u64::from(u32::MAX);
    let sums = LocalityLoad { issued: 3 * most, successful: 3 * most, errors: 0, in_progress: most };
    assert_eq!(load(&loads, "a", "eu-1a"), sums);
}

#[test]
fn only_the_first_message_must_carry_a_node() {
    let node = Node { id: "client".into(), ..Node::default() };
    let first = Request { node: Some(node.clone()), clusters: Vec::new() }.encode_to_vec();
    assert_eq!(first_report_node(&first).unwrap(), node.encode_to_vec());
    for message in [&Request::default(), &Request { node: Some(Node::default()), clusters: Vec::new() }] {
        let refused = first_report_node(&message.encode_to_vec()).unwrap_err();
        assert!(refused.message.contains("node.id"), "{refused}");
    }
}

#[test]
fn a_malformed_report_changes_nothing() {
    let (mut loads, store, mut client) = (Loads::default(), store(&["a"]), Reporter::default());
    let mut message = report("a", vec![stats("eu-1a", 1, 1, 0, 0)]).encode_to_vec();
    message.extend([0x12, 5, 0x0a]);
    assert!(loads.record(&mut client, &message, &store, START).is_err());
    let mut nested = report("a", vec![stats("eu-1a", 1, 1, 0, 0)]).encode_to_vec();
    nested.extend([0x12, 4, 0x12, 2, 0x0a, 9]);
    assert!(loads.record(&mut client, &nested, &store, START).is_err());
    assert_eq!((rows(&loads), loads.reports()), (0, 0));
}
