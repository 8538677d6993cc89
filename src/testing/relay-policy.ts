/** What an embedded relay lets a client write and read. */

import type { Clock } from '../clock.ts';
import type { EventVerifier, SignedEvent } from '../protocol/event.ts';
import { createRateLimit, refuseEvent } from './relay-admission.ts';
import type { Client } from './relay-client.ts';
import type { RelayFilter } from './relay-filter.ts';
import type {
  FlavourRules,
  RelayAuth,
  RelayFaults,
  RelayLimits,
  RelayNegentropy,
  RelayStrangers,
} from './relay-options.ts';
import { isEphemeral, type EventStorage } from './relay-storage.ts';

/** The kind that a relay with AUTH for reading serves to its author only (NIP-78). */
const PRIVATE_KIND = 30_078;

export interface RelayRules {
  readonly clock: Clock;
  readonly verifier: EventVerifier;
  readonly flavour: FlavourRules;
  readonly limits: RelayLimits;
  readonly auth: RelayAuth;
  readonly strangers: RelayStrangers;
  readonly negentropy: RelayNegentropy;
}

export interface Verdict {
  readonly accepted: boolean;
  readonly message: string;
  /** Whether live subscribers get the event. */
  readonly live: boolean;
}

export interface RelayPolicy {
  /** Stores the event if the client may write it. */
  judge(client: Client, event: SignedEvent): Verdict;
  mayRead(client: Client, event: SignedEvent): boolean;
  /** Why a REQ is not served for lack of AUTH; `undefined` if it is. */
  refuseReq(client: Client, filters: readonly RelayFilter[]): string | undefined;
}

const refused = (message: string): Verdict => ({ accepted: false, message, live: false });

/** The reason of a refusal as the flavour says it. */
export function refusalOf({ refusalPrefix }: FlavourRules, reason: string): string {
  return refusalPrefix === '' ? reason : refusalPrefix + reason.replace(/^error: /, '');
}

export function createPolicy(
  { clock, verifier, flavour, limits, auth, strangers }: RelayRules,
  storage: EventStorage,
  faults: () => RelayFaults,
): RelayPolicy {
  const mayWriteNow = createRateLimit(limits.writeRate, clock);
  const authToRead = auth === 'read' || auth === 'both';
  const authToWrite = auth === 'write' || auth === 'both';

  const { accepted, message } = flavour.stale;
  const stale: Verdict = {
    accepted,
    message: accepted ? message : refusalOf(flavour, message),
    live: flavour.broadcastsStale,
  };

  function refuseAuthor(client: Client, event: SignedEvent): string | undefined {
    if (!authToWrite || strangers === 'silent') return undefined;
    if (client.pubkeys.size === 0) return `${strangers}: authenticate to write`;
    const isForeign = event.kind === PRIVATE_KIND && !client.pubkeys.has(event.pubkey);
    return isForeign ? 'restricted: only its author may write this kind' : undefined;
  }

  function store(event: SignedEvent, now: number): Verdict {
    switch (storage.put(event, faults().tie ?? flavour.tie, now)) {
      case 'stored':
        return { accepted: true, message: '', live: true };
      case 'duplicate':
        return { accepted: true, message: 'duplicate: already have this event', live: false };
      case 'stale':
        return stale;
      case 'deleted':
        return refused(refusalOf(flavour, 'deleted: its author asked for its deletion'));
    }
  }

  return {
    judge: (client, event) => {
      const { refuse, forget } = faults();
      const now = Math.floor(clock.now() / 1_000);
      const onRequest = typeof refuse === 'function' ? refuse(event) : refuse;
      if (onRequest !== undefined) return refused(onRequest);
      const reason =
        refuseAuthor(client, event) ??
        refuseEvent(event, { limits, verifier, now }) ??
        (mayWriteNow(event.pubkey) ? undefined : 'rate-limited: slow down');
      if (reason !== undefined) return refused(refusalOf(flavour, reason));
      if (forget === true) return { accepted: true, message: '', live: false };
      if (isEphemeral(event.kind)) return { accepted: true, message: '', live: true };
      return store(event, now);
    },
    mayRead: (client, event) =>
      !authToRead || event.kind !== PRIVATE_KIND || client.pubkeys.has(event.pubkey),
    refuseReq: (client, filters) => {
      if (!authToRead) return undefined;
      if (client.pubkeys.size === 0)
        return strangers === 'silent' ? undefined : `${strangers}: authenticate to read`;
      const isOwn = (pubkey: string): boolean => client.pubkeys.has(pubkey);
      const asksForOthers = filters.some(
        ({ kinds, authors }) => kinds?.has(PRIVATE_KIND) === true && !(authors && [...authors].every(isOwn)),
      );
      return asksForOthers ? 'restricted: this kind is served to its author only' : undefined;
    },
  };
}
