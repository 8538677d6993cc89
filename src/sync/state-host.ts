/** What a definition of a category is given of an engine, to make a handle on its value. The engine carries none of what makes one. */

import type { Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { misuse } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { CategoryOptions } from '../options.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { Keeping } from '../state/keeping.ts';
import type { State } from '../state/state.ts';
import type { Tabs } from '../tabs/tabs.ts';
import type { Emitter } from './events.ts';
import type { Inside } from './inside.ts';

/** The key of what a definition does for an engine. Registered: an app may hold two copies of the package. */
export const OPEN: unique symbol = Symbol.for('nostr-sync.category') as typeof OPEN;

export interface StateHost {
  readonly sync: NostrSync;
  readonly inside: Inside;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly primitives: Primitives;
  /** Given if other engines may have this store open. */
  readonly tabs: Tabs | undefined;
  readonly emitter: Pick<Emitter, 'emit'>;
  /** What is called before what is here is taken along to another key: edits that wait are saved. Never rejects. */
  readonly savers: Set<() => Promise<void>>;
  /** What is called before the engine is closed. */
  readonly closers: Set<() => Promise<void>>;
  /** The handles of this engine, by the name of the category. */
  readonly states: Map<string, { readonly category: unknown; readonly state: unknown }>;
  /** Given to a handle that has no store within reach: who keeps for it what `keepingOf` keeps elsewhere. */
  readonly keeping?: (name: string) => Promise<Keeping | undefined>;
  /** Says what is special about a category. Throws `TypeError` if that is said already. */
  define(name: string, options: CategoryOptions): void;
}

/** A handle as the definition makes it. Throws `TypeError` for what is no definition. */
export function openState(category: unknown, host: StateHost): State<never, unknown> {
  const { [OPEN]: open } = Object(category) as {
    readonly [OPEN]?: (host: StateHost) => State<never, unknown>;
  };
  if (typeof open !== 'function')
    throw new TypeError(misuse('category', 'what defineCategory returns', category));
  return open(host);
}
