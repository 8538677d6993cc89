/** What a relay does that the engine lives with, or an operator should know: live events, reconciliation, expiration, deletion. */

import { systemClock, type NostrEvent } from '../node.ts';
import { asAddress } from '../protocol/address.ts';
import { deletionTags } from '../protocol/header.ts';
import { KIND_APP_DATA } from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import type { Line, Trouble } from './line.ts';

/** Each is `null` if it could not be tried. */
export interface Habits {
  /** What a live subscription brings: what it asked for; all that its author writes, whatever its d-tag; or nothing. */
  readonly live: 'as asked' | 'any d-tag' | 'nothing' | null;
  /** Whether it reconciles (NIP-77): what it has; it does, and leaves out what it hands out when it is asked; or it does not. */
  readonly reconciles: 'as asked' | 'nothing' | 'not at all' | null;
  /** Whether it still hands out an event whose expiration (NIP-40) has passed. */
  readonly servesExpired: boolean | null;
  /** Whether a deletion request (NIP-09) removes events that are newer than the request. */
  readonly deletesNewer: boolean | null;
}

/** Signs a probe at the probes' own d-tag and `suffix`. */
export type SmallProbes = (options?: {
  readonly suffix?: string;
  readonly lifetimeSeconds?: number;
}) => Promise<NostrEvent>;

/** How long a live event may take, and how much later than its end an expired one is asked for. In ms. */
const LIVE_MS = 1_500;
/** Relays may count in whole seconds, and refuse what ends at once. */
const EXPIRES_IN_SECONDS = 2;

export async function tryHabits(
  line: Line,
  ports: {
    readonly author: string;
    readonly dTag: string;
    readonly write: (event: NostrEvent) => Promise<Trouble | undefined>;
    readonly small: SmallProbes;
    readonly deletion: (request: Pick<NostrEvent, 'created_at' | 'tags'>) => Promise<NostrEvent>;
  },
): Promise<Habits> {
  const { write, small, dTag } = ports;
  const addressOf = (suffix: string): Filter => ({
    authors: [ports.author],
    kinds: [KIND_APP_DATA],
    '#d': [asAddress(dTag + suffix)],
  });
  const isShown = async (event: NostrEvent, suffix: string): Promise<boolean | null> =>
    (await line.ask(addressOf(suffix)))?.some((shown) => idOf(shown) === event.id) ?? null;

  async function live(): Promise<Habits['live']> {
    const came = new Set<unknown>();
    const { stop } = await line.listen(addressOf('/live'), (event) => came.add(idOf(event)));
    const [other, asked] = [await small({ suffix: '/other' }), await small({ suffix: '/live' })];
    const troubles = [await write(other), await write(asked)];
    await pause(LIVE_MS);
    stop();
    if (troubles.some((trouble) => trouble !== undefined)) return null;
    if (!came.has(asked.id)) return 'nothing';
    return came.has(other.id) ? 'any d-tag' : 'as asked';
  }

  async function reconciles(): Promise<Habits['reconciles']> {
    const event = await small({ suffix: '/known' });
    if ((await write(event)) !== undefined || (await isShown(event, '/known')) !== true) return null;
    const said = await line.reconcile(addressOf('/known'));
    if (said === undefined) return 'not at all';
    return said.has(event.id) ? 'as asked' : 'nothing';
  }

  async function servesExpired(): Promise<boolean | null> {
    const event = await small({ suffix: '/expired', lifetimeSeconds: EXPIRES_IN_SECONDS });
    if ((await write(event)) !== undefined) return null;
    await pause(EXPIRES_IN_SECONDS * 1_000 + LIVE_MS);
    return isShown(event, '/expired');
  }

  async function deletesNewer(): Promise<boolean | null> {
    const event = await small({ suffix: '/newer' });
    if ((await write(event)) !== undefined) return null;
    const request = await ports.deletion({
      created_at: event.created_at - 1,
      tags: deletionTags({ author: ports.author, addresses: [asAddress(`${dTag}/newer`)], ids: [] }),
    });
    if ((await write(request)) !== undefined) return null;
    const shown = await isShown(event, '/newer');
    return shown === null ? null : !shown;
  }

  // One after the other, so that each answer is to one step alone.
  return {
    live: await live(),
    reconciles: await reconciles(),
    deletesNewer: await deletesNewer(),
    servesExpired: await servesExpired(),
  };
}

function idOf(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'id' in event ? event.id : undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.after(ms, resolve);
  });
}
