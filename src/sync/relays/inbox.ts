/** Relays → replica: what is asked of relays, in as many questions as that takes. */

import type { Clock } from '../../clock.ts';
import type { Address, Ms, RelayUrl } from '../../protocol/address.ts';
import { LOOK_AGAIN_MS, MAX_D_TAGS_PER_FILTER, MAX_REQS_AT_ONCE } from '../../protocol/limits.ts';
import { categoryRequests } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import { deliveryOf } from '../heads/record.ts';
import { collect, type Collected } from './collect.ts';
import { createExchanges, type ExchangePorts } from './exchange.ts';
import { piecesHad, type StoredPieces } from './piece-reconciling.ts';
import { createReconciliations } from './reconciliation.ts';
import { watch } from './watching.ts';

export interface Inbox {
  /** Asks one relay for the heads of some categories; resolves when what it showed, or lacks, is in the replica. */
  ask(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd>;
  /** As `ask`, but for what the relay has shown to a subscription that lives: what is new would have come. */
  askNews(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd>;
  /** Asks one relay whether it has what is here, as is expected; else as `ask`. */
  readBack(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd>;
  /** Asks one relay for pieces, by their d-tags. */
  collect(relay: RelayConnection, dTags: readonly Address[]): Promise<Collected>;
  /** Which of these pieces the relay has, by their d-tags, as far as it says that without sending them. */
  piecesHad(relay: RelayConnection, pieces: StoredPieces): Promise<ReadonlySet<Address>>;
  /** Keeps a live subscription for these categories on a relay until the returned function is called. */
  watch(relay: RelayConnection, dTags: readonly Address[]): () => void;
}

export function createInbox(ports: ExchangePorts & { readonly clock: Clock }): Inbox {
  const exchanges = createExchanges(ports);
  const reconciliations = createReconciliations({ ...ports, exchanges });
  const named = new Set<RelayUrl>();
  const shownAt = new Map<RelayConnection, Map<Address, Ms>>();
  /** What is asked in one turn goes out together: a relay takes few REQs at once, and a page may open many categories. */
  const coming = new Map<
    RelayConnection,
    { readonly dTags: Set<Address>; readonly end: Promise<RequestEnd> }
  >();

  async function askNow(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd> {
    const end = await reconciliations.ask(relay, dTags, 'wide');
    if (end !== undefined) return end;
    const byParts = await askByParts(relay, dTags);
    if (byParts === 'complete') reconciliations.learn(relay, dTags);
    return byParts;
  }

  async function askByParts(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd> {
    const requests = categoryRequests(ports.pubkey, dTags);
    for (let next = 0; next < requests.length; next += MAX_REQS_AT_ONCE) {
      const some = requests.slice(next, next + MAX_REQS_AT_ONCE);
      const ends = await Promise.all(
        some.map(
          async (request) =>
            (await reconciliations.ask(relay, request.dTags, 'named')) ??
            (await exchanges.ask(relay, request)),
        ),
      );
      const bad = ends.find((one) => one !== 'complete');
      if (bad !== undefined) return bad;
    }
    return 'complete';
  }

  function ask(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd> {
    let next = coming.get(relay);
    if (next === undefined) {
      const all = new Set<Address>();
      const end = Promise.resolve().then(() => {
        coming.delete(relay);
        return askNow(relay, [...all]);
      });
      next = { dTags: all, end };
      coming.set(relay, next);
    }
    for (const dTag of dTags) next.dTags.add(dTag);
    return next.end;
  }

  /**
   * Whether a relay need not be asked. That it has nothing is always asked, and so is, now and then, all: it may have been wiped. One that
   * reconciles says both for little.
   */
  function isCurrent(relay: RelayConnection, dTag: Address): boolean {
    const record = ports.replica.peek(dTag);
    if (record?.head === undefined || deliveryOf(record, relay.url) !== 'confirmed') return false;
    const at = shownAt.get(relay)?.get(dTag);
    return at !== undefined && Math.abs(ports.clock.now() - at) < LOOK_AGAIN_MS;
  }

  async function askNews(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd> {
    const mayRest = relay.reconciler?.isMissing() === true && relay.isProven();
    const open = mayRest ? dTags.filter((dTag) => !isCurrent(relay, dTag)) : dTags;
    return open.length === 0 ? 'complete' : ask(relay, open);
  }

  async function readBack(relay: RelayConnection, dTags: readonly Address[]): Promise<RequestEnd> {
    // The names of more than a few take as much as the events would, or nearly.
    const isFew = dTags.length <= MAX_D_TAGS_PER_FILTER;
    const end = isFew ? await reconciliations.ask(relay, dTags, 'read-back') : undefined;
    if (end !== undefined) return end;
    const asked = await ask(relay, dTags);
    if (asked === 'complete' && isFew) reconciliations.learn(relay, dTags, 'read-back');
    return asked;
  }

  return {
    ask,
    askNews,
    readBack,
    collect: (relay, dTags) => collect(relay, dTags, ports),
    piecesHad: (relay, pieces) => piecesHad(relay, pieces, ports.pubkey),
    watch: (relay, dTags) =>
      watch(relay, dTags, {
        ...{ pubkey: ports.pubkey, exchanges, reconciliations },
        ask,
        named,
        shownAt,
        clock: ports.clock,
      }),
  };
}
