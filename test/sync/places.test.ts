/** In which order calls of a category go on, if one has something to wait for. */

import { expect, test } from 'vitest';
import { createPlaces } from '../../src/sync/places.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';

const SETTINGS = anAddress('default/settings/v1');
const OTHER = anAddress('default/other/v1');

function world() {
  const clock = createTestClock();
  const places = createPlaces(clock);
  const entered: string[] = [];
  const take = async (
    name: string,
    ready?: Promise<string>,
    { dTag = SETTINGS, signal }: { dTag?: typeof SETTINGS; signal?: AbortSignal } = {},
  ): Promise<string> =>
    places.take(dTag, { signal, ready }, async (said) => {
      entered.push(said === undefined ? name : `${name} ${said}`);
      return Promise.resolve(name);
    });
  return { clock, entered, take };
}

test('a call with nothing to wait for goes on at once', async () => {
  const { entered, take } = world();
  const call = take('first');
  expect(entered).toEqual(['first']);
  expect(await call).toBe('first');
});

test('a later call does not overtake one that waits, nor does one that has waited for less', async () => {
  const { entered, take } = world();
  let say!: (text: string) => void;
  const first = take('first', new Promise((resolve) => (say = resolve)));
  const rest = [
    take('second', Promise.resolve('at once')),
    take('third'),
    take('other', undefined, { dTag: OTHER }),
  ];
  await Promise.resolve();
  expect(entered).toEqual(['other']);
  say('late');
  await Promise.all([first, ...rest]);
  expect(entered).toEqual(['other', 'first late', 'second at once', 'third']);
});

test('what fails, is aborted, or waits for longer than a signer may, keeps no other waiting', async () => {
  const { clock, entered, take } = world();
  const abort = new AbortController();
  const failing = take('failing', Promise.reject(new Error('no')));
  const aborted = take('aborted', new Promise(() => undefined), { signal: abort.signal });
  const hanging = take('hanging', new Promise(() => undefined));
  void hanging;
  const impatient = new AbortController();
  const left = take('left', undefined, { signal: impatient.signal });
  const last = take('last');
  await expect(failing).rejects.toThrow('no');
  abort.abort(new Error('no longer'));
  await expect(aborted).rejects.toThrow('no longer');
  // Its own signal is heard while it waits for another.
  impatient.abort(new Error('not for long'));
  await expect(left).rejects.toThrow('not for long');
  await clock.advance(19_999);
  expect(entered).toEqual([]);
  await clock.advance(1);
  expect(await last).toBe('last');
  expect(entered).toEqual(['last']);
});
