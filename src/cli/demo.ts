/**
 * `demo`: shows the main job. A laptop and a phone with one key, two processes with a store each, and a relay between them.
 * The phone loses its network, edits, is killed, comes back; nothing is lost. It succeeds only if every step holds.
 */

import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import {
  generateKey,
  nsecEncode,
  systemClock,
  type FetchResult,
  type Receipt,
  type SyncStatus,
} from '../node.ts';
import { startRelay } from '../testing/relay-server.ts';
import type { DeviceCall, DeviceMessage } from './demo-device.ts';
import { interrupted } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import type { Output } from './output.ts';

const STEP_LIMIT_MS = 8_000;
const CATEGORY = 'ui-settings';
const FIRST = { theme: 'midnight', sidebar: ['inbox', 'drafts'] };
const SECOND = { theme: 'daylight', sidebar: ['inbox'] };

export function addDemo(program: Command, output: Output): void {
  program
    .command('demo')
    .description(
      'see it work on this computer: two devices, a relay, and a kill -9 in between; nothing is left of it',
    )
    .action(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-demo-'));
      const devices = new Set<Device>();
      const stopped = interrupted().then(() => {
        throw new CommandError('INTERRUPTED', EXIT.failed, 'The demo was interrupted');
      });
      const startedAt = systemClock.now();
      const say = (text: string): void => output.result(text, text);
      try {
        await Promise.race([story({ folder, devices, say }), stopped]);
        say(`\nEvery step held (${((systemClock.now() - startedAt) / 1_000).toFixed(1)} s).`);
      } catch (error) {
        if (error instanceof CommandError) throw error;
        say(`  ✗ ${error instanceof Error ? error.message : String(error)}`);
        throw new CommandError('DEMO_FAILED', EXIT.failed, 'A step did not hold');
      } finally {
        await Promise.all([...devices].map(async (device) => device.kill()));
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
    });
}

interface Device {
  /** Waits for the first message of this kind that the device ever sent and that fits. */
  next<T extends DeviceMessage['type']>(
    what: string,
    type: T,
    fits?: (message: Extract<DeviceMessage, { readonly type: T }>) => boolean,
  ): Promise<Extract<DeviceMessage, { readonly type: T }>>;
  publish(payload: unknown): Promise<Receipt>;
  fetch(): Promise<FetchResult>;
  status(): Promise<SyncStatus>;
  connection(connected: boolean): Promise<unknown>;
  pushed(payload: unknown): Promise<unknown>;
  /** Resolves with the signal that ended it. */
  kill(): Promise<NodeJS.Signals | null>;
  stop(): Promise<unknown>;
}

interface Stage {
  readonly folder: string;
  readonly devices: Set<Device>;
  readonly say: (text: string) => void;
}

function startDevice(
  name: string,
  { relay, key }: { readonly relay: string; readonly key: string },
  { folder, devices, say }: Stage,
): Device {
  const script = fileURLToPath(new URL('demo-device.js', import.meta.url));
  // The key reaches a device by its environment, as it could reach the command.
  const env = { ...process.env, NOSTR_SYNC_KEY: key };
  const child = fork(script, [relay, join(folder, name), CATEGORY], { env });
  const messages: DeviceMessage[] = [];
  const ended = new Promise<NodeJS.Signals | null>((resolve) => {
    child.once('exit', (_code, signal) => {
      devices.delete(device);
      resolve(signal);
    });
  });
  child.on('message', (message: DeviceMessage) => {
    if (message.type === 'error') say(`  ! ${name}: ${message.code}: ${message.message}`);
    messages.push(message);
  });

  const next: Device['next'] = (what, type, fits = () => true) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const at = messages.findIndex((message) => message.type === type && fits(message as never));
        if (at < 0) return;
        settle();
        resolve(messages.splice(at, 1)[0] as never);
      };
      const fail = (why: string): void => {
        settle();
        reject(new Error(`the ${name} ${what}: ${why}`));
      };
      const died = (): void => fail('it ended before that');
      const cancel = systemClock.after(STEP_LIMIT_MS, () => fail(`not within ${STEP_LIMIT_MS / 1_000} s`));
      const settle = (): void => {
        cancel();
        child.off('message', look);
        child.off('exit', died);
      };
      child.on('message', look);
      child.once('exit', died);
      look();
    });

  async function call(request: DeviceCall): Promise<unknown> {
    child.send(request);
    return (await next(`answers to ${request.call}`, 'answer')).result;
  }

  const device: Device = {
    next,
    publish: async (payload) => (await call({ call: 'publish', category: CATEGORY, payload })) as Receipt,
    fetch: async () => (await call({ call: 'fetch', category: CATEGORY })) as FetchResult,
    status: async () => (await call({ call: 'status' })) as SyncStatus,
    connection: async (connected) =>
      next(
        connected ? 'connects' : 'notices that it is offline',
        'connection',
        (message) => message.connected === connected,
      ),
    pushed: async (payload) =>
      next('is pushed the value', 'pushed', (message) => isDeepStrictEqual(message.payload, payload)),
    kill: async () => {
      child.kill('SIGKILL');
      return ended;
    },
    stop: async () => {
      child.disconnect();
      return ended;
    },
  };
  devices.add(device);
  return device;
}

async function story(stage: Stage): Promise<void> {
  const { say } = stage;
  const check = (holds: boolean, text: string): void => {
    if (!holds) throw new Error(text);
    say(`  ✓ ${text}`);
  };
  // A key for this run alone.
  const key = nsecEncode(generateKey());
  const home = await startRelay();
  // The same relay behind a second port: the phone's way to it, which can be cut while the laptop stays online.
  let mobile = await startRelay({ relay: home.relay });
  const held = (): ReturnType<typeof home.relay.events> => home.relay.events();
  try {
    say(`A relay on ${home.url}; a laptop and a phone, one key, a store each\n`);
    const laptop = startDevice('laptop', { relay: home.url, key }, stage);
    let phone = startDevice('phone', { relay: mobile.url, key }, stage);
    await Promise.all([laptop.connection(true), phone.connection(true)]);

    say(`1. The laptop publishes ${JSON.stringify(FIRST)}`);
    const sentAt = systemClock.now();
    const arrival = phone.pushed(FIRST).then(systemClock.now);
    // The wait for the push may be the one that fails; it is looked at further down.
    arrival.catch(() => undefined);
    const receipt = await laptop.publish(FIRST);
    check(receipt.stage !== 'saved', 'the relay has taken it');
    check(
      (await arrival) >= sentAt,
      `it was pushed to the phone, ${Math.round((await arrival) - sentAt)} ms after publish was called`,
    );

    say('\n2. What the relay holds');
    const event = held()[0]!;
    const { id, kind, created_at, content } = event;
    say(
      `  ${JSON.stringify({ id: `${id.slice(0, 16)}…`, kind, created_at, tags: event.tags.filter(([name]) => name === 'd') })}`,
    );
    say(`  content: ${content.slice(0, 64)}… (${content.length} characters)`);
    check(held().length === 1 && id === receipt.eventId, 'one event, the one that the laptop signed');
    const frames = JSON.stringify(home.relay.frames);
    const words = [...Object.keys(FIRST), ...Object.values(FIRST).flat()];
    check(
      !words.some((word) => frames.includes(word)),
      `nothing that the relay was sent holds a word of it: ${words.join(', ')}`,
    );

    say('\n3. The phone loses its network and is edited');
    const offline = phone.connection(false);
    await mobile.close();
    await offline;
    check(home.relay.connections() === 1, 'only the laptop is connected');
    const edit = await phone.publish(SECOND);
    check(edit.stage === 'saved', `${JSON.stringify(SECOND)} is saved on the phone`);
    check(
      held().every(({ id }) => id !== edit.eventId),
      'the relay knows nothing of it',
    );

    say('\n4. The phone is killed in that state');
    check((await phone.kill()) === 'SIGKILL', 'its process ended by SIGKILL (kill -9)');

    say('\n5. The network is back, and the phone is started again');
    mobile = await startRelay({ relay: home.relay, port: mobile.port });
    const laptopGetsIt = laptop.pushed(SECOND);
    laptopGetsIt.catch(() => undefined);
    phone = startDevice('phone', { relay: mobile.url, key }, stage);
    await phone.next(
      'delivers the edit',
      'delivery',
      (message) => message.stage !== 'saved' && message.eventId === edit.eventId,
    );
    check(true, 'it delivered what it had saved before it was killed: the same signed event');
    await laptopGetsIt;
    check(true, 'the laptop was pushed the edit');

    say('\n6. In the end');
    const [onLaptop, onPhone] = [await laptop.fetch(), await phone.fetch()];
    const isSame = onLaptop.eventId === edit.eventId && onPhone.eventId === edit.eventId;
    check(isSame && isDeepStrictEqual(onLaptop.payload, SECOND), 'both devices have the edit');
    check(held().length === 1 && held()[0]!.id === edit.eventId, 'the relay holds the edit and nothing else');
    check((await phone.status()).outboxDepth === 0, "the phone's outbox is empty");
    await Promise.all([laptop.stop(), phone.stop()]);
  } finally {
    await Promise.all([home.close(), mobile.close()]);
  }
}
