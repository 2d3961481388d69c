'use strict';

/**
 * A grpc-js client, and a server, that runs the commands on its standard input: those of testbed/interop/grpc_go/main.go,
 * with the same lines as output. The bootstrap file is read by grpc-js-xds itself, from GRPC_XDS_BOOTSTRAP.
 */

const readline = require('node:readline');
const xds = require('@grpc/grpc-js-xds');
const { Channel } = require('./channel');
const { Server } = require('./server');

const METHOD = '/steerway.test.Backend/Name';
const DEADLINE_SECONDS = 20;

const channels = new Map();
const servers = new Map();

/** Run one command; fields that it lacks have these defaults. */
function run(line) {
  const command = {
    count: 0,
    method: METHOD,
    metadata: {},
    deadline_seconds: DEADLINE_SECONDS,
    ...JSON.parse(line),
  };
  if (command.server !== undefined) {
    runServer(command);
    return;
  }
  if (command.do === 'dial') {
    const { target, idle_seconds: idleSeconds, xds_credentials: xdsCredentials } = command;
    channels.set(command.channel, new Channel(command.channel, target, idleSeconds, xdsCredentials));
    return;
  }
  const channel = channels.get(command.channel);
  if (channel === undefined) {
    throw new Error(`command ${line}: no such channel`);
  }
  const { id, count } = command;
  const request = {
    method: command.method,
    metadata: command.metadata,
    deadlineSeconds: command.deadline_seconds,
    message: '',
  };
  switch (command.do) {
    case 'call':
      channel.callInTurn(id, count, request);
      break;
    case 'gather':
      channel.gather(id, count, { ...request, message: String(count) });
      break;
    case 'start':
      channel.start(command.rate, request);
      break;
    case 'stop':
      channel.stop(id);
      break;
    default:
      throw new Error(`command ${line}: unknown`);
  }
}

/** Run a command of a server. */
function runServer(command) {
  switch (command.do) {
    case 'serve':
      servers.set(command.server, new Server(command.server, command.address));
      break;
    case 'release':
      servers.get(command.server).release();
      break;
    case 'close':
      servers.get(command.server).close();
      break;
    default:
      throw new Error(`command ${command.do}: unknown`);
  }
}

xds.register();
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', run);
lines.on('close', () => process.exit(0)); // channels keep the process alive
