/** Whether this process alone puts events on sockets, and which own heads no socket has carried. */

import type { Address, EventId } from '../../protocol/address.ts';

export interface Sender {
  /** No other engine has this store open. */
  readonly isAlone: boolean;
  /** Whether no other tab may have sent what is saved now: `mark` is what the store says of who leads. */
  isOnly(mark: string | undefined): boolean;
  /** Ids of own heads by d-tag. Of this process alone: after a restart it is not known. */
  readonly uncarried: ReadonlyMap<Address, EventId>;
  /** This own head was saved, and no socket has carried it. */
  saved(dTag: Address, id: EventId): void;
  /** The head of the category goes out. */
  carried(dTag: Address): void;
  /** Another tab may have sent any of them. */
  forget(): void;
  /** Whether this engine has begun to send. */
  hasLed(): boolean;
  /** The store was looked at: if another engine has taken over, that is told. */
  look(mark: string | undefined): void;
  /** From now on this engine sends, by this mark. */
  lead(mark: string | undefined): void;
  /** Another engine sends from now on: it may leave the mark as it is. */
  resign(): void;
}

export function createSender(ports: { readonly isAlone: boolean; readonly onDeposed: () => void }): Sender {
  const uncarried = new Map<Address, EventId>();
  /** What the store said of who leads when this engine began to; `null` before that. */
  let ours: string | null | undefined = null;
  return {
    isAlone: ports.isAlone,
    // If another tab leads, or none says that it does, that tab may have sent what is saved here.
    isOnly: (mark) => ports.isAlone || mark === ours,
    uncarried,
    saved: (dTag, id) => void uncarried.set(dTag, id),
    carried: (dTag) => void uncarried.delete(dTag),
    forget: () => uncarried.clear(),
    hasLed: () => ours !== null,
    look: (mark) => {
      if (ours !== null && mark !== undefined && mark !== ours) ports.onDeposed();
    },
    lead: (mark) => {
      ours = mark;
    },
    resign: () => {
      ours = null;
      uncarried.clear();
    },
  };
}
