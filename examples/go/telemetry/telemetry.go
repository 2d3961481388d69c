// Package telemetry exports the metrics and spans of gRPC (gRFC A66, A72, A78).
package telemetry

import (
	"context"
	"errors"
	"os"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	experimental "google.golang.org/grpc/experimental/opentelemetry"
	"google.golang.org/grpc/stats/opentelemetry"
)

// Metrics of gRFC A78 and A94 that are off by default. A name that grpc-go does not have is ignored.
var added = []string{
	"grpc.xds_client.connected",
	"grpc.xds_client.server_failure",
	"grpc.xds_client.resource_updates_valid",
	"grpc.xds_client.resource_updates_invalid",
	"grpc.subchannel.open_connections",
	"grpc.subchannel.disconnections",
}

// New returns the options of a channel or server, and a function that exports the rest at the end.
//
// OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER select the exporters: otlp, console, prometheus or none. Unset is
// none. OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry configure them.
func New(ctx context.Context) (opentelemetry.Options, func(context.Context) error, error) {
	var options opentelemetry.Options
	var shutdowns []func(context.Context) error
	if os.Getenv("OTEL_METRICS_EXPORTER") != "" {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return options, nil, err
		}
		provider := metric.NewMeterProvider(metric.WithReader(reader))
		shutdowns = append(shutdowns, provider.Shutdown)
		options.MetricsOptions = opentelemetry.MetricsOptions{
			MeterProvider: provider,
			Metrics:       opentelemetry.DefaultMetrics().Add(added...),
			// The Service and zone that answered.
			OptionalLabels: []string{"grpc.lb.backend_service", "grpc.lb.locality"},
		}
	}
	if os.Getenv("OTEL_TRACES_EXPORTER") != "" {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return options, nil, err
		}
		provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
		shutdowns = append(shutdowns, provider.Shutdown)
		options.TraceOptions = experimental.TraceOptions{
			TracerProvider:    provider,
			TextMapPropagator: propagation.TraceContext{},
		}
	}
	return options, func(ctx context.Context) error {
		var errs []error
		for _, shutdown := range shutdowns {
			errs = append(errs, shutdown(ctx))
		}
		return errors.Join(errs...)
	}, nil
}
