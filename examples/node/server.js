'use strict';

// Serves the Echo service: node server.js [--xds] [--port 50051] [--drain 5] [--grace 20].

const telemetry = require('./telemetry');
const os = require('node:os');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const grpc = require('@grpc/grpc-js');
const xds = require('@grpc/grpc-js-xds');
const { ReflectionService } = require('@grpc/reflection');
const { HealthImplementation } = require('grpc-health-check');
const { definition, Echo } = require('./echo');

xds.register(); // adds the HTTP filters that a Listener names

const { values } = parseArgs({
  options: {
    xds: { type: 'boolean', default: false }, // get the server's own configuration by xDS
    port: { type: 'string', default: '50051' }, // 0 is any, without --xds
    drain: { type: 'string', default: '5' }, // seconds between SIGTERM and the stop
    grace: { type: 'string', default: '20' }, // seconds for running calls to finish after that
  },
});
const options = {
  // Callers without xDS stay on one connection, so on one pod, until it ends. Longer than the longest call.
  'grpc.max_connection_age_ms': 30 * 60_000,
  'grpc.max_connection_age_grace_ms': 60_000,
  interceptors: [telemetry.serverInterceptor],
};
const server = values.xds ? new xds.XdsServer(options) : new grpc.Server(options);
const insecure = grpc.ServerCredentials.createInsecure();
const credentials = values.xds ? new xds.XdsServerCredentials(insecure) : insecure;

let name;
server.addService(Echo.service, {
  echo: (call, callback) => callback(null, { message: call.request.message, server: name }),
});
const health = new HealthImplementation({ '': 'SERVING' });
health.addToServer(server);
new ReflectionService(definition).addToServer(server);

server.bindAsync(`0.0.0.0:${values.port}`, credentials, (error, port) => {
  if (error) {
    console.error(error.message);
    process.exit(1);
  }
  name = `${os.hostname()}:${port}`;
  console.log(`listening on port ${port}`);
});

async function end() {
  // The readiness probe fails, Kubernetes marks the pod as terminating, the control plane removes it, and clients go
  // elsewhere; then new calls are refused and running ones finish.
  console.log('draining');
  health.setStatus('', 'NOT_SERVING');
  await sleep(values.drain * 1000);
  const hard = setTimeout(() => server.forceShutdown(), values.grace * 1000);
  await new Promise((resolve) => server.tryShutdown(resolve));
  clearTimeout(hard);
  await telemetry.shutdown();
  process.exit();
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end);
