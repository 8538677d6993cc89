/** What a relay says about itself over HTTP (NIP-11), and what time it has. Hints: nothing here is relied on. */

import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';

/** Of the document, what helps to judge a relay. Texts are bounded; they may hold anything. */
export interface RelayInformation {
  readonly name: string | null;
  readonly software: string | null;
  readonly version: string | null;
  /** The numbers and flags of `limitation`, as the relay names them. */
  readonly limitation: Readonly<Record<string, number | boolean>>;
}

export interface RelayAnswer {
  /** `null`: no document. */
  readonly information: RelayInformation | null;
  /** The relay's clock minus ours in s, by the HTTP Date header; `null` if there is none. */
  readonly clockDifferenceSeconds: number | null;
}

const TIMEOUT_MS = 5_000;
const MAX_DOCUMENT_BYTES = 131_072;
const MAX_TEXT_CHARS = 80;
const MAX_LIMITATIONS = 32;

/** Never rejects: a relay that has no such document is as good as any other. */
export async function readRelayInformation(relayUrl: string, now: () => number): Promise<RelayAnswer> {
  const url = new URL(relayUrl);
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
  try {
    const sentAt = now();
    const response = await request(url);
    const answeredAt = now();
    const clockDifferenceSeconds = clockDifference(response.headers.date, sentAt, answeredAt);
    return { information: parseInformation(await readBounded(response)), clockDifferenceSeconds };
  } catch {
    return { information: null, clockDifferenceSeconds: null };
  }
}

function request(url: URL): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? httpsGet : httpGet;
  const options = {
    headers: { accept: 'application/nostr+json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    agent: false,
  };
  return new Promise((resolve, reject) => {
    get(url, options, resolve).on('error', reject);
  });
}

async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The header counts whole seconds, so that half a second either way means nothing. */
function clockDifference(header: string | undefined, sentAt: number, answeredAt: number): number | null {
  const theirs = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(theirs) ? null : Math.round((theirs + 500 - (sentAt + answeredAt) / 2) / 1_000);
}

function parseInformation(text: string): RelayInformation | null {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof document !== 'object' || document === null) return null;
  const { name, software, version, limitation } = document as Record<string, unknown>;
  return {
    name: textOf(name),
    software: textOf(software),
    version: textOf(version),
    limitation: limitationOf(limitation),
  };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_TEXT_CHARS) : null;
}

function limitationOf(value: unknown): RelayInformation['limitation'] {
  if (typeof value !== 'object' || value === null) return {};
  const known = Object.entries(value).filter(
    (entry): entry is [string, number | boolean] =>
      /^[a-z_]{1,40}$/.test(entry[0]) && ['number', 'boolean'].includes(typeof entry[1]),
  );
  return Object.fromEntries(known.slice(0, MAX_LIMITATIONS));
}
