/** One question for heads, to one relay: checks every event that comes, and saves what the relay has. */

import type { Address, EventId, RelayUrl, Seconds } from '../../protocol/address.ts';
import {
  checkEvent,
  type EventFault,
  type EventVerifier,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import type { categoryRequests } from '../../protocol/message.ts';
import { MAX_RIVALS } from '../../protocol/limits.ts';
import { compareEvents, type Place } from '../../protocol/order.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd, RequestHandlers } from '../../relay/requests.ts';
import { isOverlooked } from '../heads/conflict.ts';
import { isRival } from '../heads/frontier.ts';
import { placeOf } from '../heads/kept.ts';
import { taken } from '../heads/own-write.ts';
import type { Known } from '../heads/plan.ts';
import { deliveryOf } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import { createNewest } from './newest.ts';
import { createTally } from './tally.ts';

type CategoryRequest = ReturnType<typeof categoryRequests>[number];

/** One question, however it is put. */
export interface Exchange {
  readonly handlers: Pick<RequestHandlers, 'onEvent'>;
  /** The question goes out (again). */
  begin(): void;
  /** The relay has this head: that counts as if it had shown it. */
  has(dTag: Address, head: Place & { readonly id: EventId }): void;
  /** The answer is complete, but for what is `unknown`. Resolves when what the relay showed, or lacks, is in the replica. */
  complete(unknown?: ReadonlySet<Address>): Promise<void>;
  /** What comes from now on is live, and nothing is known of what the relay has. */
  live(): void;
}

export interface Exchanges {
  open(relay: RelayConnection, dTags: readonly Address[]): Exchange;
  /** By a REQ, until the EOSE; resolves when what the relay showed, or lacks, is in the replica. */
  ask(relay: RelayConnection, request: CategoryRequest): Promise<RequestEnd>;
}

export interface ExchangePorts {
  readonly pubkey: string;
  readonly verifier: EventVerifier;
  readonly replica: Replica;
  /** See `Known`. */
  readonly keepingOf?: Known['keepingOf'];
  /** All that are configured, by URL. */
  readonly relays: () => readonly RelayUrl[];
  /** What a relay has of a category, by its own word just now: the id, or nothing. */
  readonly onShown: (relay: RelayUrl, dTag: Address, id: EventId | undefined) => void;
  /** A relay shows what does not count. */
  readonly onVoid: (relay: RelayConnection, id: EventId) => void;
  /** A relay lacks a head that it had confirmed. */
  readonly onLoss: (relay: RelayUrl) => void;
}

export function createExchanges(ports: ExchangePorts): Exchanges {
  const { replica, pubkey, verifier } = ports;
  const newest = createNewest(replica);
  /** Older events that say something all the same, while they are saved. */
  const overlooked = new Set<EventId>();

  /**
   * Of an event below the head, whether the head has not seen it, or it tells a blind write of what that beats, or of a reset, or that a
   * relay has it.
   */
  function isOfUse(dTag: Address, event: NostrEvent): boolean {
    const record = replica.get(dTag);
    if (isOverlooked(record, event) || newest.isNewReset(dTag, event)) return true;
    if (record !== undefined && taken(record, event) !== record) return true;
    // If there is no room for it beside the rivals, it is looked at again once some of these are settled.
    const last = record?.rivals[MAX_RIVALS - 1];
    const hasRoom = last === undefined || compareEvents(event, placeOf(last)) > 0;
    return hasRoom && isRival(record, event, newest.of(dTag), ports.keepingOf?.(dTag));
  }

  function open(relay: RelayConnection, dTags: readonly Address[]): Exchange {
    const asked = new Set(dTags);
    const isAsked = (dTag: string): dTag is Address => (asked as ReadonlySet<string>).has(dTag);
    const tally = createTally(relay.url, asked, ports);
    /** Ids of heads of whose stamp it has sent another event, live. */
    const doubted = new Set<EventId>();
    const save = (dTag: Address, event: VerifiedEvent): Promise<unknown> =>
      replica.apply(dTag, { type: 'shown', relay: relay.url, relays: ports.relays(), event });

    /** Live, nothing else tells of a relay that keeps the last of two tied events, against NIP-01: once a head is enough. */
    function doubt(dTag: Address, stamp: Seconds): void {
      const head = newest.of(dTag)!;
      if (!tally.isLive() || stamp !== head.created_at || doubted.has(head.id)) return;
      doubted.add(head.id);
      void replica.apply(dTag, { type: 'doubted', relay: relay.url, id: head.id });
    }

    /** An unverified claim moves no head. All that it leaves is what the relay has shown instead of the head. */
    function below(dTag: Address, claim: NostrEvent): EventFault | 'useless' {
      tally.cameBelow(dTag, claim.created_at);
      doubt(dTag, claim.created_at);
      if (overlooked.has(claim.id) || !isOfUse(dTag, claim)) return 'useless';
      const check = checkEvent(claim, { pubkey, isAsked, known: () => undefined, verifier });
      if (check.type === 'rejected') return check.fault;
      if (check.type !== 'new') return 'useless';
      overlooked.add(claim.id);
      void save(dTag, check.event).then(() => overlooked.delete(claim.id));
      return 'useless';
    }

    function onEvent(value: unknown): EventFault | 'useful' | 'useless' {
      const check = checkEvent(value, {
        ...{ pubkey, isAsked, verifier },
        known: newest.of,
        isVoid: newest.isVoided,
      });
      if (check.type === 'rejected') return check.fault;
      const { dTag, event } = check;
      tally.came(dTag, event.id);
      if (check.type === 'void') {
        ports.onVoid(relay, event.id);
        return 'useless';
      }
      if (check.type === 'old') return below(dTag, event);
      if (tally.isNewest(dTag, event.id)) return 'useless';
      const isNews = check.type === 'new' || !tally.isConfirmed(dTag, event.id);
      if (check.type === 'new') newest.coming(dTag, check.event);
      const saving = save(dTag, check.event);
      void saving.then(() => newest.saved(check.event));
      tally.cameNewest(dTag, event.id, saving);
      return isNews ? 'useful' : 'useless';
    }

    function has(dTag: Address, { id, created_at: stamp }: Place & { readonly id: EventId }): void {
      tally.came(dTag, id);
      const record = replica.peek(dTag);
      const isConfirmed =
        record?.head?.event.id === id &&
        deliveryOf(record, relay.url) === 'confirmed' &&
        !newest.isComing(dTag);
      if (isConfirmed) return tally.cameNewest(dTag, id, Promise.resolve());
      const head = newest.of(dTag);
      // Another has taken its place since the question.
      if (head?.id !== id) return tally.cameBelow(dTag, stamp);
      tally.cameNewest(dTag, id, save(dTag, head));
    }

    return {
      handlers: { onEvent },
      ...{ has, begin: tally.begin, complete: tally.complete, live: tally.live },
    };
  }

  return {
    open,
    ask: (relay, request) => {
      const { handlers, begin: onSent, complete } = open(relay, request.dTags);
      return new Promise((resolve) => {
        relay.request(request.filters, request.dTags.length, { ...handlers, onSent }, (end) => {
          if (end !== 'complete') resolve(end);
          else void complete().then(() => resolve(end));
        });
      });
    },
  };
}
