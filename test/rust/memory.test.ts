/**
 * What a Rust process takes in memory does not grow with what it has heard, nor with what it has written: VALUES (2,500) of another device,
 * WRITES (800) without a relay, then MINUTES (0.1) in which one a second goes from one process to another. It reads /proc: on Linux alone.
 */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay } from 'nostr-sync/testing';
import { expect, onTestFinished, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { createRandom, numberFrom } from '../support/random.ts';
import { startRustDevice, type RustDevice } from './rust-device.ts';

const VALUES = numberFrom('VALUES', 2_500);
const WRITES = numberFrom('WRITES', 800);
const MINUTES = numberFrom('MINUTES', 0.1);
/** Then the process is heard, so that it has told of the newest, too. */
const AT_ONCE = 25;
/** What the engine remembers is bounded, and some 3 MB of it; a kilobyte a value would be more. */
const GROWTH_LIMIT_BYTES = 4_000_000;

/** Bytes of a process's own, without what is mapped of files. */
function memoryOf({ process: { pid } }: RustDevice): number {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) * 1_024;
}

/** Samples of a part, each with how many values the process had then. */
class Samples {
  readonly #name: string;
  readonly #all: { readonly values: number; readonly bytes: number }[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  take(device: RustDevice, values: number): void {
    this.#all.push({ values, bytes: memoryOf(device) });
  }

  tell(): void {
    const { values, bytes } = this.#all.at(-1)!;
    console.log(
      `${new Date().toISOString()} ${this.#name}: ${values} values, ${(bytes / 1e6).toFixed(2)} MB`,
    );
  }

  check(): void {
    this.tell();
    const growth = this.#all.at(-1)!.bytes - this.#all[0]!.bytes;
    expect(growth, this.#name).toBeLessThan(GROWTH_LIMIT_BYTES);
  }
}

/** What the user's other device has written: the value `n`. */
function valueOfAnother(key: string): (n: number) => Promise<SignedEvent> {
  const random = createRandom(1);
  const signer = createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), key);
  // In the past: what this device writes afterwards is newer.
  const before = Math.floor(Date.now() / 1_000) - 2 * VALUES;
  const tags = [
    ['d', 'headless/notes/v1'],
    ['device_id', 'another'],
  ];
  return async (n) => {
    const content = await signer.nip44.encrypt(await signer.getPublicKey(), JSON.stringify(payload(n)));
    return signer.signEvent({ kind: 30_078, created_at: before + n, tags, content });
  };
}

const payload = (n: number): object => ({
  n,
  theme: 'dark',
  recent: [`/notes/${n}.md`],
  filler: 'x'.repeat(n % 400),
});

/** Until it has told of the value `n`. */
async function hears(device: RustDevice, n: number): Promise<void> {
  const told = (): number | undefined => {
    const last = device.told.findLast(({ event }) => event === 'value');
    return (last?.payload as { readonly n: number } | undefined)?.n;
  };
  await expect.poll(told, { timeout: 60_000, interval: 10 }).toBe(n);
}

test.runIf(existsSync('/proc/self/status'))(
  `${VALUES} values, ${WRITES} writes, and ${MINUTES} minutes of one a second take no memory that stays`,
  { timeout: 180_000 + (VALUES + WRITES) * 100 + MINUTES * 120_000 },
  async () => {
    const { relay, url, close } = await startRelay({ frameLogSize: 10 });
    onTestFinished(close);
    const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'nostr-sync-memory-')));
    onTestFinished(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));
    const key = randomBytes(32).toString('hex');
    const [writer, reader] = folders.map((folder) =>
      startRustDevice({ key, category: 'notes', relays: [url], folder }),
    ) as [RustDevice, RustDevice];
    onTestFinished(() => writer.process.kill());
    onTestFinished(() => reader.process.kill());
    for (const device of [writer, reader]) await device.next('relay', ({ connected }) => connected === true);

    const value = valueOfAnother(key);
    const heard = new Samples('heard of another device');
    let n = 0;
    while (n < VALUES) {
      n += 1;
      relay.inject(await value(n));
      if (n % AT_ONCE !== 0) continue;
      await hears(reader, n);
      heard.take(reader, n);
    }
    heard.check();

    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    await writer.next('relay', ({ connected }) => connected === false);
    const wrote = new Samples('written without a relay');
    while (n < VALUES + WRITES) {
      n += 1;
      expect(await writer.publish(payload(n))).toMatchObject({ event: 'published', stage: 'saved' });
      wrote.take(writer, n);
    }
    wrote.check();

    relay.behave();
    await hears(reader, n);
    const [sent, received] = [new Samples('written'), new Samples('received')];
    const until = Date.now() + MINUTES * 60_000;
    for (let next = Date.now(); Date.now() < until;) {
      n += 1;
      const second = sleep(1_000);
      expect(await writer.publish(payload(n))).toMatchObject({ event: 'published' });
      await hears(reader, n);
      sent.take(writer, n);
      received.take(reader, n);
      if (Date.now() >= next) {
        for (const samples of [sent, received]) samples.tell();
        next += 60_000;
      }
      await second;
    }
    for (const samples of [sent, received]) samples.check();
  },
);
