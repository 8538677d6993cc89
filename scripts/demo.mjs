/**
 * The main job, seen: a laptop and a phone with one key, two processes with a store each, and a relay between them.
 * The phone loses its network, edits, is killed, comes back; nothing is lost. Exit code 0 only if every step held.
 */

import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { startRelay } from 'nostr-sync/testing';

const STEP_LIMIT_MS = 8_000;
const CATEGORY = 'ui-settings';
const FIRST = { theme: 'midnight', sidebar: ['inbox', 'drafts'] };
const SECOND = { theme: 'daylight', sidebar: ['inbox'] };

// A key for this run alone. It reaches the devices by their environment, as it could reach the command.
const key = randomBytes(32).toString('hex');
const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-demo-'));
const devices = new Set();
const startedAt = performance.now();

const say = (text) => console.log(text);

function check(holds, text) {
  if (!holds) throw new Error(text);
  say(`  ✓ ${text}`);
}

/** Starts a device: `call` asks it to do something, `next` waits for the first message it ever sent that fits. */
function startDevice(name, relay) {
  const script = new URL('demo-device.mjs', import.meta.url);
  const child = fork(script, [relay, join(folder, name), CATEGORY], {
    env: { ...process.env, NOSTR_SYNC_KEY: key },
  });
  devices.add(child);
  const messages = [];
  const exited = new Promise((resolve) => {
    child.once('exit', (_code, signal) => {
      devices.delete(child);
      resolve(signal);
    });
  });

  function next(what, fits) {
    return new Promise((resolve, reject) => {
      const settle = (act) => {
        clearTimeout(timer);
        child.off('message', look);
        child.off('exit', ended);
        act();
      };
      const look = () => {
        const at = messages.findIndex(fits);
        if (at >= 0) settle(() => resolve(messages.splice(at, 1)[0]));
      };
      const fail = (why) => settle(() => reject(new Error(`the ${name} ${what}: ${why}`)));
      const ended = () => fail('it ended before that');
      const timer = setTimeout(() => fail(`not within ${STEP_LIMIT_MS / 1_000} s`), STEP_LIMIT_MS);
      child.on('message', look);
      child.once('exit', ended);
      look();
    });
  }

  child.on('message', (message) => {
    if (message.type === 'error') say(`  ! ${name}: ${message.code}: ${message.message}`);
    messages.push(message);
  });

  return {
    next,
    async call(call, request = {}) {
      child.send({ call, ...request });
      const { result } = await next(`answers to ${call}`, ({ type }) => type === 'answer');
      return result;
    },
    connection: (connected) =>
      next(
        connected ? 'connects' : 'notices that it is offline',
        (message) => message.connected === connected,
      ),
    pushed: (payload) =>
      next(
        'is pushed the value',
        (message) => message.type === 'pushed' && isDeepStrictEqual(message.payload, payload),
      ),
    async kill() {
      child.kill('SIGKILL');
      return exited;
    },
    async stop() {
      child.disconnect();
      await exited;
    },
  };
}

async function story() {
  const home = await startRelay();
  // The same relay behind a second port: the phone's way to it, which can be cut while the laptop stays online.
  let mobile = await startRelay({ relay: home.relay });
  const held = () => home.relay.events();
  try {
    say(`A relay on ${home.url}; a laptop and a phone, one key, a store each\n`);
    const laptop = startDevice('laptop', home.url);
    let phone = startDevice('phone', mobile.url);
    await Promise.all([laptop.connection(true), phone.connection(true)]);

    say(`1. The laptop publishes ${JSON.stringify(FIRST)}`);
    const sentAt = performance.now();
    const arrival = phone.pushed(FIRST).then(() => performance.now());
    // The wait for the push may be the one that fails; it is looked at further down.
    arrival.catch(() => undefined);
    const receipt = await laptop.call('publish', { category: CATEGORY, payload: FIRST });
    check(receipt.stage !== 'saved', 'the relay has taken it');
    check(
      (await arrival) > sentAt,
      `it was pushed to the phone, ${Math.round((await arrival) - sentAt)} ms after publish was called`,
    );

    say('\n2. What the relay holds');
    const [event] = held();
    const { id, kind, created_at, content } = event;
    say(
      `  ${JSON.stringify({ id: `${id.slice(0, 16)}…`, kind, created_at, tags: event.tags.filter(([name]) => name === 'd') })}`,
    );
    say(`  content: ${content.slice(0, 64)}… (${content.length} characters)`);
    check(held().length === 1 && id === receipt.eventId, 'one event, the one that the laptop signed');
    const frames = JSON.stringify(home.relay.frames);
    const words = [...Object.keys(FIRST), ...Object.values(FIRST).flat()];
    check(
      !words.some((word) => frames.includes(word)),
      `nothing that the relay was sent holds a word of it: ${words.join(', ')}`,
    );

    say('\n3. The phone loses its network and is edited');
    const offline = phone.connection(false);
    await mobile.close();
    await offline;
    check(home.relay.connections() === 1, 'only the laptop is connected');
    const edit = await phone.call('publish', { category: CATEGORY, payload: SECOND });
    check(edit.stage === 'saved', `${JSON.stringify(SECOND)} is saved on the phone`);
    check(
      held().every(({ id }) => id !== edit.eventId),
      'the relay knows nothing of it',
    );

    say('\n4. The phone is killed in that state');
    check((await phone.kill()) === 'SIGKILL', 'its process ended by SIGKILL (kill -9)');

    say('\n5. The network is back, and the phone is started again');
    mobile = await startRelay({ relay: home.relay, port: mobile.port });
    const laptopGetsIt = laptop.pushed(SECOND);
    laptopGetsIt.catch(() => undefined);
    phone = startDevice('phone', mobile.url);
    await phone.next(
      'delivers the edit',
      ({ type, stage, eventId }) => type === 'delivery' && stage !== 'saved' && eventId === edit.eventId,
    );
    check(true, 'it delivered what it had saved before it was killed: the same signed event');
    await laptopGetsIt;
    check(true, 'the laptop was pushed the edit');

    say('\n6. In the end');
    const [onLaptop, onPhone] = [
      await laptop.call('fetch', { category: CATEGORY }),
      await phone.call('fetch', { category: CATEGORY }),
    ];
    const isSame = onLaptop.eventId === edit.eventId && onPhone.eventId === edit.eventId;
    check(isSame && isDeepStrictEqual(onLaptop.payload, SECOND), 'both devices have the edit');
    check(held().length === 1 && held()[0].id === edit.eventId, 'the relay holds the edit and nothing else');
    check((await phone.call('status')).outboxDepth === 0, "the phone's outbox is empty");
    await Promise.all([laptop.stop(), phone.stop()]);
  } finally {
    await Promise.all([home.close(), mobile.close()]);
  }
}

// The devices are interrupted by the same Ctrl-C.
process.once('SIGINT', () => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.exit(130);
});

try {
  await story();
  say(`\nEvery step held (${((performance.now() - startedAt) / 1_000).toFixed(1)} s).`);
} catch (error) {
  say(`  ✗ ${error.message}`);
  say('\nA step did not hold.');
  process.exitCode = 1;
} finally {
  for (const device of devices) device.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
