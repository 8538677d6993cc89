/** The inspector over engines and embedded relays: what it says of them, and that nothing secret is on the screen unasked. */

import { describe, expect, test } from 'vitest';
import { locked, type Tab } from '../../src/inspector/model.ts';
import { pageView } from '../../src/inspector/page-view.ts';
import { defineCategory } from '../../src/node.ts';
import type { View } from '../../src/inspector/view.ts';
import { watch, type Inspected, type Watching } from '../../src/inspector/watching.ts';
import type { SyncEvents } from '../../src/sync/events.ts';
import { editApart, together } from '../sync/apart.ts';
import { world, type Device, type World } from '../sync/devices.ts';

const SECRET = 'canary-of-a-payload';

interface Screen extends Watching {
  /** All text and all attributes of the tab. */
  text(tab: Tab): string;
  /** What a screen reader has been told, in order. */
  readonly said: string[];
  /** Clicks the button with this name for those who do not see, in the tab that is chosen. */
  click(name: string | RegExp): void;
}

async function screen(at: World, sync: Inspected): Promise<Screen> {
  const said: string[] = [];
  const watching = watch(sync, at.clock, () => {
    const now = watching.model().said;
    if (now !== (said.at(-1) ?? '')) said.push(now);
  });
  await at.clock.advance(1_000);
  const views = (): readonly View[] => pageView(watching.model(), watching);
  return Object.assign(watching, {
    said,
    text: (tab: Tab) => {
      watching.choose(tab);
      return JSON.stringify(views().slice(2));
    },
    click: (name: string | RegExp) => {
      const found = elements(views()).filter(([element, { 'aria-label': label }, ...inside]) => {
        const text = label ?? JSON.stringify(inside);
        return element === 'button' && (typeof name === 'string' ? text === name : name.test(String(text)));
      });
      if (found.length === 0) throw new Error(`No button ${String(name)}`);
      (found[0]![1]['onclick'] as unknown as () => void)();
    },
  });
}

type Element = Exclude<View, string>;
const elements = (views: readonly View[]): Element[] =>
  views.flatMap((view) => {
    if (typeof view === 'string') return [];
    const [, , ...inside] = view;
    return [view, ...elements(inside)];
  });

async function written(at: World, device: Device, value: unknown = SECRET): Promise<void> {
  await at.settle(device.publish('settings', value, { waitFor: 'replicated' }));
  await at.clock.advance(1_000);
}

describe('values', () => {
  test('stage, stamp, device, bytes, each delivery, rivals and former values; the payload on a click, and off again', async () => {
    const at = world({}, {});
    const laptop = at.device({ deviceId: 'laptop' });
    const shown = await screen(at, laptop);
    expect(shown.text('values')).toContain('Nothing yet');
    await written(at, laptop, 'before');
    await written(at, laptop);
    const [row] = await at.settle(laptop.inspect());
    expect(shown.text('values')).toMatch(/"settings".*"replicated".*"this device"/);
    expect(shown.text('values')).not.toContain('confirmed');

    shown.click(/settings/);
    await at.clock.advance(1_000);
    const open = shown.text('values');
    expect(open).toContain(`"datetime":"${new Date(row!.updatedAt).toISOString()}"`);
    for (const [name, value] of Object.entries({
      size: `${row!.bytes.toLocaleString()} B`,
      rivals: '0',
      'former values': '1',
      expires: 'never',
    }))
      expect(open).toContain(`["dt",{},"${name}"],["dd",{},"${value}"]`);
    for (const url of at.urls) expect(open).toContain(`["bdi",{},"${url}"],["i",{"class":"confirmed"}`);
    expect(open).toMatch(/"current".*"own"/);
    expect(open).not.toContain(SECRET);

    shown.click('Show: current');
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain(JSON.stringify(`"${SECRET}"`));
    expect(shown.text('values')).not.toContain('before');
    shown.click('Hide: current');
    expect(shown.text('values')).not.toContain(SECRET);

    shown.click('Show: current');
    await at.clock.advance(1_000);
    shown.click(/settings/);
    shown.click(/settings/);
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain('Show: current');
    expect(shown.text('values')).not.toContain(SECRET);
  });

  test('a value that no relay takes is saved and pending; a former one is restored on a click', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], {}, 'first');
    const shown = await screen(at, laptop!.device);
    shown.click(/settings/);
    await at.settle(laptop!.device.publish('settings', 'second', { waitFor: 'replicated' }));
    at.relays[0]!.misbehave({ silent: true });
    await at.settle(laptop!.device.publish('settings', 'third', { waitFor: 'saved' }));
    await at.clock.advance(1_000);
    expect(shown.text('values')).toMatch(/"saved".*"pending"/);
    at.relays[0]!.behave();
    await at.clock.advance(60_000);
    expect(shown.text('values')).toMatch(/"replicated".*"confirmed"/);
    // The first of the former ones.
    shown.click('Restore: own');
    await at.clock.advance(5_000);
    expect((await at.settle(phone!.device.fetch('settings')))?.payload).toBe('second');
    expect(shown.said).toEqual(['Restored in settings', '']);
  });

  test("the version of the app's data, and the oldest that may write it", async () => {
    const at = world({});
    const laptop = at.device();
    await written(at, laptop);
    const shown = await screen(at, laptop);
    shown.click(/settings/);
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain('["dt",{},"schema"],["dd",{},"1, writable by 1"]');
    expect((await at.settle(laptop.inspect()))[0]).not.toHaveProperty('schema');
    const app = defineCategory({ name: 'app', default: { theme: 'light' }, version: 3, writableBy: 2 });
    await at.settle(laptop.state(app).update({ theme: 'dark' }));
    await at.settle(laptop.state(app).flush());
    expect(await at.settle(laptop.inspect())).toMatchObject([
      { category: 'app', schema: { version: 3, writableBy: 2 } },
      { category: 'settings' },
    ]);
    await at.clock.advance(1_000);
    shown.click(/settings/);
    shown.click(/"app"/);
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain('["dt",{},"schema"],["dd",{},"3, writable by 2"]');
  });

  test('what cannot be read says why', async () => {
    const at = world({});
    const laptop = at.device();
    await written(at, laptop);
    const shown = await screen(at, { ...laptop, readVersion: async () => Promise.reject(new Error('Gone')) });
    shown.click(/settings/);
    await at.clock.advance(1_000);
    shown.click('Show: current');
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain('"Gone"');
  });

  test('payloads leave the screen when the app locks, also if the engine says nothing', async () => {
    const at = world({});
    const laptop = at.device();
    await written(at, laptop);
    const shown = await screen(at, laptop);
    shown.click(/settings/);
    await at.clock.advance(1_000);
    shown.click('Show: current');
    await at.clock.advance(1_000);
    expect(shown.text('values')).toContain(SECRET);
    await laptop.clearSigner();
    await at.clock.advance(3_000);
    expect(shown.text('values')).not.toContain(SECRET);
    expect(JSON.stringify([...shown.model().shown])).toBe('[]');
  });
});

test('relays: state, latency, AUTH, sizes, violations and the last error', async () => {
  const at = world({ latencyMs: 20 }, {});
  const laptop = at.device();
  const shown = await screen(at, laptop);
  await written(at, laptop);
  const before = shown.text('relays');
  expect(before).toMatch(/relay-0.example.*"open".*"latency"\],\["dd",\{\},"\d+ ms"\]/);
  expect(before).toMatch(/"AUTH"\],\["dd",\{\},"none"\].*"largest taken"\],\["dd",\{\},"\d+ B"\]/);
  at.relays[1]!.misbehave({ refuseConnections: true });
  at.relays[1]!.sendAll('no JSON at all');
  at.relays[1]!.disconnectAll('good night');
  await at.clock.advance(1_000);
  expect(shown.text('relays')).toMatch(
    /relay-1.example.*"waiting".*"frame 1".*"last error"\],\["dd",\{\},\["bdi",\{\},"/,
  );
});

describe('conflicts', () => {
  test('mine and theirs; "restore" writes mine again, on both devices', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], {});
    const shown = await screen(at, laptop!.device);
    expect(shown.text('conflicts')).toContain('Nothing yet');
    await editApart(at, [
      [laptop!, { theme: SECRET }],
      [phone!, { theme: 'of the phone' }],
    ]);
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(60_000);
    const text = shown.text('conflicts');
    expect(text).toMatch(/"settings".*"theirs is shown".*"mine".*"this device".*"theirs".*"phone"/);
    expect(text).not.toContain(SECRET);
    expect(shown.said).toEqual(['Conflict in settings', '']);
    shown.click('Show: settings');
    expect(shown.text('conflicts')).toMatch(new RegExp(`"mine".*${SECRET}.*"theirs".*of the phone`));
    shown.click('Restore: mine');
    await at.clock.advance(10_000);
    for (const { device } of [laptop!, phone!])
      expect((await at.settle(device.fetch('settings')))?.payload).toMatchObject({ theme: SECRET });
  });

  test('of a merge that met a clash: base, mine, theirs, result and the clash, as one', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    const shown = await screen(at, laptop!.device);
    await editApart(at, [
      [laptop!, { theme: SECRET, font: 99 }],
      [phone!, { theme: 'of the phone' }],
    ]);
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(60_000);
    expect(shown.model().meetings).toHaveLength(1);
    const text = shown.text('conflicts');
    expect(text).toMatch(/"merged, base exact".*"clashes: 1".*"base".*"mine".*"theirs".*"result"/);
    // Not even the names of fields.
    expect(text).not.toMatch(new RegExp(`${SECRET}|theme|font`));
    shown.click('Show: settings');
    const all = shown.text('conflicts');
    expect(all).toMatch(new RegExp(`"base".*light.*"mine".*${SECRET}.*"theirs".*of the phone.*"result".*99`));
    expect(all).toContain('both-changed');
    shown.click('Hide: settings');
    expect(shown.text('conflicts')).not.toContain(SECRET);
    shown.click('Restore: base');
    await at.clock.advance(10_000);
    expect((await at.settle(phone!.device.fetch('settings')))?.payload).toEqual({ theme: 'light', font: 12 });
  });

  test('a merge that lost nothing is there without a word to screen readers', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    const shown = await screen(at, laptop!.device);
    await editApart(at, [
      [laptop!, { theme: 'dark' }],
      [phone!, { font: 14 }],
    ]);
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(60_000);
    expect(shown.text('conflicts')).toMatch(/"merged, base exact".*"result"/);
    expect(shown.text('conflicts')).not.toContain('clashes');
    expect(shown.said).toEqual([]);
  });

  test('are forgotten with their payloads when the app locks', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], {});
    const shown = await screen(at, laptop!.device);
    await editApart(at, [
      [laptop!, { theme: SECRET }],
      [phone!, { theme: SECRET }],
    ]);
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(60_000);
    expect(JSON.stringify(shown.model())).toContain(SECRET);
    await laptop!.device.clearSigner();
    await at.clock.advance(3_000);
    expect(JSON.stringify(shown.model())).not.toContain(SECRET);
    expect(locked(shown.model()).meetings).toEqual([]);
  });
});

describe('log', () => {
  test('the last 300 events, the newest first, without payloads', async () => {
    const at = world({});
    const laptop = at.device({ deviceId: 'laptop' });
    const phone = at.device({ deviceId: 'phone' });
    phone.subscribe(['settings'], () => undefined);
    const shown = await screen(at, phone);
    await written(at, laptop);
    expect(shown.text('log')).toMatch(/"updated".*"settings, laptop"/);
    expect(shown.text('log')).toMatch(/"relay-status".*relay-0.example, open, none/);
    expect(JSON.stringify(shown.model())).not.toContain(SECRET);
  });

  test('has 300 lines, and says nothing to screen readers', async () => {
    const at = world({});
    const { sync, tell } = stage(at.device());
    const shown = await screen(at, sync);
    for (let i = 1; i <= 400; i++) tell('error', { code: 'STORE_FAILED', message: `Cannot read ${i}` });
    expect(shown.model().log).toHaveLength(300);
    expect(shown.model().log[0]).toMatchObject({ type: 'error', text: 'STORE_FAILED, Cannot read 400' });
    await at.clock.advance(10_000);
    expect(shown.said).toEqual([]);
  });
});

/** The engine, of which the test can say what it tells. */
function stage(device: Device): {
  readonly sync: Inspected;
  readonly tell: (type: keyof SyncEvents, event: object) => void;
} {
  const listeners = new Map<string, (event: never) => void>();
  return {
    sync: {
      ...device,
      on: (type, listener) => {
        listeners.set(type, listener);
        return () => undefined;
      },
    },
    tell: (type, event) => listeners.get(type)!(event as never),
  };
}

test('of many conflicts a screen reader is told one in two seconds; what events ask for together is asked once', async () => {
  const at = world({});
  const { sync, tell } = stage(at.device());
  let asked = 0;
  const counted: Inspected = { ...sync, inspect: async () => (asked++, sync.inspect()) };
  const shown = await screen(at, counted);
  const side = { eventId: '0', deviceId: 'phone', updatedAt: '2026-01-01T00:00:00.000Z', payload: 1 };
  const before = asked;
  for (let i = 0; i < 60; i++) {
    tell('conflict', { category: `category ${i}`, mine: side, theirs: side, shown: 'mine' });
    await at.clock.advance(100);
  }
  const conflicts = [0, 19, 39].map((i) => `Conflict in category ${i}`);
  expect(shown.said.filter((said) => said !== '').slice(0, 3)).toEqual(conflicts);
  expect(asked - before).toBeGreaterThanOrEqual(20);
  expect(asked - before).toBeLessThanOrEqual(40);
});

test('a closed engine is said to be closed; one that is left is asked and heard no more', async () => {
  const at = world({});
  const laptop = at.device();
  const shown = await screen(at, laptop);
  await laptop.close();
  await at.clock.advance(5_000);
  expect(shown.text('values')).toMatch(/closed/);
  let asked = 0;
  const counted: Inspected = { ...laptop, getRelays: async () => (asked++, laptop.getRelays()) };
  const left = await screen(at, counted);
  left.stop();
  const before = asked;
  await at.clock.advance(60_000);
  expect([asked, left.model().log]).toEqual([before, []]);
});
