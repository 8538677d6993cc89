/**
 * An embedded relay as a process of its own: killed, it has lost everything. Arguments: a port or 0, and when it kills itself
 * (`never`, `before-ok`, `after-ok`). Prints its port once it listens.
 */

import { startRelay } from '../../src/testing/relay-server.ts';

const [port, death] = process.argv.slice(2);
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const running = await startRelay({ port: Number(port) });
running.relay.misbehave({
  receive: (frame) => {
    if (death === 'before-ok' && frame[0] === 'EVENT') die();
    return undefined;
  },
  rewrite: (frame) => {
    // Once the socket has taken the frame.
    if (death === 'after-ok' && frame[0] === 'OK') setImmediate(() => setImmediate(die));
    return [frame];
  },
});
process.stdout.write(`${running.port}\n`);
