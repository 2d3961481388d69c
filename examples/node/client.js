'use strict';

// Calls the Echo service: node client.js TARGET [CALLS]. With CALLS 0 it calls until SIGTERM.

const telemetry = require('./telemetry');
const { setTimeout: sleep } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const xds = require('@grpc/grpc-js-xds');
const { Echo } = require('./echo');

xds.register(); // adds the scheme xds:///

const INTERVAL_MS = 100;
const DEADLINE_MS = 5_000;
// The first call waits for the control plane: gRPC treats a resource as missing after 15 s.
const START_DEADLINE_MS = 30_000;

const [target, calls = '10'] = process.argv.slice(2);
if (!target || !/^\d+$/.test(calls)) {
  console.error('usage: node client.js TARGET [CALLS], for example: node client.js xds:///echo.shop:50051');
  process.exit(2);
}

const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.abort());

// Without TLS in the Cluster that the control plane sends, and for other schemes, the fallback applies.
const credentials = new xds.XdsChannelCredentials(grpc.credentials.createInsecure());
const client = new Echo(target, credentials, {
  // Connections that are silently gone are noticed after both times together, without them after minutes. Servers
  // close connections that are pinged more often than they allow: every 5 minutes by default.
  'grpc.keepalive_time_ms': 300_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // An idle channel has no stream to the control plane, and its next call waits for one. The largest value is 24 days.
  'grpc.client_idle_timeout_ms': 2 ** 31 - 1,
  // For dns:/// only; an xDS control plane sends the policy. Without it, all calls go to one address.
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  interceptors: [telemetry.clientInterceptor(target)],
});

/** Make one call and print its result. */
function call(milliseconds, waitForReady = false) {
  const metadata = new grpc.Metadata({ waitForReady });
  return new Promise((resolve) => {
    client.echo({ message: 'hello' }, metadata, { deadline: Date.now() + milliseconds }, (error, answer) => {
      console.log(error ? `${grpc.status[error.code]} ${error.details}` : `OK ${answer.server}`);
      resolve(!error);
    });
  });
}

async function main() {
  if (!(await call(START_DEADLINE_MS, true))) process.exitCode = 1;
  for (let made = 1; process.exitCode !== 1 && (calls === '0' || made < Number(calls)); made++) {
    await sleep(INTERVAL_MS, undefined, { signal: stopped.signal }).catch(() => {});
    if (stopped.signal.aborted) break;
    await call(DEADLINE_MS);
  }
  client.close();
  await telemetry.shutdown();
  // The client of the control plane keeps its connection, and with it the process.
  process.exit();
}

main();
