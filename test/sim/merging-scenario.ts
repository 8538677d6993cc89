/** Which categories of a history merge, on what apps, and what these do beside writing whole values. Plain data. */

import { createChance } from './chance.ts';
import type { DeviceConfig, Op, RelayConfig } from './scenario.ts';

/** How an app edits: what it asks for, or what it bases the value on that it writes. */
export type How =
  /** `update`, with a function. */
  | 'update'
  /** A whole value: made of one that it was told of, or of the newest without a word of it. */
  | 'based'
  | 'whole'
  /** Reads the history, and restores a former value. */
  | 'history'
  | 'restore';

/** The app of one device. */
export interface MergingApp {
  /** `selfish`: a function of its own that prefers one side. */
  readonly rules: 'fields' | 'selfish';
  /** The second adds a field that the first does not know. */
  readonly version: 1 | 2;
}

export interface Merging {
  /** The first so many categories are merged. */
  readonly categories: number;
  readonly settle: 'auto' | 'on-edit';
  /** By device. */
  readonly apps: readonly MergingApp[];
}

/** What happens in such histories only. */
export type MergingOp = {
  readonly at: number;
  readonly device: number;
} & (
  | {
      readonly type: 'edit';
      readonly category: number;
      readonly how: How;
      /** How many in a row. */
      readonly times: number;
      /** In ms from one to the next. */
      readonly everyMs: number;
    }
  /** The user keeps a copy of all that a device has, and a device takes it in. */
  | { readonly type: 'export' | 'import' }
);

const MERGING_SHARE = 0.4;

/** Of a stream of its own: seeds that get none of it are what they would be without. */
export function mergingOf(
  seed: number,
  chaosMs: number,
  categories: number,
  devices: readonly DeviceConfig[],
  relays: readonly RelayConfig[],
): { readonly merging: Merging; readonly ops: readonly Op[] } | undefined {
  const chance = createChance(seed, 'merging');
  if (!chance.bool(MERGING_SHARE)) return undefined;
  const hasOthers = chance.bool(0.25);
  const hasVersions = chance.bool(0.3);
  const merging: Merging = {
    categories: chance.bool(0.7) ? categories : 1,
    settle: chance.bool(0.9) ? 'auto' : 'on-edit',
    apps: devices.map(() => ({
      rules: hasOthers && chance.bool(0.5) ? 'selfish' : 'fields',
      version: hasVersions && chance.bool(0.5) ? 2 : 1,
    })),
  };
  const ops: Op[] = [];
  const hasRestores = chance.bool(0.25);
  for (let left = chance.int(2, 12); left > 0; left--) {
    const how = chance.pick<How>([
      ...(['update', 'update', 'update', 'update', 'based', 'based', 'whole'] as const),
      hasRestores ? 'restore' : 'history',
    ]);
    ops.push({
      ...({ type: 'edit', how } as const),
      at: chance.int(0, chaosMs),
      device: chance.int(0, devices.length - 1),
      category: chance.int(0, merging.categories - 1),
      times: chance.bool(0.6) ? 1 : chance.int(2, 8),
      everyMs: chance.pick([0, 0, 300, 1_000]),
    });
  }
  // Apart: one writes what the others have not seen.
  for (let left = chance.int(0, 3); left > 0; left--)
    ops.push({
      ...({ type: 'offline', at: chance.int(0, chaosMs) } as const),
      ...{ device: chance.int(0, devices.length - 1), forMs: chance.pick([1_000, 3_000, 8_000, 20_000]) },
    });
  if (chance.bool(0.15))
    ops.push(
      { type: 'export', at: chance.int(0, chaosMs / 2), device: chance.int(0, devices.length - 1) },
      { type: 'import', at: chance.int(chaosMs / 2, chaosMs), device: chance.int(0, devices.length - 1) },
    );
  ops.push(...orphaned(seed, chaosMs), ...splits(seed, chaosMs, devices, relays));
  if (merging.settle === 'on-edit') ops.push(...refused(seed, chaosMs));
  return { merging, ops };
}

/**
 * A device without a network overwrites what another has written meanwhile, and that one is destroyed before it can merge the two. Of
 * a stream of its own: seeds that get none of it are what they would be without.
 */
function orphaned(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'orphaned');
  if (chance.bool(0.92)) return [];
  const author = chance.int(0, 1);
  const device = 1 - author;
  const at = (share: number): number => Math.floor(share * chaosMs);
  const edit = { type: 'edit', category: 0, how: 'update', times: 1, everyMs: 0 } as const;
  return [
    { at: at(0.2), ...edit, device: author },
    { at: at(0.4), type: 'offline', device, forMs: at(0.4) },
    { at: at(0.5), ...edit, device: author },
    { at: at(0.7), ...edit, device },
    { at: at(0.75), type: 'destroy', device: author },
  ];
}

/**
 * Two devices that each reach another relay edit apart. A third has both, makes one value of it, and locks. So the first gets its own
 * write within another's, beside a write of the second that has not seen it, and without what these two have in common. Then it edits.
 * Of a stream of its own, as `orphaned`.
 */
function splits(
  seed: number,
  chaosMs: number,
  devices: readonly DeviceConfig[],
  relays: readonly RelayConfig[],
): Op[] {
  const chance = createChance(seed, 'splits');
  const areEnough = devices.slice(0, 3).filter(({ kind }) => kind === 'ours').length === 3;
  // Those behind are hostile.
  if (chance.bool(0.5) || !areEnough || relays.filter(({ isHostile }) => !isHostile).length < 2) return [];
  const at = (share: number): number => Math.floor(share * chaosMs);
  const edit = { type: 'edit', category: 0, how: 'update', times: 1, everyMs: 0 } as const;
  const line = { type: 'line', state: 'cut' } as const;
  return [
    { at: 0, ...line, device: 0, relay: 1, forMs: at(0.6) },
    { at: 0, ...line, device: 1, relay: 0, forMs: chaosMs },
    { at: at(0.15), ...edit, device: 0, times: 3 },
    { at: at(0.2), ...edit, device: 1 },
    { at: at(0.38), type: 'offline', device: 1, forMs: at(0.12) },
    { at: at(0.4), ...edit, device: 2 },
    { at: at(0.45), type: 'clearSigner', device: 2 },
    { at: at(0.46), ...edit, device: 1 },
    { at: at(0.65), ...edit, device: 0, times: 3, everyMs: 1_000 },
  ];
}

/**
 * The next write is to merge an own write that was overwritten unseen, and no relay takes it: it is withdrawn. Of a stream of its own, as
 * `orphaned`.
 */
function refused(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'refused');
  if (chance.bool(0.5)) return [];
  const device = chance.int(0, 1);
  const at = (share: number): number => Math.floor(share * chaosMs);
  const edit = { type: 'edit', category: 0, how: 'update', times: 1, everyMs: 0 } as const;
  return [
    { at: at(0.2), type: 'offline', device, forMs: at(0.2) },
    { at: at(0.25), ...edit, device, times: 3 },
    { at: at(0.3), ...edit, device: 1 - device },
    {
      ...({ at: at(0.6), type: 'relayFault', fault: 'blocked' } as const),
      ...{ relay: 0, isEverywhere: true, forMs: at(0.15) },
    },
    {
      ...({ at: at(0.62), type: 'publish', device, category: 0, size: 0, isSame: false } as const),
      ...({ waitFor: 'delivered', times: 1 } as const),
    },
    { at: at(0.85), ...edit, device },
  ];
}
