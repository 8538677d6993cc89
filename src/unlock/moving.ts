/**
 * Values under a secret that another one has taken the place of come along: those in the store of this device, which no relay may have yet,
 * and those that relays have, whose devices may be gone for good. Each value once; of two the newer counts, as if all had had one key.
 */

import { FORMER, type FormerKeys, type Premises } from '../engine/former.ts';
import { categoryOf } from '../protocol/address.ts';
import type { Signer } from '../signer/signer.ts';
import type { Store } from '../store/store.ts';
import { createKeys } from '../sync/heads/keys.ts';
import type { Opened } from '../sync/inside.ts';
import type { Session } from '../sync/session.ts';
import type { CarriedValue } from '../sync/values/carried-values.ts';
import { headsOf } from './listing.ts';

/** One former key, by its signer. */
export interface FormerKey {
  readonly pubkey: string;
  readonly signer: Signer;
}

/** An engine of its own in memory, signed in with a former key. */
export interface Reading {
  readonly opened: Opened;
  syncAll(categories: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

interface MovingPorts {
  /** Rejects as the engine's calls do. */
  readonly open: (signer: Signer) => Promise<Reading>;
}

/** What was taken along from one former key: by d-tag, the id of the event. `isWhole`: all that the store had. */
interface Moved {
  readonly isWhole: boolean;
  readonly marks: ReadonlyMap<string, string>;
}

/** The same signer, that brings along what is under former keys. It wipes them together with its own. */
export function bringing(signer: Signer, former: readonly FormerKey[], ports: MovingPorts): Signer {
  if (former.length === 0) return signer;
  const keys: FormerKeys = {
    pubkeys: former.map(({ pubkey }) => pubkey),
    leave: (from) => leave(from, former, ports),
  };
  const wipe = (): void => {
    for (const one of [signer, ...former.map((key) => key.signer)]) one.wipe?.();
  };
  return { ...signer, wipe, [FORMER]: keys } as Signer;
}

async function leave(
  from: Premises,
  former: readonly FormerKey[],
  ports: MovingPorts,
): Promise<(to: Session) => Promise<void>> {
  const here: (readonly [FormerKey, readonly CarriedValue[]])[] = [];
  for (const key of former) {
    const values = await inStore(key, from);
    if (values !== undefined) here.push([key, values]);
  }
  return async (to) => {
    for (const [key, values] of here) await take(to, key, values, true);
    void (async () => {
      for (const key of former) {
        const { marks } = await readMoved(from.store, movedKey(key.pubkey, from.namespace));
        await take(to, key, await onRelays(key.signer, marks, ports), false);
      }
      // At the next start they are looked for again.
    })().catch(() => undefined);
  };

  /** Saves them under the key of `to`, and at the same time that they are. */
  async function take(
    to: Session,
    { pubkey }: FormerKey,
    values: readonly CarriedValue[],
    isWhole: boolean,
  ): Promise<void> {
    const key = movedKey(pubkey, from.namespace);
    const moved = await readMoved(from.store, key);
    const left = values.filter(({ dTag, of }) => moved.marks.get(dTag) !== of);
    // One that waits must not give way to another: that is looked at again at the next start.
    const fresh = left.filter(({ dTag }) => !to.carrying.dTags().includes(dTag));
    const marks = {
      ...Object.fromEntries(moved.marks),
      ...Object.fromEntries(fresh.map(({ dTag, of }) => [dTag, of])),
    };
    const next = { isWhole: moved.isWhole || (isWhole && fresh.length === left.length), marks };
    if (fresh.length === 0 && next.isWhole === moved.isWhole) return;
    await to.carrying.carry(
      fresh.map((value) => ({ ...value, isOfPerson: true })),
      undefined,
      new Map([[key, JSON.stringify(next)]]),
    );
  }
}

const movedKey = (pubkey: string, namespace: string): string => `moved/${pubkey}/${namespace}`;

/** What cannot be read counts as nothing: then a value comes along once more, and gives way to itself. */
async function readMoved(store: Store, key: string): Promise<Moved> {
  try {
    const { isWhole, marks } = JSON.parse((await store.get(key)) ?? '{}') as Record<string, unknown>;
    return {
      isWhole: isWhole === true,
      marks: new Map(Object.entries(Object(marks) as Record<string, string>)),
    };
  } catch {
    return { isWhole: false, marks: new Map() };
  }
}

/** All that this device has under a former key; `undefined`: it has nothing there, or all has come along. */
async function inStore(
  { pubkey, signer }: FormerKey,
  { store, namespace, session, enter }: Premises,
): Promise<readonly CarriedValue[] | undefined> {
  if (session()?.pubkey !== pubkey) {
    const { isWhole } = await readMoved(store, movedKey(pubkey, namespace));
    const { prefix, carriedPrefix } = createKeys(pubkey, namespace);
    const entries = isWhole ? [] : [...(await store.list(prefix)), ...(await store.list(carriedPrefix))];
    if (entries.length === 0) return undefined;
  }
  const left = await enter(pubkey);
  left.setSigner(signer);
  // Other devices may have written newer ones under the same former key, and what no relay has goes out.
  await left.network.ask([...left.opened.replica.dTags()], 'all');
  return left.valuesToCarry();
}

/** What relays have under a former key and has not come along, if each of them has said what it has. */
async function onRelays(
  signer: Signer,
  marks: Moved['marks'],
  { open }: MovingPorts,
): Promise<readonly CarriedValue[]> {
  const reading = await open(signer);
  try {
    const heads = [...((await headsOf(reading.opened)) ?? [])];
    const dTags = heads.filter(([dTag, { id }]) => marks.get(dTag) !== id).map(([dTag]) => dTag);
    if (dTags.length === 0) return [];
    await reading.syncAll(dTags.map((dTag) => categoryOf(dTag)));
    return await reading.opened.valuesToCarry();
  } finally {
    await reading.close();
  }
}
