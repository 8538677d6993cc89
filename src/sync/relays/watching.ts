/**
 * A live subscription to some categories on one relay, over all its connections. At each connection the relay is asked for what it has:
 * by the subscription itself, or, if less is to be expected, by a question behind it. That one goes out once the subscription is live, so
 * that nothing falls between. Then a subscription that would name many categories names none: what is of none of them is ignored.
 */

import type { Clock } from '../../clock.ts';
import type { Address, Ms, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { EVENT_OVERHEAD_CHARS, KIND_APP_DATA, MAX_NAMES_CHARS } from '../../protocol/limits.ts';
import { categoryRequests, type Filter } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import type { Exchanges } from './exchange.ts';
import type { Reconciliations } from './reconciliation.ts';

export interface WatchPorts {
  readonly pubkey: string;
  readonly exchanges: Exchanges;
  readonly reconciliations: Reconciliations;
  readonly ask: (relay: RelayConnection, dTags: readonly Address[]) => Promise<RequestEnd>;
  /** Relays that are to be told names: they refuse a filter without, or have too much else of this key. */
  readonly named: Set<RelayUrl>;
  /** By relay and category, when the relay has shown all that it has to the REQ that is live (ms). */
  readonly shownAt: Map<RelayConnection, Map<Address, Ms>>;
  readonly clock: Clock;
}

/** Returns the function that ends it. */
export function watch(relay: RelayConnection, dTags: readonly Address[], ports: WatchPorts): () => void {
  const requests = categoryRequests(ports.pubkey, dTags);
  const wide = { dTags, filters: [{ authors: [ports.pubkey], kinds: [KIND_APP_DATA] }] };
  const nameChars = JSON.stringify(dTags).length;
  let isWide = mayBeWide();
  let isTurning = false;
  let stops = start(false);

  function mayBeWide(): boolean {
    if (nameChars <= MAX_NAMES_CHARS || ports.named.has(relay.url)) return false;
    return ports.reconciliations.wayFor(relay, dTags) === 'wide';
  }

  function start(mustAsk: boolean): (() => void)[] {
    const asks = isWide ? [wide] : requests;
    return asks.map((one) => follow(relay, one, { ...ports, isWide, mayBeWide, mustAsk, nameChars, turn }));
  }

  /** Subscribes in the other way. Later: the caller may be in the middle of sending all that is asked. */
  function turn(mustAsk: boolean): void {
    if (isTurning) return;
    isTurning = true;
    queueMicrotask(() => {
      if (!isTurning) return;
      stop();
      isWide = !mustAsk && mayBeWide();
      stops = start(mustAsk);
    });
  }

  function stop(): void {
    isTurning = false;
    for (const end of stops) end();
  }

  return stop;
}

/** One REQ of it. */
function follow(
  relay: RelayConnection,
  { dTags, filters }: { readonly dTags: readonly Address[]; readonly filters: readonly Filter[] },
  ports: WatchPorts & {
    readonly isWide: boolean;
    readonly mayBeWide: () => boolean;
    readonly mustAsk: boolean;
    /** What the names would take. */
    readonly nameChars: number;
    readonly turn: (mustAsk: boolean) => void;
  },
): () => void {
  const { clock, isWide, reconciliations } = ports;
  const exchange = ports.exchanges.open(relay, dTags);
  /** Grows with each REQ on the wire: what was asked behind an older one has no say. */
  let generation = 0;
  /** Whether the REQ on the wire asks for nothing but what is to come. */
  let isLiveOnly = false;
  /** What came to such a REQ before its EOSE: some relays take `limit: 0` for none. */
  let early = 0;
  /** Of what came without a name, and is of no use. */
  let strayChars = 0;
  /** The next REQ is to ask for all. */
  let { mustAsk } = ports;
  let stop = subscribe();

  function nextFilters(isAgain: boolean): readonly Filter[] {
    generation++;
    early = 0;
    if (isWide && isAgain) ports.named.add(relay.url);
    if (!mustAsk && ports.mayBeWide() !== isWide) {
      ports.turn(false);
      return [];
    }
    // A relay that ends the one kind is asked by the other.
    isLiveOnly = !isAgain && !mustAsk && reconciliations.wayFor(relay, dTags) !== undefined;
    mustAsk = false;
    return isLiveOnly ? filters.map((filter) => ({ ...filter, limit: 0 })) : filters;
  }

  function note(at: Ms | undefined): void {
    const shownAt = ports.shownAt.get(relay) ?? new Map<Address, Ms>();
    ports.shownAt.set(relay, shownAt);
    for (const dTag of dTags)
      if (at === undefined) shownAt.delete(dTag);
      else shownAt.set(dTag, at);
  }

  function gone(): void {
    generation++;
    note(undefined);
  }

  function askForAll(): void {
    if (isWide) return ports.turn(true);
    stop();
    mustAsk = true;
    stop = subscribe();
  }

  function onComplete(): void {
    if (!isLiveOnly) {
      const mine = generation;
      void exchange.complete().then(() => {
        reconciliations.learn(relay, dTags);
        if (mine === generation) note(clock.now());
      });
      return;
    }
    exchange.live();
    if (early > 1) return askForAll();
    const mine = generation;
    void ports.ask(relay, dTags).then((end) => {
      if (end !== 'complete' && mine === generation && relay.info().connected) askForAll();
    });
  }

  /** Of other apps, or of categories that are not watched. More of it than the names would take is not worth it. */
  function strayed({ content }: NostrEvent): void {
    strayChars += content.length + EVENT_OVERHEAD_CHARS;
    if (strayChars <= ports.nameChars) return;
    ports.named.add(relay.url);
    ports.turn(false);
  }

  function subscribe(): () => void {
    return relay.subscribe(
      nextFilters,
      dTags.length,
      {
        onEvent: (value) => {
          if (isLiveOnly) early++;
          const verdict = exchange.handlers.onEvent(value);
          if (!isWide || verdict !== 'd-tag') return verdict;
          strayed(value as NostrEvent);
          return 'useless';
        },
        onSent: exchange.begin,
        onGone: gone,
      },
      onComplete,
    );
  }

  return () => {
    generation++;
    stop();
  };
}
