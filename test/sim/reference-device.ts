/** A device that follows the Rust plugin: the time as stamp, no version vector, no store, a new device id at each start. */

import { createChance } from './chance.ts';
import type { World } from './world.ts';
import { createMachine, startProcess, type Process } from './machine.ts';
import { docIn } from './documents.ts';
import { MARKER, order } from './oracle.ts';
import { formatIn } from './tags.ts';
import type { AppOp, DeviceConfig, DeviceOp } from './scenario.ts';
import type { Socket } from '../../src/relay/socket.ts';

export interface ReferenceDevice {
  readonly name: string;
  start(): void;
  stop(): void;
  perform(op: AppOp | DeviceOp): void;
  heal(): void;
}

const RECONNECT_MS = 5_000;

export function createReferenceDevice(name: string, config: DeviceConfig, world: World): ReferenceDevice {
  const { cipher, oracle } = world;
  const chance = createChance(world.seed, name);
  const machine = createMachine(name, config.skewMs, world.schedule);
  let process: Process | undefined;
  let deviceId = '';
  let payloads = 0;
  const sockets = new Map<string, Socket>();

  function connect(here: Process, url: string): void {
    const open = world.network.openSocket(here);
    const socket: Socket = open(url, {
      onOpen: () => void sockets.set(url, socket),
      // It does not answer AUTH, and does not look at what it is told: it asks when the app does.
      onMessage: () => undefined,
      onPong: () => undefined,
      onClose: () => {
        if (sockets.get(url) === socket) sockets.delete(url);
        here.after(RECONNECT_MS, () => connect(here, url));
      },
    });
  }

  function start(): void {
    if (process?.isAlive() === true) return;
    process = startProcess(machine, world.schedule);
    deviceId = `reference-${chance.int(0, 1e9)}`;
    for (const url of world.urls) connect(process, url);
  }

  function stop(): void {
    process?.kill();
    sockets.clear();
  }

  /** Its app writes what it has fetched last, with a field changed, as a whole. */
  function documentOf(category: string): string {
    const [fetched] = [...oracle.signed.values()]
      .filter((one) => one.category === category && one.isAcknowledged && formatIn(one.event) === undefined)
      .sort((a, b) => order(b.event, a.event));
    const series = deviceId;
    const edit = world.merges.edit({ series, device: name, category, version: 1 }, chance, undefined);
    const doc = world.merges.made(edit, docIn(fetched?.text));
    world.merges.whole(name, category, doc);
    return JSON.stringify(doc);
  }

  async function publish(here: Process, category: string): Promise<void> {
    const text = world.merges.isMerged(category)
      ? documentOf(category)
      : JSON.stringify(`${MARKER} ${name} ${++payloads}`);
    const content = await cipher.user.encrypt(text);
    oracle.onEncrypt(text, content);
    const created_at = Math.floor(here.clock.now() / 1000);
    // Another client, with a fault: it claims to have seen what is far in the future.
    const lies = chance.bool(0.2)
      ? [['vv', ...Array.from({ length: 16 }, (_, i) => `${i.toString(16).repeat(8)}:${created_at + 9e7}`)]]
      : [];
    if (lies.length > 0) world.count('sometimes: vector that lies');
    const event = await cipher.user.sign({
      kind: 30_078,
      created_at,
      tags: [['d', `default/${category}/v1`], ['device_id', deviceId], ...lies],
      content,
    });
    oracle.onSign(machine, name, event);
    world.count('call: publish by the reference');
    for (const socket of sockets.values()) socket.send(JSON.stringify(['EVENT', event]));
  }

  return {
    name,
    start,
    stop,
    perform: (op) => {
      if (op.type === 'crash') {
        stop();
        world.schedule.after(op.restartMs, start);
      } else if (op.type === 'publish' && process?.isAlive() === true)
        void publish(process, world.categories[op.category]!);
    },
    heal: () => {
      machine.skewMs = 0;
      start();
    },
  };
}
