#!/usr/bin/env node
/**
 * What a strfry for the users of one app takes: kinds 30078 and 5 of whoever has said who they are, at a bounded rate, and the messages of
 * pairing. A line of JSON in, a line out: strfry's docs/plugins.md.
 */

import { createInterface } from 'node:readline';

const KIND_APP_DATA = 30_078;
const KIND_DELETION = 5;
/** Ephemeral, of keys that are made for one session. */
const KIND_PAIRING = 24_134;
const WRITES_PER_MINUTE = 120;
/** A value of 400 KB is some 15 events. */
const BURST = 240;
/** How many authors are remembered. One that was forgotten may write a burst again. */
const MAX_AUTHORS = 100_000;

/** By author, how many writes are left, and since when (ms). */
const buckets = new Map();

function isTooFast(pubkey, now) {
  const { left, at } = buckets.get(pubkey) ?? { left: BURST, at: now };
  const refilled = Math.min(BURST, left + ((now - at) / 60_000) * WRITES_PER_MINUTE);
  buckets.delete(pubkey);
  buckets.set(pubkey, { left: Math.max(0, refilled - 1), at: now });
  if (buckets.size > MAX_AUTHORS) buckets.delete(buckets.keys().next().value);
  return refilled < 1;
}

/** Why an event is refused; `undefined`: it is taken. */
function refusal({ event, authed, sourceType }) {
  // From a relay that this one is replicated with: it was asked there.
  if (!sourceType.startsWith('IP')) return undefined;
  if (![KIND_APP_DATA, KIND_DELETION, KIND_PAIRING].includes(event.kind))
    return `blocked: kind ${event.kind} is not for this relay`;
  if (event.kind !== KIND_PAIRING && authed === undefined)
    return 'auth-required: only its author publishes an event here';
  if (event.kind !== KIND_PAIRING && authed !== event.pubkey)
    return 'restricted: only its author publishes an event here';
  return isTooFast(event.pubkey, Date.now()) ? 'rate-limited: slow down' : undefined;
}

for await (const line of createInterface({ input: process.stdin })) {
  const input = JSON.parse(line);
  const msg = refusal(input);
  const answer = msg === undefined ? { action: 'accept' } : { action: 'reject', msg };
  process.stdout.write(`${JSON.stringify({ id: input.event.id, ...answer })}\n`);
}
