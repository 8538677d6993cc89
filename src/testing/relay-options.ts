/** What an embedded relay can be told: its flavour, its limits, and the faults it commits on request. */

import type { Clock } from '../clock.ts';
import type { EventVerifier, SignedEvent } from '../protocol/event.ts';

/** Which of two events with one address and one `created_at` stays. NIP-01 says the lowest id; not all relays do. */
export type TieRule = 'lowest-id' | 'first' | 'last';

/** The relay software whose answers are imitated. */
export type RelayFlavour = 'strfry' | 'nostr-rs-relay' | 'nostream' | 'khatru' | 'chorus' | 'citrine';

/** Who must authenticate (NIP-42) for what. */
export type RelayAuth = 'none' | 'write' | 'read' | 'both';

/**
 * What a relay that wants AUTH says to a client that has not authenticated: `auth-required:`, `restricted:`, or, to a REQ,
 * EOSE without an event. The last kind takes writes.
 */
export type RelayStrangers = 'auth-required' | 'restricted' | 'silent';

/** What becomes of NIP-77: it is served, refused by a NOTICE, or passed over in silence. */
export type RelayNegentropy = 'answers' | 'notice' | 'silent';

/** A token bucket per author: `burst` writes at once, refilled by `perMinute`. */
export interface WriteRate {
  readonly burst: number;
  readonly perMinute: number;
}

/** What a relay takes at most, as its NIP-11 document says it. */
export interface RelayLimits {
  /** Bytes of UTF-8 of one event's JSON. Beyond: `invalid:`. */
  readonly maxEventBytes: number;
  /** Bytes of UTF-8 of one incoming frame. Beyond: the socket is closed without an answer. */
  readonly maxFrameBytes: number;
  /** Open subscriptions per connection. */
  readonly maxSubscriptions: number;
  /** Filters per REQ. */
  readonly maxFilters: number;
  /** Stored events served per filter, whatever its `limit` says. */
  readonly maxLimit: number;
  /** How far in the past a `created_at` may lie, in s. */
  readonly createdAtLowerLimit: number;
  /** How far in the future a `created_at` may lie, in s. */
  readonly createdAtUpperLimit: number;
  readonly writeRate: WriteRate | null;
  /**
   * REQs of one connection: a bucket of this many, refilled within a minute. One too many waits, and with it all that the client
   * sends after it, as nostr-rs-relay has it.
   */
  readonly reqsPerMinute: number | null;
}

/** The limits of a strfry as it is installed. */
export const defaultRelayLimits: RelayLimits = {
  maxEventBytes: 65_536,
  maxFrameBytes: 131_072,
  maxSubscriptions: 20,
  maxFilters: 200,
  maxLimit: 500,
  createdAtLowerLimit: 94_608_000,
  createdAtUpperLimit: 900,
  writeRate: null,
  reqsPerMinute: null,
};

/** How one relay software answers if NIP-01 leaves room or is not followed. */
export interface FlavourRules {
  readonly tie: TieRule;
  /** The OK for an event that is older than, or loses the tie against, what is stored. */
  readonly stale: { readonly accepted: boolean; readonly message: string };
  /** Whether a stale event, though not stored, goes to live subscribers. */
  readonly broadcastsStale: boolean;
  /** How a REQ beyond `maxSubscriptions` is turned down. Only `closed` names the subscription. */
  readonly surplusReq: 'closed' | 'notice' | 'notice-and-eose';
  /** How a REQ without the AUTH that it needs is turned down. */
  readonly strangersReq: 'closed' | 'notice';
  /** What stands before the word that a reason begins with, in each OK, CLOSED and NOTICE that refuses. */
  readonly refusalPrefix: '' | 'ERROR: ' | 'error: ';
  readonly negentropy: RelayNegentropy;
  readonly limits: Partial<RelayLimits>;
}

export const relayFlavours: Readonly<Record<RelayFlavour, FlavourRules>> = {
  strfry: {
    tie: 'lowest-id',
    stale: { accepted: false, message: 'replaced: have newer event' },
    broadcastsStale: false,
    surplusReq: 'notice-and-eose',
    strangersReq: 'closed',
    refusalPrefix: 'ERROR: ',
    negentropy: 'answers',
    limits: {},
  },
  'nostr-rs-relay': {
    tie: 'first',
    stale: { accepted: true, message: 'duplicate: a newer event is stored' },
    broadcastsStale: false,
    surplusReq: 'closed',
    strangersReq: 'closed',
    refusalPrefix: '',
    negentropy: 'notice',
    limits: {},
  },
  nostream: {
    tie: 'lowest-id',
    stale: { accepted: true, message: 'duplicate:' },
    broadcastsStale: false,
    surplusReq: 'notice',
    strangersReq: 'notice',
    refusalPrefix: 'error: ',
    negentropy: 'answers',
    limits: { maxSubscriptions: 10, maxFilters: 10 },
  },
  khatru: {
    tie: 'lowest-id',
    stale: { accepted: true, message: '' },
    broadcastsStale: true,
    surplusReq: 'closed',
    strangersReq: 'closed',
    refusalPrefix: '',
    negentropy: 'answers',
    limits: {},
  },
  chorus: {
    tie: 'last',
    stale: { accepted: false, message: 'error: event was replaced' },
    broadcastsStale: false,
    surplusReq: 'closed',
    strangersReq: 'closed',
    refusalPrefix: '',
    negentropy: 'notice',
    limits: {},
  },
  citrine: {
    tie: 'first',
    stale: { accepted: false, message: 'invalid: newest event already in database' },
    broadcastsStale: false,
    surplusReq: 'closed',
    strangersReq: 'closed',
    refusalPrefix: '',
    negentropy: 'silent',
    limits: {},
  },
};

/** A frame as it leaves the relay: an array becomes JSON, a string goes out as it is. */
export type OutgoingFrame = readonly unknown[] | string;

/** One client as the hooks of `RelayFaults` see it. */
export interface RelayConnection {
  /** 1 for the first connection of this relay, then counting up. */
  readonly id: number;
  /** The URL by which the client reached the relay. */
  readonly url: string;
  /** Ids of the open subscriptions. */
  subscriptions(): readonly string[];
  /** Keys that authenticated (NIP-42) on this connection. */
  pubkeys(): readonly string[];
}

/**
 * What a `receive` hook does to a frame: `ignore` it, `disconnect` instead of handling it, handle it but
 * `disconnect-unanswered`, or `disconnect-answered` once the answers are out.
 */
export type FrameAction = 'ignore' | 'disconnect' | 'disconnect-unanswered' | 'disconnect-answered';

/** Misbehaviours, all off by default and all composable. Whatever has no name here is written with `rewrite`. */
export interface RelayFaults {
  /** Turns new connections away. Those that are open stay: see `disconnectAll`. */
  readonly refuseConnections?: boolean;
  /** Half-open: the connection stays, but nothing is heard, answered or ponged. */
  readonly silent?: boolean;
  /** Holds back every outgoing frame by this many ms, keeping their order. */
  readonly delayMs?: number;
  /** Refuses every well-formed EVENT with this reason, or those for which the function returns one. */
  readonly refuse?: string | ((event: SignedEvent) => string | undefined);
  /** Checks an EVENT and answers OK true, but neither stores nor broadcasts it. */
  readonly forget?: boolean;
  /** Never sends an OK for an EVENT or AUTH. */
  readonly dropOk?: boolean;
  /** Never sends EOSE. */
  readonly noEose?: boolean;
  /** Answers every REQ from this list instead of what is stored, and sends nothing live. `[]` withholds everything. */
  readonly serve?: readonly SignedEvent[];
  /** Overrides the tie rule of the flavour. */
  readonly tie?: TieRule;
  /** Sends these frames to every connection, again and again. They do not pass `rewrite`. */
  readonly flood?: {
    readonly everyMs: number;
    /** What a connection is sent. */
    frames(connection: RelayConnection): readonly OutgoingFrame[];
  };
  /** Sees every incoming frame that is a JSON array; `undefined` lets it be handled. */
  readonly receive?: (frame: readonly unknown[], connection: RelayConnection) => FrameAction | undefined;
  /** Replaces every outgoing frame by any number of others; `[frame]` leaves it alone. */
  readonly rewrite?: (frame: readonly unknown[], connection: RelayConnection) => readonly OutgoingFrame[];
}

/** What kind of relay `createRelay` makes. */
export interface RelayOptions {
  /** Shown in the NIP-11 document. */
  readonly name?: string;
  /** Default `strfry`. */
  readonly flavour?: RelayFlavour;
  readonly limits?: Partial<RelayLimits>;
  /** Default `none`. When reading needs AUTH, kind 30078 is served to its author only (NIP-78). */
  readonly auth?: RelayAuth;
  /** Default `auth-required`. */
  readonly strangers?: RelayStrangers;
  /** Whether it reconciles sets (NIP-77). Default: as its flavour does. */
  readonly negentropy?: RelayNegentropy;
  /** Delay of each direction in ms, both transports; connecting costs one round trip. Default 0. */
  readonly latencyMs?: number;
  /** How many of the latest frames `relay.frames` keeps. Default 1,000. */
  readonly frameLogSize?: number;
  readonly clock?: Clock;
  /** Default: real hashes and signatures. */
  readonly verifier?: EventVerifier;
  /** Source of AUTH challenges. Default: the platform's. */
  readonly randomBytes?: (length: number) => Uint8Array;
}
