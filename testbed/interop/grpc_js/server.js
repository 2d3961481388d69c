'use strict';

const grpc = require('@grpc/grpc-js');
const xds = require('@grpc/grpc-js-xds');
const { asBytes, write } = require('./output');

/** grpc-js knows no handler of every method. */
const METHODS = ['/steerway.test.Backend/Name', '/steerway.test.Backend/Block'];

/** A request as it is: grpc-js takes an empty text for no message. */
const unread = (bytes) => bytes;

/** The SPIFFE ID of the client and the serial number of its certificate, '' for one without a certificate. */
function identity(call) {
  const { subjectaltname: names = '', serialNumber: serial = '' } = call.getAuthContext().sslPeerCertificate ?? {};
  const uri = names.split(', ').find((name) => name.startsWith('URI:')) ?? '';
  return { peer: uri.slice('URI:'.length), serial: serial.toLowerCase().replace(/^0+/, '') };
}

/** An xDS server, which answers with its name. */
class Server {
  constructor(name, address) {
    this.name = name;
    this.blocked = [];
    this.server = new xds.XdsServer();
    for (const method of METHODS) {
      const handler = (call, callback) => this.answer(method, call, callback);
      this.server.register(method, handler, asBytes, unread, 'unary');
    }
    const credentials = new xds.XdsServerCredentials(grpc.ServerCredentials.createInsecure());
    this.server.bindAsync(address, credentials, (error) => error && this.report({ code: -1, details: error.message }));
    this.server.addServingStateListener(address, (status) => this.report(status));
  }

  report({ code, details }) {
    const serving = code === grpc.status.OK;
    write({ server: this.name, serving, error: serving ? '' : details });
  }

  answer(method, call, callback) {
    const send = () => {
      const header = new grpc.Metadata();
      Object.entries(identity(call)).forEach(([name, value]) => header.set(name, value));
      call.sendMetadata(header);
      callback(null, this.name);
    };
    if (method.endsWith('/Block')) {
      this.blocked.push(send);
      write({ server: this.name, blocked: this.blocked.length });
    } else {
      send();
    }
  }

  /** Answer the calls that wait. */
  release() {
    this.blocked.splice(0).forEach((send) => send());
  }

  /** End the server; calls in flight may finish. */
  close() {
    this.server.tryShutdown(() => write({ server: this.name, closed: true }));
  }
}

module.exports = { Server };
