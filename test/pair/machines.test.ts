/**
 * Both machines under any order, loss and repetition of messages, among strangers, with users who do the right thing, the wrong thing
 * or nothing. What they may never do is checked at every step; what they must do, in histories where nothing stands in the way.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSame } from '../../src/pair/derivations.ts';
import { holderStep, type HolderEffect, type HolderInput, type HolderState } from '../../src/pair/holder.ts';
import {
  joinerStep,
  OFFERING,
  type JoinerEffect,
  type JoinerInput,
  type JoinerSession,
  type JoinerState,
} from '../../src/pair/joiner.ts';
import type { CommonEffect } from '../../src/pair/machine.ts';
import type { PairingMessage } from '../../src/pair/message.ts';
import type { SharedKey } from '../../src/pair/payload.ts';
import { createRandom, type Random } from '../support/random.ts';

const SEED = 20_260;
const HOLDER = 'aa'.repeat(32);
const SESSION = '5e'.repeat(32);
/** Four devices that know the invitation. What each agrees on with the holder is its own. */
const DEVICES = ['d0', 'd1', 'd2', 'd3'].map((name) => name.repeat(32));
const agree = (device: string): { digits: string; transcriptHash: string } => ({
  digits: String(100_000 + DEVICES.indexOf(device)),
  transcriptHash: device.replace('d', '7'),
});
const SHARED: SharedKey = { key: null, pubkey: HOLDER, relays: [], metadata: 'clear', name: 'laptop' };

const sessionOf = (device: string): JoinerSession => ({
  ...{ holder: HOLDER, sessionId: SESSION, transcriptHash: agree(device).transcriptHash },
  ...{ read: () => SHARED, name: device, deviceId: device },
});

type Effect<Own> = Own | CommonEffect;

interface Mail {
  readonly from: string;
  readonly to: string;
  readonly message: PairingMessage;
}

/** One history. `told`: all effects of the holder, in order, with what the user had typed by then. */
interface History {
  readonly holderEffects: readonly Effect<HolderEffect>[];
  readonly joinerEffects: ReadonlyMap<string, readonly Effect<JoinerEffect>[]>;
  /** Inputs of digits, each with the peer whose digits they are. */
  readonly typed: readonly string[];
}

/** Drives all machines by chance, until their time is over. `check` sees each effect of the holder when it is told. */
function run(random: Random, steps: number, strangers: number): History {
  let holder: HolderState = { type: 'waiting' };
  const joiners = new Map<string, JoinerState>(DEVICES.slice(0, strangers + 1).map((d) => [d, OFFERING]));
  const holderEffects: Effect<HolderEffect>[] = [];
  const joinerEffects = new Map<string, Effect<JoinerEffect>[]>(DEVICES.map((device) => [device, []]));
  const typed: string[] = [];
  const mail: Mail[] = [];
  /** Devices whose app has kept what was shared. */
  const kept = new Set<string>();
  let peer: string | undefined;

  function toHolder(input: HolderInput): void {
    const before = holder;
    const [next, effects] = holderStep({ sessionId: SESSION, agree }, holder, input) ?? [holder, []];
    holder = next;
    if (input.type === 'message' && effects.some(({ type }) => type === 'joining')) {
      expect(peer).toBeUndefined();
      peer = input.from;
    }
    const isStranger = input.type === 'message' && before.type !== 'waiting' && input.from !== peer;
    if (isStranger) expect([next, effects]).toEqual([before, []]);
    const asked = 'peer' in before ? before.peer : undefined;
    const isWrong = input.type === 'digits' && asked !== undefined && input.digits !== agree(asked).digits;
    if (isWrong) expect(next.type).toBe('over');
    // Never two peers.
    if ('peer' in next) expect(next.peer).toBe(peer);
    if (before.type === 'over') expect(effects).toEqual([]);
    for (const effect of effects) {
      holderEffects.push(effect);
      if (effect.type === 'share' || effect.type === 'send') expect(effect.to).toBe(peer);
      if (effect.type === 'share') {
        // Never a payload before the digits were typed and accepted.
        expect(typed.some((digits) => isSame(digits, agree(effect.to).digits))).toBe(true);
        mail.push({
          ...{ from: HOLDER, to: effect.to },
          message: { type: 'payload', payload_type: 'custom', payload: '' },
        });
      }
      if (effect.type === 'send') mail.push({ from: HOLDER, to: effect.to, message: effect.message });
    }
  }

  function toJoiner(device: string, input: JoinerInput): void {
    const state = joiners.get(device)!;
    const [next, effects] = joinerStep(sessionOf(device), state, input) ?? [state, []];
    joiners.set(device, next);
    if (state.type === 'keeping' && input.type === 'kept') kept.add(device);
    if (state.type === 'over') expect(effects).toEqual([]);
    for (const effect of effects) {
      joinerEffects.get(device)!.push(effect);
      // J1, J3: nothing is kept before the user said yes, nothing is complete before it was kept.
      if (effect.type === 'keep') expect(input.type).toBe('accepted');
      if (effect.type !== 'send') continue;
      expect(effect.to).toBe(HOLDER);
      mail.push({ from: device, to: HOLDER, message: effect.message });
      if (effect.message.type === 'complete' && effect.message.success) expect(kept.has(device)).toBe(true);
    }
  }

  for (const device of joiners.keys()) toJoiner(device, { type: 'repeat' });
  for (let step = 0; step < steps; step++) {
    const device = random.pick([...joiners.keys()]);
    const dice = random.below(100);
    if (dice < 60 && mail.length > 0) {
      // In any order; one in five is lost, one in five stays to come again.
      const at = random.below(mail.length);
      const { from, to, message } = mail[at]!;
      const fate = random.below(5);
      if (fate !== 0) mail.splice(at, 1);
      if (fate === 1) continue;
      if (to === HOLDER) toHolder({ type: 'message', from, message });
      else if (joiners.has(to)) toJoiner(to, { type: 'message', from, message });
    } else if (dice < 68) {
      const digits = agree(random.chance(0.8) ? (peer ?? device) : device).digits;
      typed.push(digits);
      toHolder({ type: 'digits', digits });
    } else if (dice < 78) toJoiner(device, { type: 'accepted' });
    else if (dice < 84) toJoiner(device, { type: random.chance(0.9) ? 'kept' : 'not-kept' });
    else if (dice < 90) toJoiner(device, { type: 'repeat' });
    else if (dice < 95) toHolder({ type: 'repeat' });
    else if (dice < 97) {
      // A stranger who speaks as itself, and says what others say.
      const from = random.pick([...DEVICES, 'ee'.repeat(32), HOLDER]);
      const message = random.pick<PairingMessage>([
        { type: 'offer', version: 1, session_id: random.chance(0.5) ? SESSION : '00'.repeat(32) },
        { type: 'complete', success: true, name: '', device_id: '' },
        { type: 'abort', reason: 'user_denied' },
        { type: 'sas-confirm', transcript_hash: agree(device).transcriptHash },
        { type: 'payload', payload_type: 'custom', payload: 'x' },
        { type: 'hello' },
        { type: 'echo' },
      ]);
      if (random.chance(0.5)) toHolder({ type: 'message', from, message });
      else if (from !== HOLDER) toJoiner(device, { type: 'message', from, message });
    } else if (dice === 97 && random.chance(0.3)) toHolder({ type: random.pick(['expired', 'cancelled']) });
    else if (dice === 98 && random.chance(0.3))
      toJoiner(device, { type: random.pick(['expired', 'cancelled', 'unreachable']) });
  }
  // Its time is over. What the user has accepted alone goes on: until it is kept or not, and for the one repetition that was asked for.
  toHolder({ type: 'expired' });
  expect(holder.type).toBe('over');
  for (const device of joiners.keys()) {
    toJoiner(device, { type: 'expired' });
    toJoiner(device, { type: random.pick(['kept', 'not-kept']) });
    if (joiners.get(device)!.type === 'completing') toJoiner(device, { type: 'repeat' });
    expect(joiners.get(device)!.type).toBe('over');
  }
  return { holderEffects, joinerEffects, typed };
}

const count = (effects: readonly { readonly type: string }[], type: string): number =>
  effects.filter((effect) => effect.type === type).length;

test('in 1,000 histories nothing is shared before the digits, and never with two', () => {
  const reached = new Map<string, number>();
  for (let i = 0; i < 1_000; i++) {
    const { holderEffects, joinerEffects, typed } = run(createRandom(SEED + i), 120, i % 4);
    // One end, one peer, and a wrong entry is the last.
    expect(count(holderEffects, 'done') + count(holderEffects, 'failed')).toBe(1);
    expect(count(holderEffects, 'joining')).toBeLessThanOrEqual(1);
    const keepers = [...joinerEffects].filter(([, effects]) => count(effects, 'keep') > 0);
    expect(keepers.length).toBeLessThanOrEqual(1);
    for (const [device, effects] of joinerEffects) {
      expect(count(effects, 'keep')).toBeLessThanOrEqual(1);
      expect(count(effects, 'invited')).toBeLessThanOrEqual(1);
      if (count(effects, 'invited') > 0) expect(typed).toContain(agree(device).digits);
      // What it says is bounded, whatever it hears: a quiet device is no use to a flood.
      expect(count(effects, 'repeat-later')).toBeLessThanOrEqual(8);
    }
    for (const { type } of holderEffects) reached.set(type, (reached.get(type) ?? 0) + 1);
  }
  // The histories go everywhere.
  for (const type of ['joining', 'share', 'done', 'failed'])
    expect(reached.get(type), type).toBeGreaterThan(20);
});

test('a pair that nobody disturbs always gets there, whatever the order of confirmation and payload', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), fc.nat(4), (isPayloadFirst, isTypedFirst, repeats) => {
      const device = DEVICES[0]!;
      const session = { sessionId: SESSION, agree };
      let holder: HolderState = { type: 'waiting' };
      let effects: readonly Effect<HolderEffect>[] = [];
      const give = (input: HolderInput): void => {
        [holder, effects] = holderStep(session, holder, input) ?? [holder, []];
      };
      const typing: HolderInput = { type: 'digits', digits: agree(device).digits };
      const offer: HolderInput = {
        ...{ type: 'message', from: device },
        message: { type: 'offer', version: 1, session_id: SESSION },
      };
      for (const input of isTypedFirst ? [typing, offer] : [offer, typing]) give(input);
      for (let i = 0; i < repeats; i++) give({ type: 'repeat' });
      expect(effects.map(({ type }) => type)).toEqual(expect.arrayContaining(['send', 'share']));

      let joiner: JoinerState = OFFERING;
      const hear = (message: PairingMessage): readonly Effect<JoinerEffect>[] => {
        const input: JoinerInput = { type: 'message', from: HOLDER, message };
        const [next, effects] = joinerStep(sessionOf(device), joiner, input) ?? [joiner, []];
        joiner = next;
        return effects;
      };
      const messages: PairingMessage[] = [
        { type: 'sas-confirm', transcript_hash: agree(device).transcriptHash },
        { type: 'payload', payload_type: 'custom', payload: '' },
      ];
      if (isPayloadFirst) messages.reverse();
      expect(hear(messages[0]!)).toEqual([]);
      expect(hear(messages[1]!).map(({ type }) => type)).toEqual(['invited']);
    }),
    { seed: SEED },
  );
});

test('a wrong confirmation ends it, and what was shared before it is given to nobody', () => {
  const device = DEVICES[0]!;
  const payload: PairingMessage = { type: 'payload', payload_type: 'custom', payload: '' };
  const wrong: PairingMessage = { type: 'sas-confirm', transcript_hash: agree(DEVICES[1]!).transcriptHash };
  const from = HOLDER;
  const [held] = joinerStep(sessionOf(device), OFFERING, { type: 'message', from, message: payload })!;
  expect(joinerStep(sessionOf(device), held, { type: 'message', from, message: wrong })).toEqual([
    { type: 'over' },
    [
      { type: 'send', to: HOLDER, message: { type: 'abort', reason: 'sas_mismatch' } },
      { type: 'failed', ending: 'transcript' },
    ],
  ]);
});
