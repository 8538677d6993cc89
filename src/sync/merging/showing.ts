/**
 * What is shown of a category whose merges wait for the app's next edit (`settle: 'on-edit'`): the head and its rivals as one value,
 * which nothing has signed yet. It lives in memory: the rivals are durable.
 */

import type { Primitives } from '../../crypto/primitives.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import type { Consumer } from '../consumers.ts';
import type { Replica } from '../heads/replica.ts';
import { takingBy } from './composing.ts';
import type { Joining } from './joining.ts';
import type { Merger } from './merger.ts';

/** A head as it is shown. */
export interface View {
  /** Of no event: the app may base its next value on it. */
  readonly id: EventId;
  readonly head: EventId;
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
  const views = new Map<Address, View>();
  /** By category, the id of what was shown last. */
  const told = new Map<Address, EventId>();

  function viewOf(dTag: Address, head: EventId): View | undefined {
    const view = views.get(dTag);
    return view?.head === head ? view : undefined;
  }

  async function show(dTag: Address): Promise<Shown> {
    const record = replica.get(dTag);
    if (record?.head === undefined) return { head: undefined, ids: new Set() };
    const taking = takingBy(record, (id) => ports.isDue(dTag, id));
    const { head, headValue, value, taken } = await ports.joining.join(dTag, record, taking);
    if (replica.get(dTag)?.head?.event.id !== head.id) return show(dTag);
    const { isEqual } = ports.mergerOf(dTag)!;
    const before = viewOf(dTag, head.id);
    const ids = taken.map(({ id }) => id);
    // The same wherever and whenever the same is shown.
    const id = ports.primitives.sha256Hex([head.id, ...ids].join()) as EventId;
    const view = { id, head: head.id, value };
    if (isEqual(value, headValue)) views.delete(dTag);
    else views.set(dTag, view);
    // An app that was locked meanwhile has it already.
    const isNews = told.get(dTag) !== id && !isEqual(value, before === undefined ? headValue : before.value);
    told.set(dTag, id);
    ports.onShown(dTag, view, isNews);
    return { head: head.id, ids: new Set(ids) };
  }

  return {
    viewOf,
    show,
    changed: ({ dTag, effects }) => {
      for (const effect of effects) {
        const view = effect.type === 'advanced' && effect.renews && viewOf(dTag, effect.renews);
        // The same write under another stamp.
        if (view) views.set(dTag, { ...view, head: effect.event.id });
      }
    },
    forget: () => views.clear(),
  };
}
