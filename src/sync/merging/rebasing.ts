/** What an app's whole value is upon the newest one. */

import type { Address, EventId } from '../../protocol/address.ts';
import { decodePayload } from '../../protocol/payload.ts';
import type { Composed } from '../composing.ts';
import type { BasedOn, Edit } from '../write.ts';
import type { Joined, Joining } from './joining.ts';
import type { Merger } from './merger.ts';

export interface Rebased extends ReturnType<Merger['merge']> {
  readonly isExact: boolean;
}

type Rebase = (
  dTag: Address,
  edit: Extract<Edit, { readonly type: 'whole' }>,
  joined: Joined | undefined,
  now: unknown,
) => Promise<Rebased>;

export function createRebasing(ports: {
  readonly joining: Pick<Joining, 'eventOf' | 'valueAt'>;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  /** What this process has written or shown lately, by its id. */
  readonly written: (id: EventId) => Pick<Composed, 'text' | 'isRemoval'> | undefined;
}): Rebase {
  /** A whole value is what the app has made of another: what it changed there is changed here. */
  async function rebased(
    dTag: Address,
    { payload, basedOn: named }: Extract<Edit, { readonly type: 'whole' }>,
    joined: Joined | undefined,
    now: unknown,
  ): Promise<Rebased> {
    const { merge, isEqual } = ports.mergerOf(dTag)!;
    const basedOn = savedOf(named);
    const isUpToDate = basedOn?.type === 'event' && basedOn.id === joined?.head.id;
    if (isUpToDate && isEqual(now, joined.headValue)) return { value: payload, clashes: [], isExact: true };
    const { base, isExact } = await basisAt(dTag, basedOn);
    return { ...merge({ base, bases: [], mine: now, theirs: payload, isExact }), isExact };
  }

  /** `isExact`: whether it is known what the app had. */
  async function basisAt(
    dTag: Address,
    basedOn: BasedOn,
  ): Promise<{ readonly base: unknown; readonly isExact: boolean }> {
    if (basedOn === undefined) return { base: undefined, isExact: true };
    if (basedOn.type === 'call') return { base: basedOn.call.payload, isExact: true };
    // Of those that no socket has carried nothing else is kept.
    const written = ports.written(basedOn.id);
    if (written !== undefined)
      return { base: written.isRemoval ? undefined : decodePayload(written.text), isExact: true };
    const event = await ports.joining.eventOf(dTag, basedOn.id);
    return { base: event && (await ports.joining.valueAt(dTag, event)), isExact: event !== undefined };
  }

  return rebased;
}

/** A value that was made of one which was never saved is made of what that was made of. */
function savedOf(basedOn: BasedOn): BasedOn {
  return basedOn?.type === 'call' && basedOn.call.isLost ? savedOf(basedOn.call.basedOn) : basedOn;
}
