/**
 * A process that serves @nostr-relay/core over WebSocket, with an SQLite file. Arguments: the file, a port or 0, and
 * optionally the host name under which it asks for AUTH. Prints its port once it listens.
 */

import { LogLevel } from '@nostr-relay/common';
import { NostrRelay } from '@nostr-relay/core';
import { EventRepositorySqlite } from '@nostr-relay/event-repository-sqlite';
import { Validator } from '@nostr-relay/validator';
import { WebSocketServer } from 'ws';

const [file, port, hostname] = process.argv.slice(2);

const repository = new EventRepositorySqlite(file);
await repository.init();
const relay = new NostrRelay(repository, {
  logLevel: LogLevel.WARN,
  // Its caches answer from before the last write.
  filterResultCacheTtl: 0,
  eventHandlingResultCacheTtl: 0,
  ...(hostname === undefined ? {} : { hostname }),
});
const validator = new Validator();

async function handle(socket, data) {
  try {
    await relay.handleMessage(socket, await validator.validateIncomingMessage(data));
  } catch (error) {
    socket.send(JSON.stringify(['NOTICE', String(error)]));
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), maxPayload: 262_144 });
server.on('connection', (socket) => {
  relay.handleConnection(socket);
  socket.on('error', () => {});
  socket.on('close', () => relay.handleDisconnect(socket));
  socket.on('message', (data) => void handle(socket, data));
});
server.on('listening', () => process.stdout.write(`${server.address().port}\n`));
