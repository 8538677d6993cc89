/** The signer of a device: the user's key, slowly, and with the faults that signers have. */

import type { EventTemplate, SignedEvent } from '../../src/protocol/event.ts';
import type { Signer } from '../../src/signer/signer.ts';
import type { Chance } from './chance.ts';
import type { Key } from './cipher.ts';
import { never, type Process } from './machine.ts';
import { MARKER } from './oracle.ts';
import type { SignerFault } from './scenario.ts';
import type { World } from './world.ts';

export interface SignerPorts {
  readonly name: string;
  readonly world: World;
  readonly chance: Chance;
  /** Most that it takes for a call, in ms. */
  readonly signerMs: number;
  readonly fault: () => SignerFault | 'none';
  /** Whether the store has hung: a write that waited for it may have asked the signer when the next one's patience was at its end. */
  readonly hasWaited: () => boolean;
  /** A fault that happens once has happened. */
  readonly onFaultOver: () => void;
  /** It is called. May kill the process. */
  readonly onCall: (process: Process) => void;
}

/** What a signer is to whoever gave it to the engine. */
export interface SignerState {
  /** What is asked of it from then on is a violation. */
  isCleared: boolean;
  /** Somebody has waited no longer for what was asked of it, and that may still be under way. */
  isLeft: boolean;
}

/** For so long a call has the signer for itself, in ms. */
const TURN_MS = 20_000;
/** For so long a signer is trusted after it has read what it had encrypted, in ms. */
const TRUST_MS = 300_000;
/** A newer write does not lose its patience with one that takes no longer for a call, in ms. */
const PATIENT_MS = 60;

/** What a fault makes of one kind of call. */
type Faults<T> = Partial<Record<SignerFault, () => Promise<T>>>;

/** @param written Takes the ids of what it signs. */
export function createSigner(
  ports: SignerPorts,
  process: Process,
  state: SignerState,
  written: Set<string>,
): Signer {
  const { name, chance } = ports;
  const { cipher, oracle, schedule, count } = ports.world;
  /** What our account has encrypted, and when one of these was read, by the clock of the process: each time, since that may be set back. */
  const encrypted = new Set<string>();
  const provenAt = new Set<number>();
  /** What another account encrypted while nothing was proven. */
  const unproven = new Set<string>();
  /** When each call that is under way began, in ms. */
  const underWay = new Map<object, number>();

  function work<T>(what: string, honest: () => Promise<T>, faults: Faults<T>): Promise<T> {
    if (!process.isAlive()) return never();
    if (state.isCleared) oracle.violate('I15', `${name}: ${what} after the signer was cleared`);
    ports.onCall(process);
    if (!process.isAlive()) return never();
    const fault = ports.fault();
    const isBusy = [...underWay.values()].some((since) => since > schedule.now() - TURN_MS);
    const isSlow = ['hang', 'slow', 'hang getPublicKey'].includes(fault) || ports.signerMs > PATIENT_MS;
    if (isSlow || ports.hasWaited()) state.isLeft = true;
    if (isBusy && !state.isLeft) oracle.violate('I10', `${name}: ${what} while the signer is at work`);
    const all: Faults<T> = {
      hang: never,
      throw: () => Promise.reject(new Error(`the signer refuses: ${MARKER}`)),
      slow: honest,
      'one at a time': () => (isBusy ? Promise.reject(new Error('already busy')) : honest()),
      ...faults,
    };
    const act = fault === 'none' ? undefined : all[fault];
    if (act !== undefined) count(`fault: signer ${fault}`);
    const call = {};
    underWay.set(call, schedule.now());
    const delayMs = fault === 'slow' ? 20_000 : chance.int(0, ports.signerMs);
    return new Promise((resolve, reject) => {
      const answer = (): void => {
        (act ?? honest)()
          .finally(() => underWay.delete(call))
          .then(resolve, reject);
      };
      if (delayMs === 0) answer();
      else process.after(delayMs, answer);
    });
  }

  async function sign(template: EventTemplate, lateSeconds = 0): Promise<SignedEvent> {
    checkProven(template.content);
    const event = await cipher.user.sign({ ...template, created_at: template.created_at + lateSeconds });
    oracle.onSign(process, name, event, template.created_at);
    // What no app asked for is news to it, if it is told at all.
    const before = [...oracle.signed.values()].find(
      ({ event: one }) => one.content === event.content && one.id !== event.id,
    );
    const isAgain = before !== undefined && !written.has(before.event.id);
    if (oracle.signed.get(event.id)?.again === undefined && !isAgain) written.add(event.id);
    return event;
  }

  async function lieAboutEvent(template: EventTemplate): Promise<SignedEvent> {
    if (chance.bool(0.5)) return cipher.stranger.sign(template);
    return { ...(await cipher.user.sign({ ...template, content: 'other' })), content: template.content };
  }

  /** In place, as an extension does that helps. */
  async function edit(template: EventTemplate): Promise<SignedEvent> {
    const tags = template.tags as string[][];
    const edits: (() => unknown)[] = [
      () => ((template as { content: string }).content = 'edited'),
      () => (tags[0]![1] = 'edited'),
      () => tags.push(['client', 'edited']),
    ];
    chance.pick(edits)();
    return cipher.user.sign(template);
  }

  const isProven = (): boolean => [...provenAt].some((at) => Math.abs(process.clock.now() - at) <= TRUST_MS);

  async function encrypt(plaintext: string, key: Key): Promise<string> {
    const content = await key.encrypt(plaintext);
    const isOurs = key === cipher.user;
    oracle.onEncrypt(plaintext, content, isOurs);
    if (isOurs) encrypted.add(content);
    else if (!isProven()) unproven.add(content);
    return content;
  }

  async function decrypt(content: string): Promise<string> {
    const plaintext = await cipher.user.decrypt(content);
    if (encrypted.has(content)) provenAt.add(process.clock.now());
    return plaintext;
  }

  /** I5: only for some minutes after one that could be read is a ciphertext used unread. */
  function checkProven(content: string): void {
    if (unproven.has(content) && !isProven())
      oracle.violate('I5', `${name}: signs what another account encrypted, and has not tried to read it`);
  }

  return {
    getPublicKey: () => work('getPublicKey', async () => cipher.user.pubkey, { 'hang getPublicKey': never }),
    signEvent: (template) =>
      work('signEvent', () => sign(template), {
        lie: () => lieAboutEvent(template),
        edit: () => edit(template),
        late: () => sign(template, chance.pick([1, 2, 5, 5, 30])),
      }),
    nip44: {
      encrypt: (_peer, plaintext) =>
        work('encrypt', () => encrypt(plaintext, cipher.user), {
          lie: async () => plaintext,
          switch: () => encrypt(plaintext, cipher.stranger),
        }),
      decrypt: (_peer, ciphertext) =>
        work('decrypt', () => decrypt(ciphertext), {
          lie: async () => 'not JSON',
          'refuse once': () => {
            ports.onFaultOver();
            return Promise.reject(new Error('not now'));
          },
        }),
    },
    wipe: () => {
      state.isCleared = true;
    },
  };
}
