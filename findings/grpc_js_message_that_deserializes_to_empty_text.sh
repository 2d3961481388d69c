#!/usr/bin/env bash
# @grpc/grpc-js 1.14.7, Node.js 20.
#
# A unary call whose request has no bytes (a valid message: all fields have their defaults) and whose deserializer returns
# the empty string fails with UNIMPLEMENTED, as if no message had been sent: the server tests the value for truth. A
# deserializer that returns an object, or text for a longer message, works.
# Expected: the handler is called with ''.
#
# Output seen:
#   text, 0 bytes: code 12, the handler was called 0 times
#   text, 1 byte: code 0, the handler was called 1 times
#   object, 0 bytes: code 0, the handler was called 1 times
#
# Runs without this project: installs pinned packages into a temporary folder, and exits with 1 when the output differs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7
cat > run.js <<'J'
const grpc = require('@grpc/grpc-js');

const bytes = (text) => Buffer.from(text);
const method = (read) => ({
  path: '/findings.Text/Send', requestStream: false, responseStream: false,
  requestSerialize: bytes, requestDeserialize: read, responseSerialize: bytes, responseDeserialize: String,
});

async function call(name, read, message) {
  let handled = 0;
  const server = new grpc.Server();
  server.addService({ send: method(read) }, { send: (_, answer) => { handled += 1; answer(null, 'done'); } });
  const port = await new Promise((done, failed) => server.bindAsync(
    '127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? failed(error) : done(bound)),
  ));
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const code = await new Promise((done) => client.makeUnaryRequest(
    '/findings.Text/Send', bytes, String, message, (error) => done(error ? error.code : 0),
  ));
  console.log(`${name}: code ${code}, the handler was called ${handled} times`);
  client.close();
  server.forceShutdown();
}

(async () => {
  await call('text, 0 bytes', String, '');
  await call('text, 1 byte', String, 'a');
  await call('object, 0 bytes', (buffer) => ({ text: String(buffer) }), '');
})();
J
output=$(node run.js)
echo "$output"
[ "$output" = "text, 0 bytes: code 12, the handler was called 0 times
text, 1 byte: code 0, the handler was called 1 times
object, 0 bytes: code 0, the handler was called 1 times" ]
