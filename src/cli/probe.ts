/** Tries one relay out: connects, asks, writes events of growing size, reads each back, and cleans up behind itself. */

import { systemClock, type EventTemplate, type NostrEvent, type RelayInfo, type Signer } from '../node.ts';
import { asAddress, toDTag, type Address, type RelayUrl } from '../protocol/address.ts';
import { parseEvent } from '../protocol/event.ts';
import { deletionTags, dTagOf, tagsOf } from '../protocol/header.ts';
import {
  KIND_APP_DATA,
  KIND_DELETION,
  MAX_EVENT_PLAINTEXT_BYTES,
  MAX_TEXT_BYTES,
} from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import { encryptedLength } from '../protocol/payload.ts';
import { largestValueBytes } from './largest-value.ts';
import { openLine, type Line } from './line.ts';
import { tryHabits, type Habits, type SmallProbes } from './probe-habits.ts';
import { tryPairing, type Pairing } from './probe-pairing.ts';
import { measureRate, type Rate } from './probe-rate.ts';
import { readRelayInformation, type RelayInformation } from './relay-information.ts';

export interface Refusal {
  readonly eventBytes: number;
  /** JSON bytes of the value that makes an event of this size. */
  readonly payloadBytes: number | null;
  /** What the relay or the network said. For people. */
  readonly reason: string;
}

/** What a relay was seen to do. */
export interface RelayReport {
  /** Canonical URL. */
  readonly url: string;
  readonly reachable: boolean;
  /** Why it could not be reached. */
  readonly error: string | null;
  readonly connectMs: number | null;
  /** From a question to its answer. */
  readonly latencyMs: number | null;
  /** Whether it asked for AUTH (NIP-42), and whether it accepted ours. */
  readonly auth: RelayInfo['auth'];
  /** It sent an AUTH challenge, whether or not it then asked for an answer. */
  readonly challenged: boolean;
  /** It answered a question completely. */
  readonly readable: boolean;
  /** From sending the first probe until it was read back; `null` if that failed. */
  readonly writeAndReadMs: number | null;
  /** The largest probe that was accepted and came back as it was. */
  readonly largest: Omit<Refusal, 'reason'> | null;
  /** The largest value that goes over this relay, in pieces if it must, in bytes of JSON; `null` if none does. */
  readonly largestValueBytes: number | null;
  /** The first probe that was not accepted: larger ones were not tried. */
  readonly refused: Refusal | null;
  /** What the relay said when it was asked too much: nothing was tried after that. */
  readonly limitedForNow: string | null;
  readonly rate: Rate | null;
  readonly habits: Habits | null;
  /** Whether it carries what devices say to each other when they pair; `null` if it could not be reached. */
  readonly pairing: Pairing | null;
  /** It no longer hands out the probes after a request to delete them; `null` if that could not be tried. */
  readonly deletes: boolean | null;
  /** The relay's clock minus ours. */
  readonly clockDifferenceSeconds: number | null;
  /** NIP-11: what it says about itself. */
  readonly information: RelayInformation | null;
}

export interface ProbePorts {
  readonly signer: Signer;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** In s. What cannot be deleted ends by itself (NIP-40). */
const PROBE_LIFETIME_SECONDS = 600;
/** In s. Each probe is stamped after the one before it, and the last must not lie in the future. */
const PROBES_SECONDS_AGO = 60;
/** JSON bytes of the probes' values; the last is the most that one event of ours can carry. */
const PAYLOAD_SIZES = [1_024, 12_288, MAX_TEXT_BYTES, MAX_EVENT_PLAINTEXT_BYTES];
/** One step beyond: the largest frame that a strfry takes as it is installed. */
const LARGEST_FRAME_BYTES = 131_072;

type Probe = { readonly payloadBytes: number | null; readonly event: NostrEvent };

export async function probeRelay(url: RelayUrl, ports: ProbePorts): Promise<RelayReport> {
  const line = openLine(url, ports);
  try {
    // By now `line` is connecting, so that both answers come within one timeout.
    const [connectMs, answer] = await Promise.all([
      line.connect(),
      readRelayInformation(url, systemClock.now),
    ]);
    // Before there have been so many writes that it may have had enough of them.
    const pairing = connectMs === null ? null : await tryPairing(url);
    const seen = connectMs === null ? undefined : await tryOut(line, ports);
    const info = line.info();
    return {
      url: info.url,
      reachable: connectMs !== null,
      error: connectMs === null ? (info.lastError ?? 'no answer') : null,
      connectMs,
      ...{
        latencyMs: null,
        readable: false,
        writeAndReadMs: null,
        largest: null,
        largestValueBytes: null,
        refused: null,
        limitedForNow: null,
        rate: null,
        habits: null,
        deletes: null,
      },
      pairing,
      ...seen,
      ...{ auth: line.auth(), challenged: line.isChallenged() },
      ...answer,
    };
  } finally {
    line.close();
  }
}

async function tryOut(line: Line, ports: ProbePorts): Promise<Partial<RelayReport>> {
  const author = await ports.signer.getPublicKey();
  const dTag = toDTag('nostr-sync-doctor', hex(ports.randomBytes(8)));
  const address: Filter = { authors: [author], kinds: [KIND_APP_DATA], '#d': [dTag] };
  const rate = measureRate(line);
  const askedAt = systemClock.now();
  const readable = (await line.ask(address)) !== undefined;
  // If AUTH came in between, this measured more than the way there and back.
  const first = systemClock.now() - askedAt;
  const latencyMs = readable && line.auth() === 'none' ? first : await line.roundTrip(address);

  let largest: RelayReport['largest'] = null;
  let refused: Refusal | null = null;
  let writeAndReadMs: number | null = null;
  const startedAt = Math.floor(systemClock.now() / 1_000);
  const count = PAYLOAD_SIZES.length + 1;
  const sent: NostrEvent[] = [];
  for (let i = 0; i < count && refused === null; i++) {
    const { event, payloadBytes } = await makeProbe(i, {
      dTag,
      stamp: startedAt - PROBES_SECONDS_AGO + i,
      ports,
    });
    const size = { eventBytes: byteLength(event), payloadBytes };
    const writtenAt = systemClock.now();
    sent.push(event);
    const trouble = await rate.write(event);
    // What it says now is not about the size.
    if (trouble?.type === 'rate-limited') break;
    const reason = trouble?.reason ?? (await line.missing(event));
    if (reason !== undefined) refused = { ...size, reason };
    else {
      largest = size;
      writeAndReadMs ??= systemClock.now() - writtenAt;
    }
  }
  const small = smallProbes(dTag, ports, sent);
  const deletion = async (request: Pick<NostrEvent, 'created_at' | 'tags'>): Promise<NostrEvent> =>
    ports.signer.signEvent({ kind: KIND_DELETION, content: '', ...request });
  const habits =
    largest === null ? null : await tryHabits(line, { author, dTag, write: rate.write, small, deletion });
  const measured = largest === null && rate.said() === null ? null : await rate.finish(small);
  const deletes = largest === null ? null : await cleanUp(line, author, sent, deletion);
  const largestValue = largest && largestValueBytes(largest.payloadBytes ?? MAX_EVENT_PLAINTEXT_BYTES);
  return {
    latencyMs,
    readable,
    largest,
    largestValueBytes: largestValue,
    refused,
    limitedForNow: rate.said(),
    rate: measured,
    habits,
    writeAndReadMs,
    deletes,
  };
}

/** The content is noise of the length that NIP-44 would give it: relays cannot tell them apart. */
async function makeProbe(
  index: number,
  { dTag, stamp, ports }: { readonly dTag: Address; readonly stamp: number; readonly ports: ProbePorts },
): Promise<Probe> {
  const templateOf = (content: string): EventTemplate => ({
    kind: KIND_APP_DATA,
    created_at: stamp,
    tags: tagsOf({ address: dTag, expiration: stamp + PROBE_LIFETIME_SECONDS }),
    content,
  });
  const noise = (chars: number): string =>
    Buffer.from(ports.randomBytes(Math.ceil((chars * 3) / 4)))
      .toString('base64')
      .slice(0, chars);
  const payloadBytes = PAYLOAD_SIZES[index] ?? null;
  if (payloadBytes !== null) {
    const content = noise(encryptedLength('x'.repeat(payloadBytes)));
    return { payloadBytes, event: await ports.signer.signEvent(templateOf(content)) };
  }
  const empty = await ports.signer.signEvent(templateOf(''));
  const content = noise(LARGEST_FRAME_BYTES - Buffer.byteLength(JSON.stringify(['EVENT', empty])));
  return { payloadBytes, event: await ports.signer.signEvent(templateOf(content)) };
}

/** Makes probes of a few bytes, each newer than those before it, and keeps them in `sent` to be deleted. */
function smallProbes(dTag: Address, ports: ProbePorts, sent: NostrEvent[]): SmallProbes {
  return async ({ suffix = '', lifetimeSeconds = PROBE_LIFETIME_SECONDS } = {}) => {
    const now = Math.floor(systemClock.now() / 1_000);
    const event = await ports.signer.signEvent({
      kind: KIND_APP_DATA,
      created_at: Math.max(now - PROBE_LIFETIME_SECONDS, (sent.at(-1)?.created_at ?? 0) + 1),
      tags: tagsOf({ address: asAddress(dTag + suffix), expiration: now + lifetimeSeconds }),
      content: Buffer.from(ports.randomBytes(99)).toString('base64'),
    });
    sent.push(event);
    return event;
  };
}

/** Asks the relay to delete the probes (NIP-09). Returns whether it did; `null` if it took no more writes. */
async function cleanUp(
  line: Line,
  author: string,
  sent: readonly NostrEvent[],
  deletion: Parameters<typeof tryHabits>[1]['deletion'],
): Promise<boolean | null> {
  const last = sent.at(-1)!;
  const addresses = [...new Set(sent.map((event) => asAddress(dTagOf(event)!)))];
  const filter: Filter = { authors: [author], kinds: [KIND_APP_DATA], '#d': addresses };
  const request = await deletion({
    created_at: last.created_at + 1,
    tags: deletionTags({ author, addresses, ids: sent.flatMap((event) => parseEvent(event)?.id ?? []) }),
  });
  const trouble = await line.write(request);
  if (trouble?.type === 'rate-limited') return null;
  return trouble === undefined && (await line.ask(filter))?.length === 0;
}

function byteLength(event: NostrEvent): number {
  return Buffer.byteLength(JSON.stringify(event));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
