/**
 * Lives of a Rust process between an honest relay and one that says what SEED draws. FRAMES of them (50,000) go through its sockets and
 * through QuickJS. Whatever is said, the process lives on, shows no value but a genuine one, and publishes by the honest relay.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { junkText, mutateText, mutateValue, strangeText, strangeValue } from '../fuzz/mutate.ts';
import { startLineProcess, type LineProcess } from '../support/line-process.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { startRustDevice } from './rust-device.ts';

const FRAMES = numberFrom('FRAMES', 50_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const FRAMES_PER_LIFE = 1_000;
/** Said at once: the process answers some of them, and is heard between. */
const FRAMES_AT_ONCE = 50;
const GENUINE = Array.from({ length: 6 }, (_, n) => ({ from: 'the other device', n }));

let relay: LineProcess;
let honest: string;
beforeAll(async () => {
  const command = join(import.meta.dirname, '../../dist/cli/main.js');
  relay = startLineProcess([process.execPath, command, 'relay', '--port', '0', '--json']);
  ({ url: honest } = JSON.parse((await relay.line())!) as { readonly url: string });
});
afterAll(() => relay.kill());

/** What the user's other device has written, the oldest first. */
function write(random: Random, key: string): Promise<SignedEvent[]> {
  const signer = createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), key);
  return Promise.all(
    GENUINE.map(async (payload, n) => {
      const content = await signer.nip44.encrypt(await signer.getPublicKey(), JSON.stringify(payload));
      const tags = [
        ['d', 'headless/notes/v1'],
        ['device_id', 'other'],
      ];
      return signer.signEvent({ kind: 30_078, created_at: 1_700_000_000 + n, tags, content });
    }),
  );
}

const serialized = ({ pubkey, created_at, kind, tags, content }: SignedEvent): string =>
  JSON.stringify([0, pubkey, created_at, kind, tags, content]);

function anEvent(random: Random, known: readonly SignedEvent[]): unknown {
  const event = random.pick(known);
  const drawn = random.next();
  if (drawn < 0.5) return event;
  if (drawn > 0.95) return strangeValue(random);
  const mutated = mutateValue(random, event) as SignedEvent;
  if (random.chance(0.9) || typeof mutated !== 'object' || mutated === null) return mutated;
  try {
    // The right id, so that only the signature tells. Each costs the relay much, so there are few.
    return { ...mutated, id: nodePrimitives.sha256Hex(serialized(mutated)) };
  } catch {
    return mutated;
  }
}

function aFrame(random: Random, known: readonly SignedEvent[], subscriptions: readonly string[]): unknown[] {
  const subscription = (): string =>
    subscriptions.length > 0 && random.chance(0.9) ? random.pick(subscriptions) : strangeText(random);
  const reason = (): unknown =>
    random.chance(0.8)
      ? `${random.pick(['blocked', 'invalid', 'rate-limited', 'auth-required', 'duplicate', 'odd'])}: ${strangeText(random)}`
      : strangeValue(random);
  return random.pick([
    () => ['EVENT', subscription(), anEvent(random, known)],
    () => ['EVENT', subscription(), anEvent(random, known)],
    () => ['EOSE', subscription()],
    () => ['CLOSED', subscription(), reason()],
    () => [
      'OK',
      random.chance(0.8) ? random.pick(known).id : strangeText(random),
      random.pick([true, false, 1]),
      reason(),
    ],
    () => ['AUTH', strangeText(random)],
    () => ['NOTICE', reason()],
  ])();
}

function say(random: Random, known: readonly SignedEvent[], subscriptions: readonly string[]): string {
  const drawn = random.next();
  if (drawn < 0.3) return junkText(random);
  const frame = aFrame(random, known, subscriptions);
  if (drawn < 0.6) return JSON.stringify(frame);
  return random.chance(0.5)
    ? mutateText(random, JSON.stringify(frame))
    : JSON.stringify(mutateValue(random, frame));
}

/** Genuine values that were shown, of all lives. */
let shown = 0;

/** One life; returns how many frames the hostile relay said. */
async function live(seed: number): Promise<number> {
  const random = createRandom(seed);
  const key = randomBytes(32).toString('hex');
  const known = await write(random, key);
  const subscriptions: string[] = [];
  let said = 0;
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => server.close());
  const isDone = new Promise<void>((resolve) => {
    server.on('connection', (socket: WebSocket) => {
      socket.on('message', (data: Buffer) => {
        const [type, subscription, event] = JSON.parse(data.toString()) as [string, string, SignedEvent?];
        if (type === 'REQ') subscriptions.push(subscription);
        if (type === 'EVENT') known.push((event ?? subscription) as SignedEvent);
      });
      const saying = setInterval(() => {
        for (let n = 0; n < FRAMES_AT_ONCE; n++) socket.send(say(random, known, subscriptions));
        said += FRAMES_AT_ONCE;
        if (said >= FRAMES_PER_LIFE) socket.close();
      }, 5);
      // It hangs up on what is too much: then this life has heard enough.
      socket.on('close', () => {
        clearInterval(saying);
        resolve();
      });
    });
  });
  const hostile = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const device = startRustDevice({ key, category: 'notes', relays: [honest, hostile] });
  onTestFinished(() => device.process.kill());
  await isDone;
  expect(await device.publish({ after: said }), `seed ${seed}`).toMatchObject({
    event: 'published',
    stage: 'delivered',
  });
  for (const { event, payload, error } of device.told) {
    if (event === 'value') expect(GENUINE, `seed ${seed}`).toContainEqual(payload);
    if (event === 'value') shown += 1;
    expect(JSON.stringify(error ?? ''), `seed ${seed}`).not.toContain('ENGINE_FAILED');
  }
  device.process.signal('SIGINT');
  await device.process.ended;
  expect(device.told.at(-1)?.event, `seed ${seed}`).toBe('closed');
  server.close();
  return said;
}

test(`${FRAMES} frames (seed ${SEED})`, { timeout: 60_000 + FRAMES * 20 }, async () => {
  let said = 0;
  for (let seed = SEED; said < FRAMES; seed++) said += await live(seed);
  expect(said).toBeGreaterThanOrEqual(FRAMES);
  expect(shown).toBeGreaterThan(0);
});
