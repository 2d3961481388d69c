//! The gRPC health service.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The services with a status: the server as a whole, and the one that xDS clients use.
const HEALTH_OF: [&str; 2] = ["", "envoy.service.discovery.v3.AggregatedDiscoveryService"];

/// Set the status of all services; clients that watch get it at once.
pub(crate) async fn set_health(health: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in HEALTH_OF {
        health.set_service_status(name, status).await;
    }
}
