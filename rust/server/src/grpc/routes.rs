//! Services other than discovery: health and reflection are tonic's, client status is Python's, load reporting is ours.

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use crate::grpc::csds::ClientStatus;
use crate::grpc::lrs::LoadReporting;
use crate::runtime::shared::Shared;

/// The names whose health is told: the server as a whole, and the service that clients of it use.
const HEALTH_OF: [&str; 2] = ["", "envoy.service.discovery.v3.AggregatedDiscoveryService"];

/// All services but discovery. `descriptors` is a serialised FileDescriptorSet; an error says what is wrong with it.
pub(crate) fn routes(
    health: &HealthReporter,
    descriptors: &[u8],
    shared: &Arc<Shared>,
) -> Result<Routes, String> {
    let health = HealthService::from_health_reporter(health.clone());
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = builder().build_v1().map_err(|error| error.to_string())?;
    let reflection_alpha = builder().build_v1alpha().map_err(|error| error.to_string())?;
    Ok(Routes::new(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(ClientStatus::new(Arc::clone(shared)))
        .add_service(LoadReporting::new(Arc::clone(shared)))
        .prepare())
}

/// Tell everybody who checks or watches.
pub(crate) async fn set_health(health: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in HEALTH_OF {
        health.set_service_status(name, status).await;
    }
}
