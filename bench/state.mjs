/**
 * What the state handle costs: an edit in one page until another page shows it, beside the sum of what that cannot do without; how often React
 * renders; what a thousand handles take; and how often a slider writes.
 */

import { join } from 'node:path';
import { build } from 'esbuild';
import { createNostrSync, defineCategory, memoryStore, secretKeySigner } from '../dist/node.js';
import { createRelay, createTestClock } from '../dist/testing/index.js';
import { startBrowser } from './support/browser.mjs';
import { createAuthor, dTagOf, NAMESPACE, smallPayload } from './support/events.mjs';
import { createIndexedRelay } from './support/fake-relay.mjs';
import { assertEqual, interleave, median, ms, randomKey, until, us } from './support/harness.mjs';
import { startRelays } from './support/relays.mjs';

const EDITS = 30;
/** Between two edits: as a person makes them, and no faster than an engine sends. */
const PAUSE_MS = 600;
const HANDLES = 1_000;
const ROUNDS = 5;

/** Two pages with a profile each, one relay between them. Each direction has its turn: so clocks that differ cancel out. */
async function twoPages() {
  const browser = await startBrowser();
  const relays = await startRelays();
  try {
    await build({
      entryPoints: { 'state/state': join(import.meta.dirname, 'support/state-page.mjs') },
      ...{ outdir: browser.folder, bundle: true, minify: true, format: 'esm', platform: 'browser' },
      ...{ target: 'es2023', conditions: ['browser'], logLevel: 'error' },
      define: { 'process.env.NODE_ENV': '"production"' },
    });
    const pages = await Promise.all(
      [0, 1].map(async () => {
        const { page } = await browser.open('state');
        return page;
      }),
    );
    const [relay] = relays.urls;
    const key = [...randomKey()];
    for (const page of pages) {
      await page.waitForFunction(() => globalThis.device !== undefined);
      await page.evaluate(([url, secret]) => device.start(url, secret), [relay, key]);
    }
    const pair = (i) => [pages[i % 2], pages[(i + 1) % 2]];

    /** Until the other page shows it. */
    const shown = async (i) => {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const [from, to] = pair(i);
      const at = await from.evaluate((size) => device.edit(size), i + 1);
      const seen = await to.evaluate((size) => device.untilShown(size), i + 1);
      return seen - at;
    };
    for (let i = 0; i < 6; i++) await shown(i);
    const before = await Promise.all(pages.map((page) => page.evaluate(() => device.renders())));
    const edits = [];
    for (let i = 6; i < EDITS + 6; i++) edits.push(await shown(i));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const after = await Promise.all(pages.map((page) => page.evaluate(() => device.renders())));
    const rendersOf = (name) =>
      after.reduce((sum, renders, i) => sum + renders[name] - before[i][name], 0) / pages.length / EDITS;

    const parts = await Promise.all(
      pages.map((page) => page.evaluate(([rounds, pause]) => device.parts(rounds, pause), [EDITS, PAUSE_MS])),
    );
    for (const page of pages) await page.evaluate((url) => device.connect(url), relay);
    const wires = [];
    for (let i = 0; i < EDITS; i++) {
      const [from, to] = pair(i);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const { id, at } = await from.evaluate((which) => device.send(which), i);
      wires.push((await to.evaluate((which) => device.untilArrived(which), id)) - at);
    }
    const partOf = (name) => median(parts.map((one) => one[name]));
    const [made, saved, opened] = [partOf('made'), partOf('saved'), partOf('opened')];
    const wire = meanOfWays(wires);
    return {
      whole: meanOfWays(edits),
      ...{ made, saved, opened, wire, sum: made + saved + wire + opened + saved },
      renders: { whole: rendersOf('whole'), size: rendersOf('size'), theme: rendersOf('theme') },
    };
  } finally {
    await browser.close();
    await relays.close();
  }
}

/** Of the medians of both directions. */
const meanOfWays = (times) =>
  (median(times.filter((_, i) => i % 2 === 0)) + median(times.filter((_, i) => i % 2 === 1))) / 2;

async function engineWith(openSocket, secretKey) {
  const sync = createNostrSync({
    ...{ namespace: NAMESPACE, relays: ['ws://127.0.0.1:1'], store: memoryStore(), openSocket },
    signer: secretKeySigner(secretKey),
  });
  await until(async () => (await sync.getStatus()).connectedRelayCount === 1);
  return sync;
}

/** Values of so many categories, shown by handles, or heard by an app that does with `subscribe` and `fetch`. */
async function manyHandles() {
  const author = createAuthor(randomKey());
  const names = Array.from({ length: HANDLES }, (_, i) => `category-${i}`);
  const relay = createIndexedRelay(names.map((name, i) => author.event(name, i)));
  const isHere = (i, value) => assertEqual(value.revision, i, names[i]);
  const open = () => engineWith(relay.openSocket, author.secretKey);
  let bytes = 0;
  const times = await interleave(ROUNDS, {
    handles: async () => {
      const sync = await open();
      globalThis.gc();
      const before = process.memoryUsage().heapUsed;
      const startedAt = performance.now();
      const states = names.map((name) => sync.state(defineCategory({ name, default: { revision: -1 } })));
      for (const state of states) state.subscribe(() => undefined);
      await Promise.all(states.map(({ ready }) => ready));
      const took = performance.now() - startedAt;
      states.forEach((state, i) => isHere(i, state.get()));
      globalThis.gc();
      bytes = process.memoryUsage().heapUsed - before;
      await sync.close();
      return took;
    },
    byHand: async () => {
      const sync = await open();
      const startedAt = performance.now();
      for (const name of names) sync.subscribe([name], () => undefined);
      const values = await Promise.all(names.map((name) => sync.fetch(name)));
      const took = performance.now() - startedAt;
      values.forEach(({ payload }, i) => isHere(i, payload));
      await sync.close();
      return took;
    },
  });
  return { ...times, bytes };
}

/** An edit until it is saved, with so many handles open. */
async function editBeside(count) {
  const author = createAuthor(randomKey());
  const sync = await engineWith(createIndexedRelay([]).openSocket, author.secretKey);
  const states = Array.from({ length: count }, (_, i) =>
    sync.state(defineCategory({ name: `category-${i}`, default: { revision: 0 }, debounceMs: 0 })),
  );
  for (const state of states) state.subscribe(() => undefined);
  await Promise.all(states.map(({ ready }) => ready));
  let revision = 0;
  return {
    edit: () => states[0].update({ revision: ++revision }),
    close: () => sync.close(),
  };
}

/** Writes of a slider that is moved 50 times, 20 ms apart. */
async function slider() {
  const clock = createTestClock();
  const relay = createRelay({ clock });
  const sync = createNostrSync({
    ...{ namespace: NAMESPACE, relays: ['ws://127.0.0.1:1'], store: memoryStore(), clock },
    ...{ signer: secretKeySigner(randomKey()), openSocket: relay.openSocket },
  });
  const state = sync.state(defineCategory({ name: 'settings', default: smallPayload(0) }));
  void state.ready;
  await clock.advance(5_000);
  for (let i = 1; i <= 50; i++) {
    void state.update({ fontSize: 12 + i });
    await clock.advance(20);
  }
  await clock.advance(5_000);
  const sent = relay.frames.filter(({ frame }) => frame[0] === 'EVENT' && frame[1].kind === 30_078);
  assertEqual(sent.at(-1)?.frame[1].tags[0][1], dTagOf('settings'), 'the category');
  const writes = new Set(sent.map(({ frame }) => frame[1].id)).size;
  await sync.close();
  return writes;
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const page = await twoPages();
  const many = await manyHandles();
  const beside = { one: await editBeside(1), all: await editBeside(HANDLES) };
  const edits = await interleave(100, { one: beside.one.edit, all: beside.all.edit });
  await Promise.all([beside.one.close(), beside.all.close()]);
  const writes = await slider();
  return [
    {
      name: 'an edit, page to page',
      what: 'edit in one page until the DOM of another has it / its parts: made, saved, sent, opened, saved',
      ratio: page.whole / page.sum,
      target: { atMost: 2 },
      raw:
        `${ms(page.whole)}; made ${ms(page.made)}, saved ${ms(page.saved)} on each side, ` +
        `socket and relay ${ms(page.wire)}, verified and opened ${ms(page.opened)}`,
    },
    {
      name: 'renders, part shown',
      what: 'renders of a component that shows the field / edits of it',
      ratio: page.renders.size,
      target: { atMost: 1 },
      raw: 'React, a selector',
    },
    {
      name: 'renders, another part',
      what: 'renders of a component that shows another field / edits',
      ratio: page.renders.theme,
      target: { atMost: 0 },
      raw: 'React, a selector',
    },
    {
      name: 'renders, value and meta',
      what: 'renders of a component with useSync / edits, here and there',
      ratio: page.renders.whole,
      target: { atMost: 4 },
      raw: 'shown, saved, with a relay',
    },
    {
      name: '1,000 handles',
      what: 'until all are ready / subscribe and fetch by hand',
      ratio: many.handles / many.byHand,
      target: { atMost: 2 },
      raw: `${ms(many.handles)} and ${ms(many.byHand)}; ${Math.round(many.bytes / HANDLES)} B of heap each, engine included`,
    },
    {
      name: 'an edit beside 1,000 handles',
      what: 'an edit until it is saved with 1,000 handles open / with one',
      ratio: edits.all / edits.one,
      target: { atMost: 2 },
      raw: `${us(edits.all)} and ${us(edits.one)}`,
    },
    {
      name: 'a slider',
      what: 'writes of 50 moves, 20 ms apart',
      ratio: writes,
      target: { atMost: 1 },
      raw: 'events that a relay was sent',
    },
  ];
}
