//! The services other than discovery: health, reflection, client status, load reporting.

use std::sync::Arc;

use tonic::service::Routes;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use crate::grpc::csds::ClientStatus;
use crate::grpc::lrs::LoadReporting;
use crate::runtime::shared::Shared;

/// `descriptors` is a serialised FileDescriptorSet for reflection; an error names what is wrong with it.
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
