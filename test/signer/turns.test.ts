import { afterEach, describe, expect, test, vi } from 'vitest';
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

describe('two copies of the package on one page', () => {
  const NAME = Symbol.for('nostr-sync.turns');
  const page = globalThis as { [NAME]?: unknown };
  afterEach(() => delete page[NAME]);

  /** The module, loaded once more. */
  async function copy(): Promise<typeof takeTurn> {
    vi.resetModules();
    return (await import('../../src/signer/turns.ts')).takeTurn;
  }

  test('stand in one line', async () => {
    const log: string[] = [];
    const [first, second] = [await copy(), await copy()];
    expect(first).not.toBe(second);
    const provider = {};
    const ends = [first, second, first].map((take, i) =>
      take(provider, false, () => void log.push(`turn ${i}`)),
    );
    second(provider, true, () => void log.push('urgent'));
    expect(log).toEqual(['turn 0']);
    ends[0]!();
    expect(log).toEqual(['turn 0', 'urgent']);
  });

  test.each<[string, PropertyDescriptor]>([
    ['something else', { value: 'taken' }],
    ['null', { value: null }],
    ['what looks like lines', { value: { get: () => 7, set: () => undefined, has: () => true } }],
    [
      'what throws',
      {
        get: () => {
          throw new Error('no');
        },
      },
    ],
  ])('each have a line of their own if %s has its name', async (_, there) => {
    const log: string[] = [];
    const take = await copy();
    Object.defineProperty(page, NAME, { ...there, configurable: true });
    const provider = {};
    const end = take(provider, false, () => void log.push('first'));
    take(provider, false, () => void log.push('second'));
    expect(log).toEqual(['first']);
    end();
    expect(log).toEqual(['first', 'second']);
  });

  test('each have a line of their own on a page that takes nothing new', async () => {
    const log: string[] = [];
    const take = await copy();
    Object.defineProperty(page, NAME, { value: undefined, writable: false, configurable: true });
    const provider = {};
    const end = take(provider, false, () => void log.push('first'));
    take(provider, false, () => void log.push('second'));
    end();
    expect(log).toEqual(['first', 'second']);
  });
});
