/**
 * A live subscription to some categories on one relay, over all its connections. At each connection the relay is asked for what it has:
 * by the subscription itself, or, if less is to be expected, by a question behind it. That one goes out once the subscription is live, so that
 * nothing falls between.
 */

import type { Address } from '../../protocol/address.ts';
import type { categoryRequests, Filter } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import type { Exchanges } from './exchange.ts';
import type { Reconciliations } from './reconciliation.ts';

/** Returns the function that ends it. */
export function watch(
  relay: RelayConnection,
  { dTags, filters }: ReturnType<typeof categoryRequests>[number],
  ports: {
    readonly exchanges: Exchanges;
    readonly reconciliations: Reconciliations;
    readonly ask: (relay: RelayConnection, dTags: readonly Address[]) => Promise<RequestEnd>;
  },
): () => void {
  const exchange = ports.exchanges.open(relay, dTags);
  /** Grows with each REQ on the wire: what was asked behind an older one has no say. */
  let generation = 0;
  /** Whether the REQ on the wire asks for nothing but what is to come. */
  let isLiveOnly = false;
  /** What came to such a REQ before its EOSE: some relays take `limit: 0` for none. */
  let early = 0;
  /** The next REQ is to ask for all. */
  let mustAsk = false;
  let stop = subscribe();

  function nextFilters(isAgain: boolean): readonly Filter[] {
    generation++;
    early = 0;
    // A relay that ends the one kind is asked by the other.
    isLiveOnly = !isAgain && !mustAsk && ports.reconciliations.isFor(relay, dTags);
    mustAsk = false;
    return isLiveOnly ? filters.map((filter) => ({ ...filter, limit: 0 })) : filters;
  }

  function askForAll(): void {
    stop();
    mustAsk = true;
    stop = subscribe();
  }

  function onComplete(): void {
    if (!isLiveOnly) {
      void exchange.complete().then(() => ports.reconciliations.learn(relay, dTags));
      return;
    }
    exchange.live();
    if (early > 1) return askForAll();
    const mine = generation;
    void ports.ask(relay, dTags).then((end) => {
      if (end !== 'complete' && mine === generation && relay.info().connected) askForAll();
    });
  }

  function subscribe(): () => void {
    return relay.subscribe(
      nextFilters,
      dTags.length,
      {
        onEvent: (value) => {
          if (isLiveOnly) early++;
          return exchange.handlers.onEvent(value);
        },
        onSent: exchange.begin,
      },
      onComplete,
    );
  }

  return () => {
    generation++;
    stop();
  };
}
