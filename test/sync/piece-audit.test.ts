/** Reading back the pieces of a head from one relay. */

import { expect, test } from 'vitest';
import type { Address, RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import type { Step } from '../../src/sync/heads/owed.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece } from '../../src/sync/heads/version.ts';
import type { Collected } from '../../src/sync/relays/collect.ts';
import { createPieceAudit, type PieceAudit } from '../../src/sync/relays/piece-audit.ts';
import { anAddress } from '../names.ts';
import { written } from './devices.ts';

const RELAY = 'wss://relay.example' as RelayUrl;
const D_TAG = anAddress('default/settings/v1');

interface Bench {
  readonly audit: PieceAudit;
  /** Pieces that the relay has said OK to. */
  acknowledge(...names: readonly string[]): void;
  /** What the relay was asked for, by the names of pieces. */
  readonly asked: (readonly string[])[];
  /** The relay shows this to the question with this number. */
  answer(number: number, shown: readonly string[], isComplete?: boolean): Promise<void>;
  readonly inputs: Input[];
  /** What was to be saved until now is. */
  save(): Promise<void>;
  readonly again: number[];
  /** The relay says that it has these, without sending them. */
  had: readonly string[];
  /** Names of pieces that the store was asked for. */
  readonly read: string[];
  step: Step;
}

const tick = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(): Bench {
  let pieces: readonly Piece[] = [];
  const answers: ((collected: Collected) => void)[] = [];
  const saves: (() => void)[] = [];
  const record = (): HeadRecord => ({
    ...EMPTY_RECORD,
    head: { ...versionOf(written() as VerifiedEvent), pieces },
  });
  const bench: Bench = {
    asked: [],
    inputs: [],
    again: [],
    had: [],
    read: [],
    step: 'nothing',
    audit: createPieceAudit(RELAY, {
      replica: {
        peek: record,
        apply: async (_, input) => {
          bench.inputs.push(input);
          await new Promise<void>((resolve) => saves.push(resolve));
          return [];
        },
        piece: async (_, name) => {
          bench.read.push(name);
          return written() as VerifiedEvent;
        },
      },
      piecesHad: async (stored) => {
        const had = [...stored].filter(([dTag]) => bench.had.some((name) => dTag.endsWith(`/${name}`)));
        for (const [, read] of had) await read();
        return new Set(had.map(([dTag]) => dTag));
      },
      collect: async (dTags) => {
        bench.asked.push(dTags.map((dTag) => dTag.slice(dTag.lastIndexOf('/') + 1)));
        return new Promise((resolve) => answers.push(resolve));
      },
      stepOf: () => bench.step,
      audit: { put: (_, delayMs) => void bench.again.push(delayMs), askAgainMs: () => 7 },
    }),
    acknowledge: (...names) => {
      pieces = names.map((name) => ({ name, stamp: 1, deliveries: new Map([[RELAY, 'acknowledged']]) }));
    },
    answer: async (number, shown, isComplete = true) => {
      await tick();
      const address = (name: string): Address => anAddress(`default/settings/c/${name}`);
      const events = new Map(shown.map((name) => [address(name), written() as VerifiedEvent]));
      answers[number]!({ isComplete, events });
      await tick();
    },
    save: async () => {
      for (const done of saves.splice(0)) done();
      await tick();
    },
  };
  return bench;
}

test('all pieces that one answer shows or lacks are saved together', async () => {
  const { audit, acknowledge, answer, inputs } = setUp();
  acknowledge('a', 'b', 'c');
  void audit.readBack(D_TAG);
  await answer(0, ['a', 'c']);
  const of = { type: 'piece', relay: RELAY };
  expect(inputs).toEqual([
    { ...of, name: 'a', delivery: 'confirmed' },
    { ...of, name: 'b', delivery: undefined },
    { ...of, name: 'c', delivery: 'confirmed' },
  ]);
});

test('a piece is not asked for again before what came of it is saved, others are', async () => {
  const { audit, acknowledge, answer, asked, save } = setUp();
  acknowledge('a', 'b');
  void audit.readBack(D_TAG);
  await audit.readBack(D_TAG);
  await answer(0, ['a', 'b']);
  acknowledge('a', 'b', 'c');
  void audit.readBack(D_TAG);
  await tick();
  expect(asked).toEqual([['a', 'b'], ['c']]);
  await save();
  void audit.readBack(D_TAG);
  await tick();
  expect(asked).toEqual([['a', 'b'], ['c'], ['a', 'b']]);
});

test('what an incomplete answer does not show may be there, and is asked for later', async () => {
  const bench = setUp();
  bench.acknowledge('a', 'b');
  bench.step = 'read-back';
  const first = bench.audit.readBack(D_TAG);
  await bench.answer(0, ['a'], false);
  expect(bench.inputs).toEqual([{ type: 'piece', relay: RELAY, name: 'a', delivery: 'confirmed' }]);
  await bench.save();
  await first;
  expect(bench.again).toEqual([7]);
  void bench.audit.readBack(D_TAG);
  await tick();
  expect(bench.asked).toHaveLength(2);
});

test('what the relay says to have is not asked for, the others are', async () => {
  const bench = setUp();
  bench.acknowledge('a', 'b', 'c');
  bench.had = ['a', 'c'];
  void bench.audit.readBack(D_TAG);
  await tick();
  expect(bench.asked).toEqual([['b']]);
  const of = { type: 'piece', relay: RELAY, delivery: 'confirmed' };
  expect(bench.inputs).toEqual([
    { ...of, name: 'a' },
    { ...of, name: 'c' },
  ]);
  expect(bench.read).toEqual(['a', 'c']);
});
