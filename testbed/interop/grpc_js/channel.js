'use strict';

const grpc = require('@grpc/grpc-js');
const xds = require('@grpc/grpc-js-xds');
const { asBytes, asText, write } = require('./output');

/** Metadata that is text; several values of a name are joined by commas. */
function joined(metadata) {
  const names = Object.keys(metadata.getMap()).filter((name) => !name.endsWith('-bin'));
  return Object.fromEntries(names.map((name) => [name, metadata.get(name).join(', ')]));
}

/** One channel and its load. */
class Channel {
  /** `xdsCredentials`: with the credentials of the Cluster, plaintext where it has none. */
  constructor(name, target, idleSeconds, xdsCredentials) {
    this.name = name;
    const plaintext = grpc.credentials.createInsecure();
    const credentials = xdsCredentials ? new xds.XdsChannelCredentials(plaintext) : plaintext;
    const options = {
      'grpc.use_local_subchannel_pool': 1, // else channels to the same backends share connections
      'grpc.enable_http_proxy': 0,
      'grpc.client_idle_timeout_ms': idleSeconds ? Math.round(idleSeconds * 1000) : 2 ** 31 - 1,
    };
    this.client = new grpc.Client(target, credentials, options);
    this.reportState();
  }

  reportState() {
    const channel = this.client.getChannel();
    const current = channel.getConnectivityState(false);
    write({ channel: this.name, state: grpc.connectivityState[current] });
    channel.watchConnectivityState(current, Infinity, (error) => {
      if (!error) {
        this.reportState();
      }
    });
  }

  /** Make one call; the promise ends with it, whatever its status. */
  call(request) {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(request.metadata)) {
      metadata.set(name, value);
    }
    const options = { deadline: Date.now() + request.deadlineSeconds * 1000 };
    return new Promise((resolve) => {
      const received = new grpc.Metadata();
      let backend = '';
      const call = this.client.makeUnaryRequest(
        request.method, asBytes, asText, request.message, metadata, options,
        (error, answer) => { backend = error ? '' : answer; },
      );
      call.on('metadata', (header) => received.merge(header));
      call.on('status', (status) => {
        received.merge(status.metadata);
        const { code, details } = status;
        // The answer's callback runs before or after this event, within the same turn.
        setImmediate(() => {
          write({ channel: this.name, backend, code, error: code ? details : '', metadata: joined(received) });
          resolve();
        });
      });
    });
  }

  /** Make `count` calls, one after another. */
  async callInTurn(id, count, request) {
    for (let i = 0; i < count; i += 1) {
      await this.call(request);
    }
    write({ channel: this.name, done: id });
  }

  /** Send `count` calls that the backends answer when all of them are under way. */
  async gather(id, count, request) {
    await Promise.all(Array.from({ length: count }, () => this.call(request)));
    write({ channel: this.name, done: id });
  }

  /** Send `rate` calls per second until `stop`, independent of how earlier ones end. */
  start(rate, request) {
    this.load = new Set();
    this.sending = true;
    let due = performance.now();
    const send = () => {
      if (!this.sending) {
        return;
      }
      for (; due <= performance.now(); due += 1000 / rate) {
        const call = this.call(request).then(() => this.load.delete(call));
        this.load.add(call);
      }
      setTimeout(send, due - performance.now());
    };
    send();
  }

  /** End the load; the command is done when its last call is. */
  async stop(id) {
    this.sending = false;
    await Promise.all(this.load);
    write({ channel: this.name, done: id });
  }
}

module.exports = { Channel };
