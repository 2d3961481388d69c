//! Load reports (LRS): what clients say about the requests that they made, read in place and summed up.
//!
//! A report is the difference to the one before it. It is taken only for clusters that are in the store, and only as
//! far as there is room: what a client invents fills neither the memory nor the metrics.
//!
//! Not here: the named metrics of gRFC A85 (clients send those that a Cluster asks for, and none does) and the load of
//! single endpoints (never asked for, as in gRPC).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::node::node_id;
use crate::wire::{Field, Fields, Malformed, Value, repeated, singular, text};
use crate::{Status, Store, TypeId};

/// Rows (localities and categories of drops) of one cluster, over all names of its assignment.
const MAX_ROWS_PER_CLUSTER: usize = 256;

/// Rows of all clusters.
const MAX_ROWS: usize = 20_000;

/// Longest name of a locality, a category or an assignment.
const MAX_TEXT: usize = 256;

/// Nobody makes more requests between two reports: a larger number is taken for this one, and cannot spoil a sum.
const MAX_COUNT: u64 = u32::MAX as u64;

/// When there is no room, rows of clusters that are gone make some; looking for them is not for every report.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// `envoy.service.load_stats.v3.LoadStatsRequest`.
const NODE: u32 = 1;
const CLUSTER_STATS: u32 = 2;

/// `envoy.config.endpoint.v3.ClusterStats`.
const CLUSTER_NAME: u32 = 1;
const LOCALITY_STATS: u32 = 2;
const TOTAL_DROPPED: u32 = 3;
const DROPPED: u32 = 5;
const CLUSTER_SERVICE_NAME: u32 = 6;

/// `envoy.config.endpoint.v3.UpstreamLocalityStats`.
const LOCALITY: u32 = 1;
const SUCCESSFUL: u32 = 2;
const IN_PROGRESS: u32 = 3;
const ERRORS: u32 = 4;
const ISSUED: u32 = 8;

/// `envoy.config.endpoint.v3.ClusterStats.DroppedRequests`.
const CATEGORY: u32 = 1;
const DROPPED_COUNT: u32 = 2;

/// Where requests went: `envoy.config.core.v3.Locality`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// `region`.
    pub region: Box<str>,
    /// `zone`.
    pub zone: Box<str>,
    /// `sub_zone`.
    pub sub_zone: Box<str>,
}

/// Requests of all clients to one locality since the start of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalityLoad {
    /// Requests that were begun.
    pub issued: u64,
    /// Requests that ended well.
    pub successful: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Requests that are under way now, by the last report of each client that still reports.
    pub in_progress: u64,
}

/// The load of one cluster with one assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterLoad {
    /// By locality.
    pub localities: BTreeMap<Locality, LocalityLoad>,
    /// Requests that clients dropped, by category; "" are those without one, such as a circuit breaker's.
    pub dropped: BTreeMap<Box<str>, u64>,
}

/// `cluster_name` and `cluster_service_name` (the name of its assignment; "" when the client gives none).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LoadKey {
    cluster: Arc<str>,
    service: Box<str>,
}

/// One client's stream of reports.
#[derive(Debug, Default)]
pub struct Reporter {
    /// What of the gauges is this client's.
    in_progress: Vec<(LoadKey, Locality, u64)>,
    known: bool,
}

/// What all clients reported.
#[derive(Debug, Default)]
pub struct Loads {
    clusters: HashMap<LoadKey, ClusterLoad>,
    rows_of: HashMap<Arc<str>, usize>,
    rows: usize,
    reporters: u64,
    reports: u64,
    ignored: u64,
    pruned: Option<Duration>,
}

/// The `node` of the first message of a stream, or why the stream cannot be served.
pub fn first_report_node(message: &[u8]) -> Result<&[u8], Status> {
    let node = singular(message, NODE)?;
    // "Node identifier … only the first message on the stream must contain it", as in discovery.
    node_id(node)?;
    Ok(node.unwrap_or_default())
}

impl Loads {
    /// Take one report. `store` says which clusters there are; an error ends the stream and changes nothing.
    pub fn take(
        &mut self,
        reporter: &mut Reporter,
        message: &[u8],
        store: &Store,
        now: Duration,
    ) -> Result<(), Status> {
        check(message)?;
        self.reports += 1;
        if !std::mem::replace(&mut reporter.known, true) {
            self.reporters += 1;
        }
        // A report is about everything: what it does not name has nothing under way.
        self.settle(reporter);
        for stats in repeated(message, CLUSTER_STATS) {
            self.take_cluster(reporter, stats?, store, now)?;
        }
        Ok(())
    }

    /// The client reports no more.
    pub fn leave(&mut self, reporter: &mut Reporter) {
        self.settle(reporter);
        if std::mem::take(&mut reporter.known) {
            self.reporters -= 1;
        }
    }

    /// The load of each cluster and the name of its assignment, in no particular order.
    pub fn clusters(&self) -> impl Iterator<Item = (&Arc<str>, &str, &ClusterLoad)> {
        self.clusters.iter().map(|(key, load)| (&key.cluster, &*key.service, load))
    }

    /// How many clients report.
    pub fn reporters(&self) -> u64 {
        self.reporters
    }

    /// How many reports there were.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// Rows of reports that were not taken: of clusters that do not exist, or for want of room.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Take back what the client last said to be under way.
    fn settle(&mut self, reporter: &mut Reporter) {
        for (key, locality, count) in reporter.in_progress.drain(..) {
            let load = self.clusters.get_mut(&key).and_then(|load| load.localities.get_mut(&locality));
            if let Some(load) = load {
                load.in_progress = load.in_progress.saturating_sub(count);
            }
        }
    }

    fn take_cluster(
        &mut self,
        reporter: &mut Reporter,
        stats: &[u8],
        store: &Store,
        now: Duration,
    ) -> Result<(), Malformed> {
        let name = text(singular(stats, CLUSTER_NAME)?.unwrap_or_default())?;
        let service = text(singular(stats, CLUSTER_SERVICE_NAME)?.unwrap_or_default())?;
        let rows = repeated(stats, LOCALITY_STATS).count() + drops(stats)?.len();
        let Some(cluster) = store.served_name(TypeId::Cluster, name).filter(|_| service.len() <= MAX_TEXT)
        else {
            self.ignored += rows as u64;
            return Ok(());
        };
        let key = LoadKey { cluster: Arc::clone(cluster), service: service.into() };
        for stats in repeated(stats, LOCALITY_STATS) {
            self.take_locality(reporter, &key, stats?, store, now)?;
        }
        for (category, count) in drops(stats)? {
            let known = self.clusters.get(&key).is_some_and(|load| load.dropped.contains_key(category));
            if category.len() <= MAX_TEXT && (known || self.add_row(&key.cluster, store, now)) {
                let dropped = &mut self.clusters.entry(key.clone()).or_default().dropped;
                *dropped.entry(category.into()).or_default() += count;
            } else {
                self.ignored += 1;
            }
        }
        Ok(())
    }

    fn take_locality(
        &mut self,
        reporter: &mut Reporter,
        key: &LoadKey,
        stats: &[u8],
        store: &Store,
        now: Duration,
    ) -> Result<(), Malformed> {
        let (locality, load) = locality_load(stats)?;
        let known = self.clusters.get(key).is_some_and(|load| load.localities.contains_key(&locality));
        if !locality.is_short() || !(known || self.add_row(&key.cluster, store, now)) {
            self.ignored += 1;
            return Ok(());
        }
        let sums =
            self.clusters.entry(key.clone()).or_default().localities.entry(locality.clone()).or_default();
        sums.issued += load.issued;
        sums.successful += load.successful;
        sums.errors += load.errors;
        sums.in_progress += load.in_progress;
        if load.in_progress > 0 {
            reporter.in_progress.push((key.clone(), locality, load.in_progress));
        }
        Ok(())
    }

    /// Whether there is room for one more row of a cluster; it counts from now on.
    fn add_row(&mut self, cluster: &Arc<str>, store: &Store, now: Duration) -> bool {
        let due = self.pruned.is_none_or(|pruned| now.saturating_sub(pruned) >= PRUNE_INTERVAL);
        if self.rows >= MAX_ROWS && due {
            self.pruned = Some(now);
            self.prune(store);
        }
        if self.rows >= MAX_ROWS {
            return false;
        }
        let rows = self.rows_of.entry_ref(cluster).or_default();
        if *rows >= MAX_ROWS_PER_CLUSTER {
            return false;
        }
        *rows += 1;
        self.rows += 1;
        true
    }

    /// Drop clusters that are in the store no more and on which nothing is under way.
    fn prune(&mut self, store: &Store) {
        let idle = |load: &ClusterLoad| load.localities.values().all(|load| load.in_progress == 0);
        let (rows, rows_of) = (&mut self.rows, &mut self.rows_of);
        self.clusters.retain(|key, load| {
            let keep = store.served_name(TypeId::Cluster, &key.cluster).is_some() || !idle(load);
            if !keep {
                let gone = load.localities.len() + load.dropped.len();
                *rows -= gone;
                if let Some(of_cluster) = rows_of.get_mut(&key.cluster) {
                    *of_cluster -= gone;
                }
            }
            keep
        });
        rows_of.retain(|_, rows| *rows > 0);
    }
}

impl Locality {
    fn is_short(&self) -> bool {
        [&self.region, &self.zone, &self.sub_zone].into_iter().all(|part| part.len() <= MAX_TEXT)
    }

    fn decode(message: &[u8]) -> Result<Locality, Malformed> {
        let part = |number| Ok(text(singular(message, number)?.unwrap_or_default())?.into());
        Ok(Locality { region: part(1)?, zone: part(2)?, sub_zone: part(3)? })
    }
}

/// The whole message can be read: a broken one must not be taken by half.
fn check(message: &[u8]) -> Result<(), Malformed> {
    for stats in repeated(message, CLUSTER_STATS) {
        let stats = stats?;
        text(singular(stats, CLUSTER_NAME)?.unwrap_or_default())?;
        text(singular(stats, CLUSTER_SERVICE_NAME)?.unwrap_or_default())?;
        drops(stats)?;
        repeated(stats, LOCALITY_STATS).try_for_each(|stats| locality_load(stats?).map(drop))?;
    }
    singular(message, NODE).map(drop)
}

fn locality_load(stats: &[u8]) -> Result<(Locality, LocalityLoad), Malformed> {
    let (mut locality, mut load) = (&[][..], LocalityLoad::default());
    let mut fields = Fields::new(stats);
    while let Some(Field { number, value, .. }) = fields.next()? {
        match (number, value) {
            (LOCALITY, Value::Bytes(bytes)) => locality = bytes,
            (SUCCESSFUL, Value::Varint(count)) => load.successful = count.min(MAX_COUNT),
            (IN_PROGRESS, Value::Varint(count)) => load.in_progress = count.min(MAX_COUNT),
            (ERRORS, Value::Varint(count)) => load.errors = count.min(MAX_COUNT),
            (ISSUED, Value::Varint(count)) => load.issued = count.min(MAX_COUNT),
            _ => {}
        }
    }
    Ok((Locality::decode(locality)?, load))
}

/// Dropped requests by category. The total says more when some have no category: those come under "".
fn drops(stats: &[u8]) -> Result<Vec<(&str, u64)>, Malformed> {
    let mut found: Vec<(&str, u64)> = Vec::new();
    let (mut total, mut named) = (0, 0);
    let mut fields = Fields::new(stats);
    while let Some(Field { number, value, .. }) = fields.next()? {
        match (number, value) {
            (TOTAL_DROPPED, Value::Varint(count)) => total = count.min(MAX_COUNT),
            (DROPPED, Value::Bytes(drop)) => {
                let count = count(drop, DROPPED_COUNT)?;
                named += count;
                found.push((text(singular(drop, CATEGORY)?.unwrap_or_default())?, count));
            }
            _ => {}
        }
    }
    if total > named {
        found.push(("", total - named));
    }
    Ok(found)
}

/// A singular number; 0 when it is missing.
fn count(message: &[u8], wanted: u32) -> Result<u64, Malformed> {
    let mut found = 0;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if let Field { number, value: Value::Varint(count), .. } = field
            && number == wanted
        {
            found = count.min(MAX_COUNT);
        }
    }
    Ok(found)
}
