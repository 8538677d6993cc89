/** A device in a page: one handle, shown by React, and the parts of an edit's way one by one. */

import { createNostrSync, defineCategory, indexedDbStore, secretKeySigner } from 'nostr-sync';
import { useReadable, useSync } from 'nostr-sync/react';
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';
import { conversationKey, decrypt } from '../../dist/crypto/nip44.js';
import { noblePrimitives } from '../../dist/crypto/noble-primitives.js';
import { createEventVerifier } from '../../dist/protocol/event-verifier.js';

const now = () => performance.timeOrigin + performance.now();
const settings = defineCategory({ name: 'settings', default: { theme: 'light', size: 0 }, debounceMs: 0 });

/** When the page has shown each size, and how often each component was rendered. */
const shownAt = new Map();
const renders = { whole: 0, size: 0, theme: 0 };
let state;
let signer;
let pubkey;
let secret;

function Whole() {
  renders.whole++;
  const [{ size }] = useSync(state);
  return h('output', null, size);
}

function Part({ name }) {
  renders[name]++;
  return useReadable(state, (value) => value[name]);
}

async function start(relay, secretKey) {
  secret = Uint8Array.from(secretKey);
  signer = secretKeySigner(secret);
  pubkey = await signer.getPublicKey();
  const sync = createNostrSync({ namespace: 'bench', relays: [relay], signer });
  state = sync.state(settings);
  createRoot(document.body).render([
    h(Whole, { key: 0 }),
    h(Part, { key: 1, name: 'size' }),
    h(Part, { key: 2, name: 'theme' }),
  ]);
  new MutationObserver(() => {
    const shown = Number(document.querySelector('output')?.textContent);
    if (!shownAt.has(shown)) shownAt.set(shown, now());
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
  await state.ready;
}

/** Edits as an app does, and says when. */
function edit(size) {
  const at = now();
  void state.update({ size });
  return at;
}

function untilShown(size) {
  return new Promise((resolve) => {
    const look = () => (shownAt.has(size) ? resolve(shownAt.get(size)) : setTimeout(look, 2));
    look();
  });
}

const middle = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];

const made = [];
const text = JSON.stringify({ theme: 'light', size: 12 });

async function makeEvent(i) {
  const content = await signer.nip44.encrypt(pubkey, text);
  const tags = [['d', `bench/part-${i}/v1`]];
  return signer.signEvent({ kind: 30_078, created_at: Math.floor(Date.now() / 1_000), tags, content });
}

/** Medians of what an edit cannot do without: made on one side, kept on both, checked and opened on the other. After a pause each time, as the edits. */
async function parts(rounds, pauseMs) {
  const store = indexedDbStore('parts');
  const verifier = createEventVerifier(noblePrimitives);
  const key = conversationKey(secret, pubkey);
  const times = { made: [], saved: [], opened: [] };
  const timed = async (name, work) => {
    const from = performance.now();
    await work();
    times[name].push(performance.now() - from);
  };
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    await timed('made', async () => void made.push(await makeEvent(i)));
    await timed('saved', () => store.update([], () => new Map([['entry', JSON.stringify(made[i])]])));
    await timed('opened', () => {
      if (verifier.hash(made[i]) !== made[i].id || !verifier.verifySignature(made[i]))
        throw new Error('not an event of ours');
      decrypt(noblePrimitives, made[i].content, key);
    });
  }
  await store.close();
  return { made: middle(times.made), saved: middle(times.saved), opened: middle(times.opened) };
}

let raw;
const arrivedAt = new Map();

/** A socket without an engine, that hears what others send. */
async function connect(relay) {
  raw = new WebSocket(relay);
  await new Promise((resolve) => raw.addEventListener('open', resolve));
  const answered = new Promise((resolve) => {
    raw.addEventListener('message', ({ data }) => {
      const [type, , event] = JSON.parse(data);
      if (type === 'EVENT') arrivedAt.set(event.id, now());
      if (type === 'EOSE') resolve();
    });
  });
  raw.send(JSON.stringify(['REQ', 'parts', { authors: [pubkey], kinds: [30_078] }]));
  await answered;
}

/** Sends one of the events that `parts` has made. */
function send(i) {
  const at = now();
  raw.send(JSON.stringify(['EVENT', made[i]]));
  return { id: made[i].id, at };
}

function untilArrived(id) {
  return new Promise((resolve) => {
    const look = () => (arrivedAt.has(id) ? resolve(arrivedAt.get(id)) : setTimeout(look, 2));
    look();
  });
}

globalThis.device = { start, edit, untilShown, parts, connect, send, untilArrived, renders: () => renders };
