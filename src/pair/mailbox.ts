/**
 * One key of a pairing and its sockets: what is sent from this key goes to every relay, what is sent to it is opened. The sockets are of
 * this pairing alone, and AUTH (NIP-42) is answered with this key: a relay cannot tell whose sync it is.
 */

import type { Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { publicKeyOf, SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from '../crypto/schnorr.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import { parseEvent, type EventFault, type EventVerifier } from '../protocol/event.ts';
import {
  FAREWELL_MS,
  KIND_PAIRING,
  MAX_PAIRING_CONTENT_CHARS,
  MAX_PAIRING_MESSAGES,
} from '../protocol/limits.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { OpenSocket } from '../relay/socket.ts';
import { createSecretKeySigner } from '../signer/secret-key.ts';
import type { Scrypt } from './code.ts';
import type { Heard } from './machine.ts';
import { parseMessage, type PairingMessage } from './message.ts';
import { openRelayLine } from './relay-line.ts';

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
  /** Sends a message to a public key, by every relay that is here or one of them, each as soon as it is open. Every call makes a new event. */
  send(to: string, message: PairingMessage, by?: RelayUrl): void;
  /** What relays last said against it, by URL. */
  reasons(): Readonly<Record<string, string>>;
  /** Leaves a relay. */
  drop(url: RelayUrl): void;
  /** Closes once what was sent has got its answers, or after a while. */
  hangUp(): void;
  /** Leaves every relay and wipes the key. Idempotent. */
  close(): void;
}

export interface MailboxOptions {
  /** 32 bytes; wiped by `close`. */
  readonly key: Uint8Array;
  /** By canonical URL, as the user spelled it. */
  readonly relays: ReadonlyMap<RelayUrl, string>;
  /** Whether relays are asked for what is sent to its public key, or for what is sent from it. Default `'#p'`. */
  readonly heardBy?: '#p' | 'authors';
  readonly ports: PairingPorts;
  readonly onMessage: (heard: Heard, url: RelayUrl) => void;
  readonly onAnswer?: (url: RelayUrl, answer: Answer) => void;
}

export function openMailbox(options: MailboxOptions): Mailbox {
  const { key, ports, heardBy = '#p' } = options;
  const pubkey = publicKeyOf(key);
  const signer = createSecretKeySigner(ports.primitives, ports.randomBytes, key);
  const filter = { kinds: [KIND_PAIRING], ...{ [heardBy]: [pubkey] } };
  const seen = new Set<string>();
  /** Resolves once what was sent has got its answers. */
  let answered: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  const lines = new Map(
    [...options.relays].map(([url, spelling]) => {
      const onEvent = (event: unknown): ReturnType<typeof take> => take(event, url);
      return [url, openRelayLine(url, { spelling, filter, ports, signer, onEvent })];
    }),
  );

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
    void signer.nip44
      .decrypt(event.pubkey, event.content)
      .then(parseMessage, () => undefined)
      .then((message) => {
        if (message !== undefined && !isClosed)
          options.onMessage({ type: 'message', from: event.pubkey, message }, url);
      });
    return 'useful';
  }

  function close(): void {
    isClosed = true;
    for (const line of lines.values()) line.close();
    signer.wipe?.();
    key.fill(0);
  }

  return {
    pubkey,
    send: (to, message, by) => {
      if (isClosed) return;
      const chosen = [...lines].filter(([url]) => by === undefined || by === url);
      const sent = signer.nip44.encrypt(to, JSON.stringify(message)).then((content) =>
        Promise.all(
          chosen.map(async ([url, line]) => {
            const answer = await line.publish(to, content);
            options.onAnswer?.(url, answer);
          }),
        ),
      );
      // The key may be wiped meanwhile.
      answered = Promise.allSettled([answered, sent]);
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
    hangUp: () => {
      const cancel = ports.clock.after(FAREWELL_MS, close);
      void answered.then(() => {
        cancel();
        close();
      });
    },
    close,
  };
}

/** A key for one pairing, 32 bytes. */
export function newKey(randomBytes: RandomBytes): Uint8Array {
  const seed = randomBytes(SECRET_KEY_SEED_BYTES);
  const key = secretKeyFromSeed(seed);
  seed.fill(0);
  return key;
}
