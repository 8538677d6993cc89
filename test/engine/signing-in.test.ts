/** Who signs: set, replaced, dropped, and tried again after a failure. Without store and session of an engine. */

import { expect, test, vi } from 'vitest';
import { NostrSyncError, type ErrorCode } from '../../src/errors.ts';
import { randomBytes } from 'node:crypto';
import { createSigningIn, type SigningIn } from '../../src/engine/signing-in.ts';
import { createSteps, type Steps } from '../../src/engine/steps.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { MAX_READS, RETRY_BASE_MS, RETRY_CAP_MS } from '../../src/protocol/limits.ts';
import type { Signer } from '../../src/signer/signer.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Session } from '../../src/sync/session.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';

/** Says whose it is when the test says so, or at once. */
interface HandSigner extends Signer {
  /** How often it was asked for its public key. */
  readonly asked: () => number;
  readonly wipe: ReturnType<typeof vi.fn<() => void>>;
}

function signer(
  getPublicKey: () => Promise<string> = async () => Promise.resolve('a'.repeat(64)),
): HandSigner {
  const key = vi.fn(getPublicKey);
  const unused = (): Promise<never> => Promise.reject(new Error('not asked for here'));
  return {
    ...{ isLocal: true, getPublicKey: key, signEvent: unused, nip44: { encrypt: unused, decrypt: unused } },
    asked: () => key.mock.calls.length,
    wipe: vi.fn<() => void>(),
  };
}

const failing = (): HandSigner => signer(() => Promise.reject(new Error('a person said no')));

interface Bench {
  readonly clock: TestClock;
  readonly signingIn: SigningIn;
  readonly steps: Steps;
  /** Who signs for the session, by each change; and public keys of which the session was opened. */
  readonly log: (Signer | undefined | string)[];
  /** `whileOpening`: happens while the session is being opened. */
  readonly state: {
    canOpen: boolean;
    storeFault: ErrorCode | undefined;
    changes: number;
    opens: number;
    whileOpening: () => void;
  };
  close(): Promise<void>;
}

function setUp({ keepSigner = false, canOpen = true } = {}): Bench {
  const clock = createTestClock();
  const log: Bench['log'] = [];
  const state: Bench['state'] = {
    canOpen,
    storeFault: undefined,
    changes: 0,
    opens: 0,
    whileOpening: () => undefined,
  };
  let current: Signer | undefined;
  // Nothing else of a session is asked for.
  const session = {
    signer: () => current,
    setSigner: (next) => {
      current = next;
      log.push(next);
    },
  } as Session;
  const steps = createSteps({
    open: () => {
      state.opens++;
      return state.canOpen ? Promise.resolve() : Promise.reject(new Error('no store'));
    },
    isOpen: () => state.canOpen,
    onOpenFailed: () => signingIn.startFailed(),
  });
  const signingIn = createSigningIn({
    ...{ clock, keepSigner, steps, store: memoryStore(), namespace: 'my-app' },
    boxes: { primitives: nodePrimitives, randomBytes },
    session: () => session,
    enterIdentity: async (pubkey) => {
      if (state.storeFault !== undefined)
        throw new NostrSyncError(state.storeFault as 'STORE_FAILED', 'no store');
      log.push(pubkey);
      state.whileOpening();
      return Promise.resolve(session);
    },
    onChange: () => state.changes++,
  });
  const close = async (): Promise<void> => {
    signingIn.close();
    await steps.close();
  };
  return { clock, signingIn, steps, log, state, close };
}

const PUBKEY = 'a'.repeat(64);
const NOT_SET = { code: 'SIGNER_NOT_SET' };

test('a signer signs once the session of its public key is open', async () => {
  const { signingIn, log, state } = setUp();
  const given = signer();
  await signingIn.set(given);
  expect(log).toEqual([undefined, PUBKEY, given]);
  expect(state.changes).toBe(2);
  expect((await signingIn.signedIn('publish')).signer()).toBe(given);
  expect(given.asked()).toBe(1);
});

test('a call waits until the signer that was set is at work, and is refused if none is set', async () => {
  const { signingIn } = setUp();
  await expect(signingIn.signedIn('publish')).rejects.toMatchObject({
    ...NOT_SET,
    message: 'Cannot publish: no signer is set',
  });
  void signingIn.set(signer());
  await expect(signingIn.signedIn('publish')).resolves.toBeDefined();
  signingIn.drop();
  await expect(signingIn.signedIn('publish')).rejects.toMatchObject(NOT_SET);
});

test('what waits for the signer is told when it is at work, and told as well if it has failed', async () => {
  const { signingIn, log } = setUp();
  expect(signingIn.entered()).toBeUndefined();
  const given = signer();
  void signingIn.set(given);
  await signingIn.entered();
  expect(log.at(-1)).toBe(given);
  expect(signingIn.entered()).toBeUndefined();
  signingIn.set(failing()).catch(() => undefined);
  await expect(signingIn.entered()).resolves.toBeUndefined();
});

test('a signer that is set again while it is asked whose it is counts as set once', async () => {
  const { signingIn, clock, close } = setUp();
  const given = signer();
  const first = signingIn.set(given);
  const second = signingIn.set(given);
  await Promise.allSettled([first, second]);
  expect((await signingIn.signedIn('publish')).signer()).toBe(given);
  // It waits for no other try.
  expect(clock.pending).toBe(0);
  await close();
});

test('a signer that is replaced does not sign, whenever it says whose it is', async () => {
  const { signingIn, log, clock } = setUp();
  let tell: (pubkey: string) => void = () => undefined;
  const slow = signer(() => new Promise((resolve) => (tell = resolve)));
  const replaced = signingIn.set(slow);
  const next = signer();
  const set = signingIn.set(next);
  await expect(replaced).rejects.toMatchObject({ ...NOT_SET, message: expect.stringContaining('replaced') });
  await set;
  tell('b'.repeat(64));
  await clock.advance(0);
  expect(log.filter((one) => one !== undefined)).toEqual([PUBKEY, next]);
  expect(slow.wipe).toHaveBeenCalledTimes(1);
});

test('a signer that is dropped while its session is being opened does not sign', async () => {
  const { signingIn, log, state } = setUp();
  const given = signer();
  const dropped: unknown[] = [];
  state.whileOpening = () => dropped.push(signingIn.drop());
  await expect(signingIn.set(given)).rejects.toMatchObject(NOT_SET);
  expect(dropped).toEqual([given]);
  expect(log).not.toContain(given);
  expect(signingIn.drop()).toBeUndefined();
});

test('a former signer is wiped, unless the app keeps it, or sets the same again', async () => {
  const [given, kept] = [signer(), signer()];
  const { signingIn } = setUp();
  await signingIn.set(given);
  await signingIn.set(given);
  expect(given.wipe).not.toHaveBeenCalled();
  await signingIn.set(signer());
  expect(given.wipe).toHaveBeenCalledTimes(1);
  const keeping = setUp({ keepSigner: true }).signingIn;
  await keeping.set(kept);
  await keeping.set(given);
  expect(kept.wipe).not.toHaveBeenCalled();
});

test('a signer that fails is tried again by itself, each time after twice as long, until a person was asked often', async () => {
  const { signingIn, clock } = setUp();
  const given = failing();
  await expect(signingIn.set(given)).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
  for (let failures = 1; failures <= MAX_READS; failures++) {
    const waitMs = RETRY_BASE_MS * 2 ** (failures - 1);
    await clock.advance(waitMs - 1);
    expect(given.asked()).toBe(failures);
    await clock.advance(1);
    expect(given.asked()).toBe(failures + 1);
  }
  await clock.advance(RETRY_CAP_MS * 9);
  expect(given.asked()).toBe(MAX_READS + 1);
  expect(clock.pending).toBe(0);
});

test('a call tries a signer that has failed again, and is told if that fails', async () => {
  const { signingIn } = setUp();
  let isWilling = false;
  const given = signer(() => (isWilling ? Promise.resolve(PUBKEY) : Promise.reject(new Error('no'))));
  await expect(signingIn.set(given)).rejects.toThrow();
  await expect(signingIn.signedIn('publish')).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
  expect(given.asked()).toBe(2);
  isWilling = true;
  await expect(signingIn.signedIn('publish')).resolves.toBeDefined();
  await signingIn.signedIn('publish');
  expect(given.asked()).toBe(3);
});

test('a store that fails is tried again for ever, at most after so long, and no longer once the signer is at work', async () => {
  const { signingIn, state, clock, log } = setUp();
  state.storeFault = 'STORE_FAILED';
  const given = signer();
  await expect(signingIn.set(given)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await clock.advance(RETRY_CAP_MS * 20);
  const asked = given.asked();
  expect(asked).toBeGreaterThan(MAX_READS * 4);
  state.storeFault = undefined;
  await clock.advance(RETRY_CAP_MS);
  expect(log.at(-1)).toBe(given);
  expect(given.asked()).toBe(asked + 1);
  expect(clock.pending).toBe(0);
});

test('how often it has failed counts from the last success', async () => {
  const { signingIn, state, clock } = setUp();
  state.storeFault = 'STORE_FAILED';
  const given = signer();
  await expect(signingIn.set(given)).rejects.toThrow();
  await clock.advance(RETRY_CAP_MS);
  state.storeFault = undefined;
  await clock.advance(RETRY_CAP_MS);
  const later = failing();
  await expect(signingIn.set(later)).rejects.toThrow();
  await clock.advance(RETRY_BASE_MS);
  expect(later.asked()).toBe(2);
});

test('a signer that failed and was dropped is not tried again', async () => {
  const { signingIn, clock } = setUp();
  const given = failing();
  await expect(signingIn.set(given)).rejects.toThrow();
  signingIn.drop();
  await clock.advance(RETRY_CAP_MS);
  await expect(signingIn.signedIn('publish')).rejects.toMatchObject(NOT_SET);
  expect(given.asked()).toBe(1);
});

test('a signer that fails after it was dropped is not tried again', async () => {
  const { signingIn, clock } = setUp();
  const given = signer(() => new Promise(() => undefined));
  const set = signingIn.set(given);
  signingIn.drop();
  await expect(set).rejects.toMatchObject(NOT_SET);
  expect([given.asked(), clock.pending]).toEqual([1, 0]);
});

test('no session is opened for a signer that was dropped before its turn', async () => {
  const { signingIn, steps, log, clock } = setUp();
  let go = (): void => undefined;
  void steps.next(() => new Promise<void>((resolve) => (go = resolve)));
  const set = signingIn.set(signer());
  await clock.advance(0);
  signingIn.drop();
  go();
  await expect(set).rejects.toMatchObject(NOT_SET);
  expect(log).not.toContain(PUBKEY);
});

test('a signer that a call tries again is not asked a second time meanwhile', async () => {
  const { signingIn, clock } = setUp();
  let isHanging = false;
  const given = signer(() => (isHanging ? new Promise(() => undefined) : Promise.reject(new Error('no'))));
  await expect(signingIn.set(given)).rejects.toThrow();
  isHanging = true;
  for (const what of ['publish', 'fetch']) signingIn.signedIn(what).catch(() => undefined);
  await clock.advance(RETRY_BASE_MS);
  expect(given.asked()).toBe(2);
});

test('a store that cannot be opened is tried again by itself, by one timer, until it is open', async () => {
  const { signingIn, state, clock } = setUp({ canOpen: false });
  await clock.advance(RETRY_BASE_MS * 3);
  expect(state.opens).toBe(3);
  signingIn.startFailed();
  expect(clock.pending).toBe(1);
  state.canOpen = true;
  await clock.advance(RETRY_CAP_MS);
  expect([state.opens, clock.pending]).toEqual([4, 0]);
});

test('a call that waits for a signer that hangs is told that the engine was closed', async () => {
  const { signingIn, clock, close } = setUp();
  signingIn.set(signer(() => new Promise(() => undefined))).catch(() => undefined);
  const call = signingIn.signedIn('publish');
  await clock.advance(0);
  void close();
  signingIn.drop();
  await expect(call).rejects.toMatchObject({ code: 'CLOSED' });
});

test('nothing is tried again after the end, and calls are told so', async () => {
  const { signingIn, clock, close } = setUp();
  const given = failing();
  await expect(signingIn.set(given)).rejects.toThrow();
  await close();
  signingIn.startFailed();
  expect(clock.pending).toBe(0);
  await expect(signingIn.signedIn('publish')).rejects.toMatchObject({ code: 'CLOSED' });
});
