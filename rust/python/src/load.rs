//! Load reports of clients as Python objects.

use pyo3::prelude::*;
use steerway_engine::Loads as Reported;

#[pyclass(frozen, get_all, module = "steerway._engine")]
#[derive(Clone)]
pub(crate) struct LocalityLoad {
    cluster: String,
    service: String,
    region: String,
    zone: String,
    sub_zone: String,
    issued: u64,
    successful: u64,
    errors: u64,
    in_progress: u64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
#[derive(Clone)]
pub(crate) struct DroppedLoad {
    cluster: String,
    service: String,
    category: String,
    count: u64,
}

#[pyclass(frozen, get_all, module = "steerway._engine")]
pub(crate) struct Loads {
    reporters: u64,
    reports: u64,
    ignored: u64,
    localities: Vec<LocalityLoad>,
    dropped: Vec<DroppedLoad>,
}

impl From<&Reported> for Loads {
    fn from(reported: &Reported) -> Loads {
        let mut loads = Loads {
            reporters: reported.reporters(),
            reports: reported.reports(),
            ignored: reported.ignored(),
            localities: Vec::new(),
            dropped: Vec::new(),
        };
        for (cluster, service, load) in reported.clusters() {
            loads.localities.extend(load.localities.iter().map(|(locality, load)| LocalityLoad {
                cluster: cluster.to_string(),
                service: service.to_owned(),
                region: locality.region.to_string(),
                zone: locality.zone.to_string(),
                sub_zone: locality.sub_zone.to_string(),
                issued: load.issued,
                successful: load.successful,
                errors: load.errors,
                in_progress: load.in_progress,
            }));
            loads.dropped.extend(load.dropped.iter().map(|(category, count)| DroppedLoad {
                cluster: cluster.to_string(),
                service: service.to_owned(),
                category: category.to_string(),
                count: *count,
            }));
        }
        loads
    }
}
