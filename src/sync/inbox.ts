/** Relays → replica: asks for heads, checks every event that comes, and notes which relay has what. */

import {
  checkEvent,
  isExpired,
  type EventFault,
  type EventVerifier,
  type VerifiedEvent,
} from '../protocol/event.ts';
import {
  EVENT_OVERHEAD_CHARS,
  MAX_PIECES_PER_REQ,
  MAX_RECENT_CHARS,
  MAX_REQS_AT_ONCE,
} from '../protocol/limits.ts';
import { categoryRequests } from '../protocol/message.ts';
import { compareEvents } from '../protocol/order.ts';
import type { RelayConnection, RequestEnd, RequestHandlers } from '../relay/connection.ts';
import type { Clock } from '../clock.ts';
import { createRecent } from './recent.ts';
import { deliveryOf } from './record.ts';
import type { Replica } from './replica.ts';

/** What one relay has of some pieces. */
export interface Collected {
  /** Whether it answered completely: then what is absent is not there. */
  readonly isComplete: boolean;
  /** By d-tag: genuine events, pieces or tombstones of these. */
  readonly events: ReadonlyMap<string, VerifiedEvent>;
}

export interface Inbox {
  /** Asks one relay for the heads of some categories; resolves when what it showed, or lacks, is in the replica. */
  ask(relay: RelayConnection, dTags: readonly string[]): Promise<RequestEnd>;
  /** Asks one relay for pieces, by their d-tags. */
  collect(relay: RelayConnection, dTags: readonly string[]): Promise<Collected>;
  /** Keeps a live subscription for these categories on a relay until the returned function is called. */
  watch(relay: RelayConnection, dTags: readonly string[]): () => void;
}

/** One REQ from its sending to its EOSE. */
interface Exchange {
  readonly handlers: RequestHandlers;
  /** After EOSE: resolves when the replica holds all of it. */
  complete(): Promise<void>;
}

export function createInbox(ports: {
  readonly clock: Clock;
  readonly pubkey: string;
  readonly verifier: EventVerifier;
  readonly replica: Replica;
  /** All that are configured, by URL. */
  readonly relays: () => readonly string[];
  /** What a relay has of a category, by its own word just now: the id, or nothing. */
  readonly onShown: (relay: string, dTag: string, id: string | undefined) => void;
}): Inbox {
  const { replica, pubkey, verifier } = ports;
  /** Lately verified, so that the copies of other relays cost no signature; the oldest goes first. */
  const recent = createRecent<VerifiedEvent>(
    MAX_RECENT_CHARS,
    (event) => event.content.length + EVENT_OVERHEAD_CHARS,
  );

  function exchange(relay: RelayConnection, dTags: readonly string[]): Exchange {
    const asked = new Set(dTags);
    const isHead = (id: string, dTag: string): boolean => replica.get(dTag)?.event?.id === id;
    /** By d-tag, the newest id that the relay showed on this REQ. */
    let shown = new Map<string, string>();
    /** d-tags that it showed anything for. */
    let came = new Set<string>();
    /** What EOSE waits for; `undefined` once it has come, and events are live. */
    let applied: Promise<unknown>[] | undefined;
    /** Heads that the relay should have had when it was asked. */
    let expected = new Map<string, string>();

    function onEvent(value: unknown): EventFault | 'useful' | 'useless' {
      const check = checkEvent(value, {
        pubkey,
        isAsked: (dTag) => asked.has(dTag),
        isVerified: (id, dTag) => recent.get(id) !== undefined || isHead(id, dTag),
        verifier,
      });
      if (check.type === 'rejected') return check.fault;
      const { dTag } = check;
      came.add(dTag);
      ports.onShown(relay.url, dTag, check.type === 'new' ? check.event.id : check.id);
      const record = replica.get(dTag);
      const head = record?.event;
      if (check.type === 'new') recent.set(check.event.id, check.event);
      // A known id: our own copy stands for it, since this one's signature was not looked at.
      const event = check.type === 'new' ? check.event : head?.id === check.id ? head : recent.get(check.id)!;
      const order = head === undefined ? 1 : compareEvents(event, head);
      const isRepeated = shown.get(dTag) === event.id;
      if (order >= 0) shown.set(dTag, event.id);
      if (check.type === 'known' && (order < 0 || isRepeated)) return 'useless';
      const done = replica.apply(dTag, { type: 'shown', relay: relay.url, event, relays: ports.relays() });
      applied?.push(done);
      return order > 0 || deliveryOf(record!, relay.url) !== 'confirmed' ? 'useful' : 'useless';
    }

    return {
      handlers: {
        onEvent,
        onSent: () => {
          shown = new Map();
          came = new Set();
          applied = [];
          expected = new Map();
          const now = Math.floor(ports.clock.now() / 1000);
          for (const dTag of asked) {
            const record = replica.get(dTag);
            const event = record?.event;
            if (event === undefined || isExpired(event, now) || deliveryOf(record!, relay.url) === 'pending')
              continue;
            expected.set(dTag, event.id);
          }
        },
      },
      complete: async () => {
        const [all, due] = [applied ?? [], expected];
        if (applied !== undefined)
          for (const dTag of asked) if (!came.has(dTag)) ports.onShown(relay.url, dTag, undefined);
        applied = undefined;
        expected = new Map();
        await Promise.all(all);
        const missing = [...due].filter(([dTag, id]) => shown.get(dTag) !== id && isHead(id, dTag));
        await Promise.all(
          missing.map(([dTag, id]) => replica.apply(dTag, { type: 'lacking', relay: relay.url, id })),
        );
      },
    };
  }

  function askOnce(
    relay: RelayConnection,
    request: ReturnType<typeof categoryRequests>[number],
  ): Promise<RequestEnd> {
    const { handlers, complete } = exchange(relay, request.dTags);
    return new Promise((resolve) => {
      relay.request(request.filters, request.dTags.length, handlers, (end) => {
        if (end !== 'complete') resolve(end);
        else void complete().then(() => resolve(end));
      });
    });
  }

  function collectOnce(
    relay: RelayConnection,
    dTags: readonly string[],
    onPiece: (dTag: string, event: VerifiedEvent) => void,
  ): Promise<RequestEnd> {
    const asked = new Set(dTags);
    const isAsked = (dTag: string): boolean => asked.has(dTag);
    const onEvent = (value: unknown): EventFault | 'useful' | 'useless' => {
      const check = checkEvent(value, { pubkey, isAsked, isVerified: () => false, verifier });
      if (check.type === 'rejected') return check.fault;
      if (check.type === 'new') onPiece(check.dTag, check.event);
      return 'useless';
    };
    const [request] = categoryRequests(pubkey, dTags);
    return new Promise((resolve) => {
      relay.request(request!.filters, dTags.length, { onEvent }, resolve);
    });
  }

  return {
    ask: async (relay, dTags) => {
      const requests = categoryRequests(pubkey, dTags);
      for (let next = 0; next < requests.length; next += MAX_REQS_AT_ONCE) {
        const some = requests.slice(next, next + MAX_REQS_AT_ONCE);
        const ends = await Promise.all(some.map((request) => askOnce(relay, request)));
        const bad = ends.find((end) => end !== 'complete');
        if (bad !== undefined) return bad;
      }
      return 'complete';
    },
    collect: async (relay, dTags) => {
      const events = new Map<string, VerifiedEvent>();
      const starts = Array.from(
        { length: Math.ceil(dTags.length / MAX_PIECES_PER_REQ) },
        (_, i) => i * MAX_PIECES_PER_REQ,
      );
      const ends = await Promise.all(
        starts.map((start) =>
          collectOnce(relay, dTags.slice(start, start + MAX_PIECES_PER_REQ), (dTag, event) => {
            const known = events.get(dTag);
            if (known === undefined || compareEvents(event, known) > 0) events.set(dTag, event);
          }),
        ),
      );
      return { isComplete: ends.every((end) => end === 'complete'), events };
    },
    watch: (relay, dTags) => {
      const stops = categoryRequests(pubkey, dTags).map((request) => {
        const { handlers, complete } = exchange(relay, request.dTags);
        return relay.subscribe(request.filters, request.dTags.length, handlers, () => void complete());
      });
      return () => stops.forEach((stop) => stop());
    },
  };
}
