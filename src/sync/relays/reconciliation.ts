/**
 * What a relay has of some heads, by reconciliation (NIP-77) instead of a REQ: it costs what is different, not what there is. Ids are
 * claims: what a relay has and this device lacks is asked for, and checked as any event. If it does not come, the question is asked by a
 * REQ.
 */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import { parseEvent } from '../../protocol/event.ts';
import { dTagOf } from '../../protocol/header.ts';
import { KIND_APP_DATA, MAX_D_TAGS_PER_FILTER, MAX_NEG_STRANGERS } from '../../protocol/limits.ts';
import { categoryRequests, idRequests, nothingOf, type Filter } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd, RequestHandlers } from '../../relay/requests.ts';
import { deliveryOf, isTaken } from '../heads/record.ts';
import { request } from './collect.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import {
  planFor,
  type Heads,
  type How,
  type Plan,
  type Stranger,
  type Surroundings,
} from './reconciliation-plan.ts';

export interface Reconciliations {
  /** Whether the relay will be asked like this, as far as is known: by the names of these categories, or, `wide`, for all of this key. */
  wayFor(relay: RelayConnection, dTags: readonly Address[]): 'named' | 'wide' | undefined;
  /** The relay was asked by a REQ: finds out whether it need be, unless that is known. */
  learn(relay: RelayConnection, dTags: readonly Address[], how?: How): void;
  /** What the relay has of these categories. Resolves when that is in the replica; `undefined`: it must be asked by a REQ. */
  ask(
    relay: RelayConnection,
    dTags: readonly Address[],
    how: How,
  ): Promise<Exclude<RequestEnd, 'unreached'> | undefined>;
}

export function createReconciliations({
  pubkey,
  replica,
  exchanges,
}: {
  readonly pubkey: string;
  readonly replica: Heads;
  readonly exchanges: Exchanges;
}): Reconciliations {
  const byRelay = new Map<RelayUrl, Surroundings>();
  const nothing = nothingOf(pubkey);

  function surroundingsOf(relay: RelayUrl): Surroundings {
    const known = byRelay.get(relay) ?? { strangers: new Map(), isNarrow: false };
    byRelay.set(relay, known);
    return known;
  }

  const planOf = (relay: RelayUrl, dTags: readonly Address[], how: How): Plan | undefined =>
    planFor({ pubkey, replica }, relay, surroundingsOf(relay), dTags, how);

  /** Of an event that was asked for by its id. */
  function onEvent(
    value: unknown,
    { exchange, asked, need, served, strangers }: Fetching,
  ): ReturnType<RequestHandlers['onEvent']> {
    const event = parseEvent(value);
    const isNeeded = event !== undefined && need.has(event.id);
    const dTag = event && dTagOf(event);
    const isOfUser = event?.pubkey === pubkey && event.kind === KIND_APP_DATA;
    if (isNeeded && isOfUser && strangers !== undefined && !(asked as ReadonlySet<unknown>).has(dTag)) {
      strangers.set(event.id, { id: event.id, created_at: event.created_at, dTag });
      served.add(event.id);
      return 'useful';
    }
    const verdict = exchange.handlers.onEvent(value);
    if (isNeeded && (verdict === 'useful' || verdict === 'useless')) served.add(event.id);
    return verdict;
  }

  async function fetch(relay: RelayConnection, fetching: Fetching): Promise<boolean> {
    for (const { ids, filters } of idRequests(pubkey, [...fetching.need])) {
      const end = await request(relay, filters, ids.length, (value) => onEvent(value, fetching));
      if (end !== 'complete') return false;
    }
    const isServed = fetching.served.size === fetching.need.size;
    if (!isServed) relay.reconciler!.judge(false);
    return isServed;
  }

  /**
   * What the relay is said to lack although it has said that it has it: by a REQ. It may be that it was wiped; or that it reconciles a part
   * of what it has, and everything would be sent to it again and again.
   */
  async function askAgain(relay: RelayConnection, dTags: readonly Address[]): Promise<boolean> {
    for (const request of categoryRequests(pubkey, dTags))
      if ((await exchanges.ask(relay, request)) !== 'complete') return false;
    const isThere = (dTag: Address): boolean => {
      const record = replica.peek(dTag);
      return record !== undefined && isTaken(deliveryOf(record, relay.url));
    };
    relay.reconciler!.judge(!dTags.some(isThere));
    return true;
  }

  async function reconcile(relay: RelayConnection, dTags: readonly Address[], plan: Plan): Promise<boolean> {
    const asked = new Set(dTags);
    const exchange = exchanges.open(relay, dTags);
    exchange.begin();
    const set = [...plan.heads, ...plan.strangers.values()];
    const difference = await relay.reconciler!.reconcile(plan.filter, set);
    if (difference === undefined) return false;
    const { have, need } = difference;
    const around = surroundingsOf(relay.url);
    for (const id of have) around.strangers.delete(id);
    const isWide = plan.filter['#d'] === undefined;
    if (need.size > 2 * asked.size + MAX_D_TAGS_PER_FILTER || around.strangers.size > MAX_NEG_STRANGERS) {
      if (isWide) around.isNarrow = true;
      else relay.reconciler!.judge(false);
      return false;
    }
    const strangers = isWide ? around.strangers : undefined;
    if (!(await fetch(relay, { exchange, asked, need, served: new Set(), strangers }))) return false;
    const lost = new Map<Address, EventId>();
    for (const head of plan.heads) {
      if (!asked.has(head.dTag)) continue;
      if (!have.has(head.id)) exchange.has(head.dTag, head);
      else if (head.isTaken) lost.set(head.dTag, head.id);
    }
    await exchange.complete(new Set(lost.keys()));
    // What the relay has in its place may have come meanwhile.
    const isStill = (dTag: Address): boolean => replica.peek(dTag)?.head?.event.id === lost.get(dTag);
    return askAgain(relay, [...lost.keys()].filter(isStill));
  }

  return {
    wayFor: (relay, dTags) => {
      const plan = relay.reconciler?.isKnown() === true ? planOf(relay.url, dTags, 'wide') : undefined;
      return plan && (plan.filter['#d'] === undefined ? 'wide' : 'named');
    },
    learn: (relay, dTags, how = 'wide') => {
      if (planOf(relay.url, dTags, how) !== undefined) relay.reconciler?.probe(nothing);
    },
    ask: async (relay, dTags, how) => {
      if (relay.reconciler?.isKnown() !== true || planOf(relay.url, dTags, how) === undefined)
        return undefined;
      if (!(await isReady(relay, nothing))) return undefined;
      // What is here may have changed while the relay was not yet ready.
      const plan = planOf(relay.url, dTags, how);
      if (plan === undefined || (how === 'wide' && plan.filter['#d'] !== undefined)) return undefined;
      if (await reconcile(relay, dTags, plan)) return 'complete';
      return relay.info().connected ? undefined : 'incomplete';
    },
  };
}

/** A connection that is being made is waited for, and so is AUTH. */
async function isReady(relay: RelayConnection, nothing: Filter): Promise<boolean> {
  if (relay.info().state !== 'connecting') return true;
  return (await request(relay, [nothing], 0, () => 'useless')) === 'complete';
}

/** What is asked for by ids. */
interface Fetching {
  readonly exchange: Exchange;
  readonly asked: ReadonlySet<Address>;
  readonly need: ReadonlySet<string>;
  /** Those that came. */
  readonly served: Set<string>;
  /** Where events go that were not asked for, if they may come. */
  readonly strangers: Map<string, Stranger> | undefined;
}
