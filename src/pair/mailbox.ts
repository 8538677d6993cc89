/**
 * One key of a pairing and its sockets: what is sent from this key goes to every relay, what is sent to it is opened. The sockets are of
 * this pairing alone, and AUTH (NIP-42) is answered with this key: a relay cannot tell whose sync it is.
 */

import { createSecretKeySigner } from '../signer/secret-key.ts';
import type { Signer } from '../signer/signer.ts';
import { nowSeconds, type Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { publicKeyOf, SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from '../crypto/schnorr.ts';
import type { RelayUrl, Seconds } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import { parseEvent, type EventFault, type EventVerifier, type SignedEvent } from '../protocol/event.ts';
import {
  FAREWELL_MS,
  KIND_PAIRING,
  LATE_STAMP_SECONDS,
  MAX_PAIRING_CONTENT_CHARS,
  MAX_PAIRING_MESSAGES,
} from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { OpenSocket } from '../relay/socket.ts';
import type { Scrypt } from './code.ts';
import { openRelayLine, type RelayLine } from './relay-line.ts';
import { encodeMessage, parseMessage, type PairingMessage } from './message.ts';

/** What a platform provides for pairing. */
export interface PairingPorts {
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  /** Cryptographically secure random bytes. */
  readonly randomBytes: RandomBytes;
  readonly primitives: Primitives;
  readonly verifier: EventVerifier;
  readonly scrypt: Scrypt;
}

export interface Mailbox {
  /** Of its key, hex. */
  readonly pubkey: string;
  /** Sends a message to a public key, by every relay that is here, each as soon as it is open. Every call makes a new event. */
  send(to: string, message: PairingMessage): void;
  /** The same by one relay alone, whose answer it gives. */
  sendBy(url: RelayUrl, to: string, message: PairingMessage): Promise<Answer>;
  /** What relays last said against it, by URL. */
  reasons(): Readonly<Record<string, string>>;
  /** Leaves a relay. */
  drop(url: RelayUrl): void;
  /** Resolves once what was sent has got its answers. */
  settled(): Promise<void>;
  /** Hangs up and wipes the key. Idempotent. */
  close(): void;
}

const TOO_OLD = /too (old|early)|expired|created_at|timestamp|older/i;

export interface MailboxOptions {
  /** 32 bytes; wiped by `close`. */
  readonly key: Uint8Array;
  /** By canonical URL, as the user spelled it. */
  readonly relays: ReadonlyMap<RelayUrl, string>;
  /** What is asked of relays, given its public key. */
  readonly filter: (pubkey: string) => Filter;
  readonly ports: PairingPorts;
  /** A message whose signature was checked; `from` is a public key in hex. */
  readonly onMessage: (from: string, message: PairingMessage, url: RelayUrl) => void;
  readonly onAnswer?: (url: RelayUrl, answer: Answer) => void;
}

export function openMailbox(options: MailboxOptions): Mailbox {
  const { key, ports } = options;
  const { clock } = ports;
  const pubkey = publicKeyOf(key);
  const signer = createSecretKeySigner(ports.primitives, ports.randomBytes, key);
  const lines = new Map<RelayUrl, RelayLine>();
  /** How far stamps for a relay lie ahead of this clock: it found them too old. */
  const aheadSeconds = new Map<RelayUrl, Seconds>();
  const seen = new Set<string>();
  const open = new Set<Promise<unknown>>();
  let isClosed = false;

  for (const [url, spelling] of options.relays) {
    const line = openRelayLine(url, {
      ...{ spelling, ports, filter: options.filter(pubkey) },
      signAuth: async (template) => signer.signEvent(template).catch(() => undefined),
      onEvent: (event) => take(event, url),
    });
    lines.set(url, line);
  }

  /** Cheap checks first, the signature last. Decrypted later: the socket does not wait for it. */
  function take(value: unknown, url: RelayUrl): EventFault | 'useful' | 'useless' {
    const event = parseEvent(value);
    if (event === undefined || event.content.length > MAX_PAIRING_CONTENT_CHARS) return 'shape';
    if (event.kind !== KIND_PAIRING) return 'kind';
    if (!event.tags.some(([name, value]) => name === 'p' && value === pubkey)) return 'author';
    // The same event comes from every relay.
    if (seen.has(event.id) || seen.size >= MAX_PAIRING_MESSAGES) return 'useless';
    if (ports.verifier.hash(event) !== event.id) return 'id';
    if (!ports.verifier.verifySignature(event)) return 'signature';
    seen.add(event.id);
    void opened(signer, event).then((message) => {
      if (message !== undefined && !isClosed) options.onMessage(event.pubkey, message, url);
    });
    return 'useful';
  }

  async function sendContent(line: RelayLine, to: string, content: string): Promise<Answer> {
    const template = (ahead: Seconds): Parameters<Signer['signEvent']>[0] => ({
      kind: KIND_PAIRING,
      created_at: nowSeconds(clock) + ahead,
      tags: [['p', to]],
      content,
    });
    const ahead = aheadSeconds.get(line.url) ?? 0;
    const answer = await line.publish(() => signer.signEvent(template(ahead)));
    if (ahead > 0 || answer.type === 'clock' || !isTooOld(answer)) return answer;
    aheadSeconds.set(line.url, LATE_STAMP_SECONDS);
    return line.publish(() => signer.signEvent(template(LATE_STAMP_SECONDS)));
  }

  function sendTo(targets: readonly RelayLine[], to: string, message: PairingMessage): Promise<Answer[]> {
    const sent = encrypted(signer, to, message).then((content) =>
      Promise.all(
        targets.map(async (line) => {
          const answer = await sendContent(line, to, content);
          if (!isClosed) options.onAnswer?.(line.url, answer);
          return answer;
        }),
      ),
    );
    const settled = sent.catch(() => undefined).finally(() => open.delete(settled));
    open.add(settled);
    return sent;
  }

  return {
    pubkey,
    send: (to, message) => {
      // The key may be wiped meanwhile.
      if (!isClosed) sendTo([...lines.values()], to, message).catch(() => undefined);
    },
    sendBy: async (url, to, message) => {
      const line = lines.get(url);
      const [answer] = line === undefined ? [] : await sendTo([line], to, message);
      return answer ?? { type: 'retry', reason: 'closed' };
    },
    reasons: () =>
      Object.fromEntries(
        [...lines].flatMap(([url, line]) => {
          const trouble = line.trouble();
          return trouble === undefined ? [] : [[url, trouble]];
        }),
      ),
    drop: (url) => {
      lines.get(url)?.close();
      lines.delete(url);
    },
    settled: async () => {
      await Promise.all(open);
    },
    close: () => {
      isClosed = true;
      for (const line of lines.values()) line.close();
      signer.wipe?.();
      key.fill(0);
    },
  };
}

/** Whether a relay refuses an event since it lies too far back: it may keep ephemeral ones for a minute only, or this clock is slow. */
function isTooOld(answer: Answer): boolean {
  return 'reason' in answer && TOO_OLD.test(answer.reason);
}

function encrypted(signer: Signer, to: string, message: PairingMessage): Promise<string> {
  return signer.nip44.encrypt(to, encodeMessage(message));
}

async function opened(signer: Signer, event: SignedEvent): Promise<PairingMessage | undefined> {
  try {
    return parseMessage(await signer.nip44.decrypt(event.pubkey, event.content));
  } catch {
    return undefined;
  }
}

/** A key for one pairing, 32 bytes. */
export function newKey(randomBytes: RandomBytes): Uint8Array {
  const seed = randomBytes(SECRET_KEY_SEED_BYTES);
  const key = secretKeyFromSeed(seed);
  seed.fill(0);
  return key;
}

/** Closes a mailbox once its last messages were answered, or after a while. */
export function hangUpOnceSaid(mailbox: Mailbox, clock: Clock): void {
  const cancel = clock.after(FAREWELL_MS, mailbox.close);
  void mailbox.settled().then(() => {
    cancel();
    mailbox.close();
  });
}
