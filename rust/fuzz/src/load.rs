//! Any bytes as load reports of two clients: malformed reports change nothing, sums only grow, gauges end with their
//! stream.

use std::collections::BTreeMap;
use std::time::Duration;

use steerway_engine::{
    Commit, Loads, Locality, LocalityLoad, Put, Reporter, Store, TypeId, first_report_node,
};

use crate::world::{key, resource};

/// Rows of one cluster that is served without endpoints: one locality and one category of drops without a name, and the
/// same for all names, in an assignment without a name and in all others.
const MOST_ROWS: usize = 8;

type Rows = BTreeMap<(String, String, Locality), LocalityLoad>;

fn rows(loads: &Loads) -> (Rows, usize) {
    let mut rows = Rows::new();
    let mut drops = 0;
    for (cluster, service, load) in loads.clusters() {
        drops += load.dropped.len();
        for (locality, load) in &load.localities {
            rows.insert((cluster.to_string(), service.to_owned(), locality.clone()), *load);
        }
    }
    (rows, drops)
}

/// The clients take turns.
pub fn run(reports: &[&[u8]]) {
    let mut store = Store::new();
    let put =
        |name| Put { key: key(TypeId::Cluster, name, ""), resource: resource(TypeId::Cluster, name, "1") };
    let served = ["", "a"];
    store.commit(Commit { put: served.map(put).into(), ..Commit::default() });

    let (mut loads, mut reporters) = (Loads::default(), [Reporter::default(), Reporter::default()]);
    for (turn, report) in reports.iter().enumerate() {
        let _ = first_report_node(report);
        let (before, counted) = (rows(&loads), (loads.reports(), loads.reporters(), loads.ignored()));
        let taken = loads.record(&mut reporters[turn % 2], report, &store, Duration::from_secs(turn as u64));
        let (after, drops) = rows(&loads);
        if taken.is_err() {
            assert_eq!((&after, drops), (&before.0, before.1), "a malformed report changes nothing");
            assert_eq!((loads.reports(), loads.reporters(), loads.ignored()), counted);
        }
        assert!(after.len() + drops <= served.len() * MOST_ROWS, "rows are bounded");
        for (key, load) in &before.0 {
            let now = &after[key];
            let grown =
                now.issued >= load.issued && now.successful >= load.successful && now.errors >= load.errors;
            assert!(grown, "sums only grow");
        }
    }
    reporters.iter_mut().for_each(|reporter| loads.remove_reporter(reporter));
    assert!(rows(&loads).0.values().all(|load| load.in_progress == 0), "gauges end with their stream");
    assert_eq!(loads.reporters(), 0);
}
