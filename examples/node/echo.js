'use strict';

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

/** The file of the service, for clients, servers and reflection. */
const definition = protoLoader.loadSync(path.join(__dirname, '../proto/echo.proto'), { keepCase: true });

module.exports = { definition, Echo: grpc.loadPackageDefinition(definition).echo.v1.Echo };
