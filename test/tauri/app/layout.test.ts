/** Nothing on the page moves but what its user moves, whatever happens from unlock to lock. */

import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Device, openPair, PASSPHRASE, WAIT } from './device.ts';
import { moves, watchLayout, type Move } from './layout.ts';

let relay: RunningRelay;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.close());

const relays = (device: Device): Promise<number> =>
  device.at.run('return document.querySelectorAll("#relays li").length');

const enterRelay = (device: Device, url: string): Promise<void> =>
  device.at.run(
    `const field = document.querySelector('#add-relay input');
     field.value = arguments[0];
     field.form.requestSubmit();`,
    url,
  );

/**
 * What the user makes longer moves what is below it, and nothing else: down by as much as it grew, all in one frame. And
 * back up, to where it was.
 */
function expectGrowth(found: readonly Move[], grown: readonly string[]): number {
  const names = found.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  expect(names).toEqual(expect.arrayContaining([...grown]));
  const shifts = found.map(({ name, from, to }) => {
    const isGrown = grown.includes(name);
    const still = isGrown ? [0, 1, 2] : [0, 2, 3];
    for (const i of still) expect(to[i], name).toBe(from[i]);
    return isGrown ? to[3] - from[3] : to[1] - from[1];
  });
  for (const shift of shifts) expect(shift).toBeCloseTo(shifts[0]!, 3);
  return shifts[0]!;
}

test.each([
  ['as it opens', 460],
  ['at its narrowest', 380],
])('nothing jumps in a window %s', async (_, width) => {
  const { laptop, phone: desk } = await openPair(relay.url);
  await desk.at.setSize(width, 760);
  await expect.poll(() => desk.at.run('return innerWidth'), WAIT).toBe(width);
  const still = async (what: string): Promise<void> => expect(await moves(desk), what).toEqual([]);

  await desk.at.click('#lock');
  await expect.poll(() => desk.screen(), WAIT).toBe('locked');
  await watchLayout(desk);
  await laptop.setTheme('dark');
  await laptop.write('from the laptop');
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');

  await desk.at.type('#unlock input', 'wrong');
  await desk.at.click('#unlock button');
  await expect.poll(() => desk.at.text('#unlock .error'), WAIT).not.toBe('');
  await still('a passphrase that does not fit');
  await desk.at.run('document.querySelector("#unlock").reset()');
  await desk.submit('unlock', { passphrase: PASSPHRASE });
  await expect.poll(() => desk.note(), WAIT).toBe('from the laptop');
  await expect.poll(() => desk.theme(), WAIT).toBe('dark');
  await still('unlocked, and values arrive');

  await laptop.setTheme('light');
  await laptop.write(', and more of it');
  await expect.poll(() => desk.note(), WAIT).toBe('from the laptop, and more of it');
  await expect.poll(() => desk.theme(), WAIT).toBe('light');
  await still('values arrive later');

  await desk.setTheme('dark');
  // The size is that of the note's text, inside of its field.
  for (const size of [12, 24])
    await desk.at.run(
      `const range = document.querySelector('#font-size');
       range.value = arguments[0];
       range.dispatchEvent(new Event('input', { bubbles: true }));`,
      size,
    );
  await expect.poll(() => laptop.theme(), WAIT).toBe('dark');
  await still('theme and text size changed');
  await desk.write(' and from here');
  await expect.poll(() => laptop.note(), WAIT).toContain(' and from here');
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  await still('a note is typed');

  await relay.close();
  await expect.poll(() => desk.status(), WAIT).toBe('Offline. All changes were sent');
  await still('the relay is away');
  await desk.write(', offline');
  await expect.poll(() => desk.status(), WAIT).toBe('Offline. 1 change waiting');
  await desk.at.click('#reset');
  await expect.poll(() => desk.status(), WAIT).toBe('Offline. 2 changes waiting');
  await still('changes wait');
  const { port, relay: stored } = relay;
  relay = await startRelay({ port, relay: stored });
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  await expect.poll(() => laptop.note(), WAIT).toContain(', offline');
  await still('the relay is back, and changes were sent');

  await enterRelay(desk, 'ws://relay.example.com');
  await expect.poll(() => desk.at.text('#add-relay .error'), WAIT).not.toBe('');
  await still('what is no relay is refused');

  const longer = ['relays', 'section relays-title'];
  await enterRelay(desk, 'ws://127.0.0.1:9');
  await expect.poll(() => relays(desk), WAIT).toBe(2);
  const grew = expectGrowth(await moves(desk), longer);
  await expect.poll(() => desk.at.text('#relays li:last-child small'), WAIT).toBe('not connected');
  await desk.at.click('#relays li:last-child button');
  await expect.poll(() => relays(desk), WAIT).toBe(1);
  expect(grew).toBeGreaterThan(0);
  expect(expectGrowth(await moves(desk), longer)).toBeCloseTo(-grew, 3);
  await desk.at.click('#relays button');
  await expect.poll(() => relays(desk), WAIT).toBe(0);
  await enterRelay(desk, relay.url);
  await expect.poll(() => relays(desk), WAIT).toBe(1);
  await still('the last relay is removed, and a first one added');

  await desk.at.click('#show-code');
  await expect.poll(() => desk.at.text('#code'), WAIT).toMatch(/^ncryptsec1/);
  const opened = expectGrowth(await moves(desk), ['section devices-title']);
  expect(opened).toBeGreaterThan(0);
  await desk.at.click('#show-code');
  expect(expectGrowth(await moves(desk), ['section devices-title'])).toBeCloseTo(-opened, 3);

  await desk.at.click('#lock');
  await expect.poll(() => desk.screen(), WAIT).toBe('locked');
  await still('locked');
});

test('nothing jumps when the engine starts after the page is shown', async () => {
  const desk = new Device([relay.url]);
  await desk.open();
  await desk.create();
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  await enterRelay(desk, 'ws://127.0.0.1:1');
  await expect.poll(() => relays(desk), WAIT).toBe(2);
  const rows = (): Promise<string[]> =>
    desk.at.run('return [...document.querySelectorAll("#relays span")].map((name) => name.textContent)');
  const before = await rows();
  await desk.at.reload();
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  expect(await rows()).toEqual(before);
  // The engine of a second process on the same data waits for the end of the first.
  await desk.close();
  await desk.open();
  const late = new Device([relay.url], { home: desk.home });
  await late.open();
  await expect.poll(() => late.status(), WAIT).toBe('Another Desk is using this data');
  await watchLayout(late);
  await desk.close();
  await expect.poll(() => late.invoke('get_status'), WAIT).toMatchObject({ relayCount: 2 });
  await late.unlock();
  await expect.poll(() => late.status(), WAIT).toBe('Up to date');
  const connected = late.at.run('return document.querySelectorAll("#relays [data-state=connected]").length');
  expect(await connected).toBe(1);
  expect(await relays(late)).toBe(2);
  expect(await moves(late)).toEqual([]);
});
