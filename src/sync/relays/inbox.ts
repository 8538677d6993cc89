/** Relays → replica: asks for heads, checks every event that comes, and notes which relay has what. */

import {
  checkEvent,
  type EventFault,
  type EventVerifier,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import { voidsOf } from '../../protocol/header.ts';
import { MAX_PIECES_PER_REQ, MAX_REQS_AT_ONCE } from '../../protocol/limits.ts';
import { categoryRequests } from '../../protocol/message.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isVoid } from '../../protocol/voids.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd, RequestHandlers } from '../../relay/requests.ts';
import { isOverlooked } from '../heads/conflict.ts';
import { deliveryOf, isHeld } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';

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
  readonly pubkey: string;
  readonly verifier: EventVerifier;
  readonly replica: Replica;
  /** All that are configured, by URL. */
  readonly relays: () => readonly string[];
  /** What a relay has of a category, by its own word just now: the id, or nothing. */
  readonly onShown: (relay: string, dTag: string, id: string | undefined) => void;
  /** A relay shows what does not count. */
  readonly onVoid: (relay: RelayConnection, id: string) => void;
  /** A relay lacks a head that it had confirmed. */
  readonly onLoss: (relay: string) => void;
}): Inbox {
  const { replica, pubkey, verifier } = ports;
  /** By d-tag, what was verified and is being saved: until it is the head, copies and older versions cost no signature either. */
  const incoming = new Map<string, VerifiedEvent>();

  /** Those of them that are saved. */
  const applied = new WeakSet<VerifiedEvent>();
  /** Categories of which an older event is being saved that says something all the same: one is enough. */
  const overlooked = new Set<string>();

  const isVoided = (dTag: string, event: NostrEvent): boolean =>
    isVoid(replica.get(dTag)?.voids ?? new Map(), event);

  function newestOf(dTag: string): VerifiedEvent | undefined {
    const record = replica.get(dTag);
    const head = record?.event;
    const next = incoming.get(dTag);
    // What a held write is to be stamped above does not become the head, and is known for as long as that is held.
    if (next !== undefined && applied.has(next) && !isHeld(record)) incoming.delete(dTag);
    else if (next !== undefined && !isVoided(dTag, next))
      return head !== undefined && compareEvents(next, head) < 0 ? head : next;
    return head;
  }

  /** Whether it voids what may yet be taken for the newest here. */
  function isNewReset(dTag: string, event: NostrEvent): boolean {
    const voids = replica.get(dTag)?.voids;
    const newest = newestOf(dTag)?.created_at ?? 0;
    return [...voidsOf(event)].some(([id, stamp]) => stamp >= newest && voids?.has(id) !== true);
  }

  function isConfirmed(relay: RelayConnection, dTag: string, id: string): boolean {
    const record = replica.get(dTag);
    return record?.event?.id === id && deliveryOf(record, relay.url) === 'confirmed';
  }

  function exchange(relay: RelayConnection, dTags: readonly string[]): Exchange {
    const asked = new Set(dTags);
    const isHead = (id: string, dTag: string): boolean => replica.get(dTag)?.event?.id === id;
    /** By d-tag, the newest id that the relay showed on this REQ. */
    let shown = new Map<string, string>();
    /** Of what it showed below the head, the stamp in s. */
    let below = new Map<string, number>();
    /** d-tags that it showed anything for. */
    let came = new Set<string>();
    /** What EOSE waits for; `undefined` once it has come, and events are live. */
    let saving: Promise<unknown>[] | undefined;
    /** Ids of heads of whose stamp it has sent another event, live. */
    const doubted = new Set<string>();
    /** Heads that the relay should have had when it was asked. */
    let expected = new Map<string, string>();

    /** Live, nothing else tells of a relay that keeps the last of two tied events, against NIP-01: once a head is enough. */
    function doubt(dTag: string, stamp: number): void {
      const head = newestOf(dTag)!;
      if (saving !== undefined || stamp !== head.created_at || doubted.has(head.id)) return;
      doubted.add(head.id);
      void replica.apply(dTag, { type: 'doubted', relay: relay.url, id: head.id });
    }

    function onEvent(value: unknown): EventFault | 'useful' | 'useless' {
      const isAsked = (dTag: string): boolean => asked.has(dTag);
      const check = checkEvent(value, { pubkey, isAsked, known: newestOf, isVoid: isVoided, verifier });
      if (check.type === 'rejected') return check.fault;
      const { dTag } = check;
      came.add(dTag);
      ports.onShown(relay.url, dTag, check.event.id);
      if (check.type === 'void') {
        ports.onVoid(relay, check.event.id);
        return 'useless';
      }
      const claim = { type: 'shown', relay: relay.url, relays: ports.relays() } as const;
      // An unverified claim moves no head. All that it leaves is what the relay has shown instead of the head.
      if (check.type === 'old') {
        below.set(dTag, check.event.created_at);
        doubt(dTag, check.event.created_at);
        // Unless it tells a blind write of what that beats, or of a reset: then it is looked at after all.
        const isOfUse = isOverlooked(replica.get(dTag), check.event) || isNewReset(dTag, check.event);
        if (!overlooked.has(dTag) && isOfUse) {
          const old = checkEvent(value, { pubkey, isAsked, known: () => undefined, verifier });
          if (old.type === 'rejected') return old.fault;
          overlooked.add(dTag);
          if (old.type === 'new')
            void replica.apply(dTag, { ...claim, event: old.event }).then(() => overlooked.delete(dTag));
        }
      }
      if (check.type === 'old' || shown.get(dTag) === check.event.id) return 'useless';
      const { event } = check;
      const isNews = check.type === 'new' || !isConfirmed(relay, dTag, event.id);
      shown.set(dTag, event.id);
      if (check.type === 'new') incoming.set(dTag, event);
      const done = replica.apply(dTag, { ...claim, event });
      void done.then(() => applied.add(event));
      saving?.push(done);
      return isNews ? 'useful' : 'useless';
    }

    return {
      handlers: {
        onEvent,
        onSent: () => {
          shown = new Map();
          below = new Map();
          came = new Set();
          saving = [];
          expected = new Map();
          for (const dTag of asked) {
            const record = replica.get(dTag);
            const event = record?.event;
            if (event !== undefined && deliveryOf(record!, relay.url) !== 'pending')
              expected.set(dTag, event.id);
          }
        },
      },
      complete: async () => {
        const [all, due] = [saving ?? [], expected];
        if (saving !== undefined)
          for (const dTag of asked) if (!came.has(dTag)) ports.onShown(relay.url, dTag, undefined);
        saving = undefined;
        expected = new Map();
        await Promise.all(all);
        const missing = [...due].filter(([dTag, id]) => shown.get(dTag) !== id && isHead(id, dTag));
        if (missing.some(([dTag, id]) => isConfirmed(relay, dTag, id))) ports.onLoss(relay.url);
        await Promise.all(
          missing.map(([dTag, id]) =>
            replica.apply(dTag, { type: 'lacking', relay: relay.url, id, instead: below.get(dTag) }),
          ),
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
    events: Map<string, VerifiedEvent>,
  ): Promise<RequestEnd> {
    const asked = new Set(dTags);
    const isAsked = (dTag: string): boolean => asked.has(dTag);
    const known = (dTag: string): VerifiedEvent | undefined => events.get(dTag);
    const onEvent = (value: unknown): EventFault | 'useful' | 'useless' => {
      const check = checkEvent(value, { pubkey, isAsked, known, verifier });
      if (check.type === 'rejected') return check.fault;
      if (check.type !== 'new') return 'useless';
      events.set(check.dTag, check.event);
      return 'useful';
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
        starts.map((start) => collectOnce(relay, dTags.slice(start, start + MAX_PIECES_PER_REQ), events)),
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
