#!/usr/bin/env node
/**
 * What a strfry for the users of one app takes: kinds 30078 and 5, and the messages of pairing, at a bounded rate. A line of JSON in, a line
 * out: strfry's docs/plugins.md. It is told who has said who they are (`authed`) of protected events alone (NIP-70), which these are
 * not: that nobody writes for another is shown by the signature, and an address is bounded as an author is.
 */

import { createInterface } from 'node:readline';

const KIND_APP_DATA = 30_078;
const KIND_DELETION = 5;
/** Ephemeral, of keys that are made for one session. */
const KIND_PAIRING = 24_134;
const WRITES_PER_MINUTE = 120;
/** A value of 400 KB is some 15 events. */
const BURST = 240;
/** Behind one address may be a family, or an office. */
const AUTHORS_PER_ADDRESS = 10;
/** How many authors and addresses are remembered. One that was forgotten may write a burst again. */
const MAX_WRITERS = 100_000;

/** By author or address, how much of its burst is left, from 0 to 1, and since when (ms). */
const buckets = new Map();

/** `authors`: how many it may be. */
function isTooFast(writer, authors, now) {
  const { left, at } = buckets.get(writer) ?? { left: 1, at: now };
  const refilled = Math.min(1, left + ((now - at) / 60_000) * (WRITES_PER_MINUTE / BURST));
  const cost = 1 / (BURST * authors);
  buckets.delete(writer);
  buckets.set(writer, { left: Math.max(0, refilled - cost), at: now });
  if (buckets.size > MAX_WRITERS) buckets.delete(buckets.keys().next().value);
  return refilled < cost;
}

/** Why an event is refused; `undefined`: it is taken. */
function refusal({ event, sourceType, sourceInfo }) {
  // From a relay that this one is replicated with: it was asked there.
  if (!sourceType.startsWith('IP')) return undefined;
  if (![KIND_APP_DATA, KIND_DELETION, KIND_PAIRING].includes(event.kind))
    return `blocked: kind ${event.kind} is not for this relay`;
  const now = Date.now();
  const isFast = [
    isTooFast(event.pubkey, 1, now),
    isTooFast(`${sourceType} ${sourceInfo}`, AUTHORS_PER_ADDRESS, now),
  ].includes(true);
  return isFast ? 'rate-limited: slow down' : undefined;
}

for await (const line of createInterface({ input: process.stdin })) {
  const input = JSON.parse(line);
  const msg = refusal(input);
  const answer = msg === undefined ? { action: 'accept' } : { action: 'reject', msg };
  process.stdout.write(`${JSON.stringify({ id: input.event.id, ...answer })}\n`);
}
