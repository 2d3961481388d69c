package com.example.echo;

import io.grpc.opentelemetry.GrpcOpenTelemetry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.util.List;
import java.util.Map;

/**
 * Metrics of gRPC (gRFC A66, A78), and spans (gRFC A72) with GRPC_EXPERIMENTAL_ENABLE_OTEL_TRACING=true.
 *
 * <p>OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER select the exporters: otlp, console or none. Unset is none.
 * OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry configure them.
 */
final class Telemetry implements AutoCloseable {
  /** Metrics that are off by default. A name that grpc-java does not have is ignored. */
  private static final List<String> ADDED =
      List.of(
          "grpc.xds_client.connected",
          "grpc.xds_client.server_failure",
          "grpc.xds_client.resource_updates_valid",
          "grpc.xds_client.resource_updates_invalid",
          "grpc.subchannel.open_connections",
          "grpc.subchannel.disconnections");

  private static final Map<String, String> DEFAULTS =
      Map.of("otel.metrics.exporter", "none", "otel.traces.exporter", "none", "otel.logs.exporter", "none");

  private final OpenTelemetrySdk sdk;
  private final GrpcOpenTelemetry grpc;

  Telemetry() {
    sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addPropertiesSupplier(() -> DEFAULTS)
            .disableShutdownHook()
            .build()
            .getOpenTelemetrySdk();
    grpc =
        GrpcOpenTelemetry.newBuilder()
            .sdk(sdk)
            .enableMetrics(ADDED)
            // The Service and zone that answered.
            .addOptionalLabel("grpc.lb.backend_service")
            .addOptionalLabel("grpc.lb.locality")
            .build();
  }

  GrpcOpenTelemetry grpc() {
    return grpc;
  }

  /** Export the rest. */
  @Override
  public void close() {
    sdk.close();
  }
}
