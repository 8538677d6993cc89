/**
 * What is shown of a category whose merges wait for the app's next edit (`settle: 'on-edit'`): the head and its rivals as one value,
 * which nothing has signed yet. It lives in memory: the rivals are durable.
 */

import type { Primitives } from '../../crypto/primitives.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import type { Consumer } from '../consumers.ts';
import { textOf } from '../composing.ts';
import type { Replica } from '../heads/replica.ts';
import { takingBy } from './composing.ts';
import type { Joining } from './joining.ts';
import type { Merger } from './merger.ts';

/** What is shown in the place of a head. */
export interface View {
  /** Of no event: the app may base its next value on it. */
  readonly id: EventId;
  /** `undefined`: what is left of it is nothing. */
  readonly value: unknown;
}

/** Rivals that are shown with a head. */
export interface Shown {
  readonly head: EventId | undefined;
  readonly ids: ReadonlySet<EventId>;
}

export interface Showing extends Pick<Consumer, 'changed'> {
  /** What is shown in the place of this head; `undefined`: what it says. */
  viewOf(dTag: Address, head: EventId): View | undefined;
  /** Shows with the head what the next edit will merge. Rejects if something cannot be read now. */
  show(dTag: Address): Promise<Shown>;
  forget(): void;
}

export function createShowing(ports: {
  readonly replica: Pick<Replica, 'get'>;
  readonly joining: Joining;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  /** See `Settling`. */
  readonly isDue: (dTag: Address, id: EventId) => boolean;
  readonly primitives: Pick<Primitives, 'sha256Hex'>;
  /** `isNews`: the app has not been shown it before. */
  readonly onShown: (dTag: Address, view: View, isNews: boolean) => void;
}): Showing {
  const { replica } = ports;
  /** By category, what was shown last. An app that is locked keeps it, and is not told of it again: `digest` says that it is the same. */
  const last = new Map<
    Address,
    { readonly head: EventId; readonly digest: string; readonly view: View | undefined }
  >();

  function viewOf(dTag: Address, head: EventId): View | undefined {
    const known = last.get(dTag);
    return known?.head === head ? known.view : undefined;
  }

  async function show(dTag: Address): Promise<Shown> {
    const record = replica.get(dTag);
    if (record?.head === undefined) return { head: undefined, ids: new Set() };
    const taking = takingBy(record, (id) => ports.isDue(dTag, id));
    const { head, headValue, value, taken } = await ports.joining.join(dTag, record, taking);
    if (replica.get(dTag)?.head?.event.id !== head.id) return show(dTag);
    const { isEqual } = ports.mergerOf(dTag)!;
    const ids = taken.map(({ id }) => id);
    // The same wherever and whenever the same is shown.
    const id = ports.primitives.sha256Hex([head.id, ...ids].join()) as EventId;
    const view = { id, value };
    const isMore = !isEqual(value, headValue);
    const digest = ports.primitives.sha256Hex(textOf(value).text);
    const before = last.get(dTag);
    const isNews = before?.head === head.id ? before.digest !== digest : isMore;
    last.set(dTag, { head: head.id, digest, view: isMore ? view : undefined });
    ports.onShown(dTag, view, isNews);
    return { head: head.id, ids: new Set(ids) };
  }

  return {
    viewOf,
    show,
    changed: ({ dTag, effects }) => {
      for (const effect of effects) {
        const known = last.get(dTag);
        // The same write under another stamp.
        if (known !== undefined && effect.type === 'advanced' && effect.renews === known.head)
          last.set(dTag, { ...known, head: effect.event.id });
      }
    },
    forget: () => {
      for (const [dTag, known] of last) last.set(dTag, { ...known, view: undefined });
    },
  };
}
