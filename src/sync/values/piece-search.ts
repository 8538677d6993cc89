/** Looks for pieces on the relays, and takes those that are what their names say. */

import type { Clock } from '../../clock.ts';
import type { Primitives } from '../../crypto/primitives.ts';
import type { Address, Ms, RelayUrl } from '../../protocol/address.ts';
import { openPiece, pieceDTag, type Manifest } from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import { SETTLE_MS } from '../../protocol/limits.ts';
import type { Network } from '../relays/network.ts';
import type { Replica } from '../heads/replica.ts';

/** Whether the event is this piece; its bytes then go `into` the others. */
export async function takePiece(
  piece: VerifiedEvent | undefined,
  name: string,
  manifest: Manifest,
  into: Map<string, Uint8Array>,
  ports: { readonly compression: Compression; readonly primitives: Primitives },
): Promise<boolean> {
  if (piece === undefined || isTombstone(piece)) return false;
  try {
    into.set(name, await openPiece(piece.content, name, manifest, ports));
    return true;
  } catch {
    return false;
  }
}

/** One relay after the other, the likeliest first; one that takes its time gets company. */
export async function searchRelays(
  ports: { readonly clock: Clock; readonly replica: Replica; readonly network: () => Network },
  dTag: Address,
  wanted: {
    /** The names that are still missing. */
    readonly missing: () => readonly string[];
    /** Asks no other relay. */
    readonly isOver: () => boolean;
    readonly offer: (name: string, piece: VerifiedEvent) => Promise<void>;
    /** By relay, which pieces it lacks. */
    readonly lacking: Map<RelayUrl, Set<string>>;
  },
): Promise<void> {
  const { missing, isOver, offer, lacking } = wanted;
  const network = ports.network();
  const deliveries = ports.replica.get(dTag)?.deliveries;
  const rank = (url: RelayUrl, latencyMs: Ms | null): number =>
    (deliveries?.get(url) === 'confirmed' ? 0 : 1e9) + (latencyMs ?? 1e6);
  const relays = network
    .relays()
    .filter(({ connected }) => connected)
    .sort((a, b) => rank(a.url, a.latencyMs) - rank(b.url, b.latencyMs));
  const asked: Promise<void>[] = [];
  for (const { url } of relays) {
    const names = missing();
    if (names.length === 0 || isOver()) return;
    const asking = (async () => {
      const { isComplete, events } = await network.collect(
        url,
        names.map((name) => pieceDTag(dTag, name)),
      );
      const lacks = new Set<string>();
      for (const name of names) {
        const piece = events.get(pieceDTag(dTag, name));
        if (piece === undefined) lacks.add(name);
        else await offer(name, piece);
      }
      if (isComplete) lacking.set(url, lacks);
    })();
    asking.catch(() => undefined);
    asked.push(asking);
    await new Promise<void>((resolve) => {
      const cancel = ports.clock.after(SETTLE_MS, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      asking.then(done, done);
    });
  }
  for (const asking of asked) {
    if (missing().length === 0) return;
    await asking;
  }
}
