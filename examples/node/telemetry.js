'use strict';

// Spans of calls by OpenTelemetry, and the durations of calls with the names of gRFC A66. grpc-js has no plugin for the
// metrics of gRFC A66 and A78. Load this module before @grpc/grpc-js: it wraps that when it is loaded.
//
// OTEL_METRICS_EXPORTER and OTEL_TRACES_EXPORTER select the exporters: otlp, console, prometheus or none. Unset is none.
// OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry configure them.

for (const signal of ['METRICS', 'TRACES', 'LOGS']) process.env[`OTEL_${signal}_EXPORTER`] ||= 'none';

const { GrpcInstrumentation } = require('@opentelemetry/instrumentation-grpc');
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { metrics } = require('@opentelemetry/api');

const sdk = new NodeSDK({ instrumentations: [new GrpcInstrumentation()] });
sdk.start();

const grpc = require('@grpc/grpc-js');

const meter = metrics.getMeter('echo');
const advice = { explicitBucketBoundaries: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10] };
const options = { unit: 's', advice };
const clientDuration = meter.createHistogram('grpc.client.call.duration', options);
const serverDuration = meter.createHistogram('grpc.server.call.duration', options);

function record(histogram, begin, code, attributes) {
  const seconds = (performance.now() - begin) / 1000;
  histogram.record(seconds, { ...attributes, 'grpc.status': grpc.status[code] });
}

/** The interceptor of a client that records its calls. */
function clientInterceptor(target) {
  return (callOptions, nextCall) => {
    const attributes = { 'grpc.method': callOptions.method_definition.path.slice(1), 'grpc.target': target };
    const begin = performance.now();
    return new grpc.InterceptingCall(nextCall(callOptions), {
      start(metadata, listener, next) {
        next(metadata, {
          onReceiveStatus(status, nextStatus) {
            record(clientDuration, begin, status.code, attributes);
            nextStatus(status);
          },
        });
      },
    });
  };
}

/** The interceptor of a server that records its calls. */
function serverInterceptor(method, call) {
  const begin = performance.now();
  return new grpc.ServerInterceptingCall(call, {
    sendStatus(status, next) {
      record(serverDuration, begin, status.code, { 'grpc.method': method.path.slice(1) });
      next(status);
    },
  });
}

module.exports = { clientInterceptor, serverInterceptor, shutdown: () => sdk.shutdown() };
