'use strict';

/** Write one line of JSON. */
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Messages are bytes as they are: no generated code is needed. */
const asBytes = (text) => Buffer.from(text);
const asText = (bytes) => bytes.toString();

module.exports = { asBytes, asText, write };
