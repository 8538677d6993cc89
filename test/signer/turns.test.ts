import { expect, test } from 'vitest';
import { takeTurn } from '../../src/signer/turns.ts';

/** Takes a turn that notes its name when it begins. Returns what ends it. */
function taking(provider: object, log: string[]) {
  return (name: string, isUrgent = false) => takeTurn(provider, isUrgent, () => void log.push(name));
}

test('one at a time, in the order in which they came, and what is urgent first', () => {
  const log: string[] = [];
  const take = taking({}, log);
  const ends = ['a', 'b', 'c'].map((name) => take(name));
  const endUrgent = take('urgent', true);
  expect(log).toEqual(['a']);
  ends[0]!();
  expect(log).toEqual(['a', 'urgent']);
  endUrgent();
  ends.push(take('d'));
  ends[1]!();
  ends[2]!();
  expect(log).toEqual(['a', 'urgent', 'b', 'c', 'd']);
});

test('one that leaves while it waits has no turn, and ends nobody else’s', () => {
  const log: string[] = [];
  const take = taking({}, log);
  const [first, left, urgent, last] = [take('first'), take('left'), take('urgent', true), take('last')];
  left();
  left();
  urgent();
  expect(log).toEqual(['first']);
  first();
  first();
  expect(log).toEqual(['first', 'last']);
  take('more');
  left();
  expect(log).toEqual(['first', 'last']);
  last();
  expect(log).toEqual(['first', 'last', 'more']);
});

test('a turn that ends as it begins is followed by the next', () => {
  const log: string[] = [];
  const provider = {};
  const end = taking(provider, log)('first');
  const ends: (() => void)[] = [];
  for (const name of ['a', 'b'])
    ends.push(
      takeTurn(provider, false, () => {
        log.push(name);
        ends.shift()!();
      }),
    );
  taking(provider, log)('last');
  end();
  expect(log).toEqual(['first', 'a', 'b', 'last']);
});

test('whoever has one provider does not wait for another', () => {
  const log: string[] = [];
  taking({}, log)('one');
  taking({}, log)('other');
  expect(log).toEqual(['one', 'other']);
});

test('with thousands that wait, a turn moves a few of them at most', () => {
  const SIZE = 5_000;
  let moved = 0;
  const native = { shift: Array.prototype.shift, indexOf: Array.prototype.indexOf };
  const provider = {};
  const ends: (() => void)[] = [];
  for (let i = 0; i < SIZE; i++) ends.push(takeTurn(provider, false, () => undefined));
  try {
    for (const [name, of] of Object.entries(native))
      Object.assign(Array.prototype, {
        [name](this: unknown[], ...args: never[]): unknown {
          moved += this.length;
          return Reflect.apply(of, this, args);
        },
      });
    for (const end of ends) end();
  } finally {
    Object.assign(Array.prototype, native);
  }
  expect(moved).toBeLessThan(10 * SIZE);
});
