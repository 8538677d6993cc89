/** A history before it happens: who takes part, and what the app, the world and the relays do when. Plain data. */

import type { RelayAuth, RelayFlavour, RelayStrangers } from '../../src/testing/relay-options.ts';
import { createChance, type Chance } from './chance.ts';
import type { CrashMode } from './disk.ts';
import { KEEPS, MISBEHAVIOURS, type Misbehaviour } from './hostile.ts';
import { mergingOf, type Merging, type MergingOp } from './merging-scenario.ts';
import type { LineState } from './network.ts';

/** The most that one publish may carry, in bytes of JSON. */
export const LARGEST_PAYLOAD_BYTES = 409_600;
/** The most that is one event with nothing done to it. */
const LARGEST_BARE_PAYLOAD_BYTES = 40_960;

export interface DeviceConfig {
  /** `reference`: writes as the Rust plugin does, with the time as stamp and no version vector. */
  readonly kind: 'ours' | 'reference';
  /** More than one: tabs on a shared store. */
  readonly tabs: number;
  readonly skewMs: number;
  readonly flushMs: number;
  readonly signerMs: number;
  readonly hasPing: boolean;
}

export interface RelayConfig {
  readonly flavour: RelayFlavour;
  readonly auth: RelayAuth;
  readonly strangers: RelayStrangers;
  readonly latencyMs: number;
  readonly maxEventBytes: number;
  /** Writes a minute after a burst of twice as many; `null` for no limit. */
  readonly perMinute: number | null;
  /** REQs of a connection in a minute, as a bucket: what is beyond that waits. */
  readonly reqsPerMinute?: number | null;
  readonly isHostile: boolean;
  /** Takes any stamp. */
  readonly isLenient?: boolean;
  /** A hostile relay that goes on when the faults stop. */
  readonly isStubborn: boolean;
}

export type CrashPoint = 'now' | 'update' | 'decided' | 'flushed' | 'send' | 'receive' | 'sign';

interface At {
  readonly at: number;
}

/** What the app on a device does. */
export type AppOp = MergingOp | WritingOp;

type WritingOp = At & { readonly device: number } & (
    | {
        readonly type: 'publish';
        readonly category: number;
        /** Bytes of filler. */
        readonly size: number;
        /** Says the same as the last `isSame` publish of the category. */
        readonly isSame: boolean;
        readonly waitFor: 'saved' | 'delivered' | 'replicated';
        readonly expirationS?: number;
        readonly abortMs?: number;
        /** How many in a row at the same time. */
        readonly times: number;
      }
    | { readonly type: 'remove' | 'fetch' | 'reset'; readonly category: number }
    | { readonly type: 'syncAll' | 'poll' | 'subscribe' | 'unsubscribe' | 'status' }
    | { readonly type: 'addRelay' | 'removeRelay'; readonly relay: number }
    | { readonly type: 'setSigner' | 'clearSigner' }
  );

/** What a device does or suffers. */
export type DeviceOp = At & { readonly device: number } & (
    | { readonly type: 'wake' }
    | { readonly type: 'backup' | 'restore' | 'destroy' }
    | { readonly type: 'signerFault'; readonly fault: SignerFault; readonly forMs: number }
    | { readonly type: 'jumpClock'; readonly byMs: number }
    | { readonly type: 'sleep'; readonly forMs: number }
    /** No network, and the platform says so. */
    | { readonly type: 'offline'; readonly forMs: number }
    /** One tab, that which leads if there is one; it keeps its locks. */
    | { readonly type: 'suspend'; readonly forMs: number }
    | {
        readonly type: 'crash';
        readonly point: CrashPoint;
        readonly mode: CrashMode;
        /** Only one tab dies, not the machine. */
        readonly isTab: boolean;
        readonly restartMs: number;
      }
    | { readonly type: 'close'; readonly restartMs: number }
    | {
        readonly type: 'storeFault';
        readonly updates: number;
        readonly reads: number;
        readonly forMs: number;
      }
    | { readonly type: 'storeHang'; readonly likely: number; readonly forMs: number }
    | {
        readonly type: 'line';
        readonly relay: number;
        readonly state: LineState;
        readonly forMs: number;
      }
  );

/** What happens at a relay. */
export type RelayOp = At & { readonly relay: number } & (
    | { readonly type: 'relayDown'; readonly forMs: number }
    | { readonly type: 'relayRestart' | 'wipe' | 'snapshot' | 'rollback' | 'challenge' }
    | {
        readonly type: 'relayFault';
        /** All honest relays at once. */
        readonly isEverywhere: boolean;
        readonly fault: RelayFault;
        readonly forMs: number;
      }
    | { readonly type: 'misbehave'; readonly what: readonly Misbehaviour[] }
  );

/** The disk of one device is copied onto another's, and both go on. */
export type CloneOp = At & { readonly type: 'clone'; readonly from: number; readonly onto: number };

export type Op = AppOp | DeviceOp | RelayOp | CloneOp;

export type SignerFault =
  | ('hang' | 'throw' | 'lie' | 'slow')
  /** Changes the template that it is given, and signs that. */
  | 'edit'
  /** Signs with a time of its own, later than it was asked for. */
  | 'late'
  /** Refuses one decryption. */
  | 'refuse once'
  /** Another account encrypts; all else is ours. */
  | 'switch'
  /** Refuses a call while another is under way. */
  | 'one at a time'
  /** Never says whose key it has. */
  | 'hang getPublicKey';

/** Those that `signerFaults` draws. */
export const MOODS: readonly SignerFault[] = [
  ...(['edit', 'late', 'refuse once'] as const),
  ...(['switch', 'switch', 'one at a time', 'hang getPublicKey'] as const),
];
/** What an honest relay may have happen to it. */
export type RelayFault =
  | ('silent' | 'slow' | 'drop-ok' | 'error' | 'rate-limited' | 'blocked')
  /** It will not have pieces, of which it may have taken some. */
  | ('pieces deleted' | 'pieces too large');

export interface Scenario {
  readonly seed: number;
  readonly isReal: boolean;
  readonly categories: number;
  readonly devices: readonly DeviceConfig[];
  readonly relays: readonly RelayConfig[];
  readonly chaosMs: number;
  /** Absent: none merges. */
  readonly merging?: Merging;
  /** By time. */
  readonly ops: readonly Op[];
}

const FLAVOURS: readonly RelayFlavour[] = [
  'strfry',
  'strfry',
  'nostr-rs-relay',
  'nostream',
  'khatru',
  'chorus',
  'citrine',
];

function relayConfig(chance: Chance, isHostile: boolean): RelayConfig {
  return {
    flavour: chance.pick(FLAVOURS),
    auth: chance.bool(0.75) ? 'none' : chance.pick(['write', 'read', 'both']),
    strangers: chance.pick(['auth-required', 'silent', 'restricted']),
    latencyMs: chance.pick([1, 10, 40, 40, 150, 800]),
    maxEventBytes: chance.bool(0.7) ? 131_072 : 65_536,
    perMinute: chance.bool(0.9) ? null : chance.pick([6, 24]),
    reqsPerMinute: chance.bool(0.93) ? null : chance.pick([10, 30]),
    isHostile,
    isStubborn: isHostile && chance.bool(0.5),
  };
}

function deviceConfig(chance: Chance): DeviceConfig {
  return {
    kind: 'ours',
    tabs: chance.bool(0.15) ? chance.int(2, 3) : 1,
    skewMs: chance.bool(0.5) ? 0 : chance.pick([-7_200_000, -90_000, -2_000, 2_000, 50_000, 300_000]),
    flushMs: chance.pick([0, 5, 5, 30, 400]),
    signerMs: chance.pick([0, 0, 5, 60, 2_000]),
    hasPing: chance.bool(0.5),
  };
}

/** What may happen, by weight. */
const WEIGHTS: readonly (readonly [Exclude<Op['type'], 'clone' | 'reset' | MergingOp['type']>, number])[] = [
  ['publish', 30],
  ['remove', 3],
  ['fetch', 6],
  ['syncAll', 3],
  ['poll', 3],
  ['subscribe', 3],
  ['unsubscribe', 1],
  ['status', 3],
  ['addRelay', 2],
  ['removeRelay', 2],
  ['setSigner', 2],
  ['clearSigner', 1.5],
  ['wake', 1],
  ['signerFault', 1],
  ['jumpClock', 1.5],
  ['sleep', 2],
  ['crash', 6],
  ['close', 1],
  ['backup', 0.7],
  ['restore', 0.7],
  ['destroy', 0.4],
  ['storeFault', 1.5],
  ['line', 7],
  ['relayDown', 3],
  ['relayRestart', 2],
  ['wipe', 1],
  ['snapshot', 1],
  ['rollback', 1],
  ['challenge', 0.5],
  ['relayFault', 5],
  ['misbehave', 6],
];

const TOTAL_WEIGHT = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);

function pickType(chance: Chance): (typeof WEIGHTS)[number][0] {
  let left = chance.next() * TOTAL_WEIGHT;
  for (const [type, weight] of WEIGHTS) {
    left -= weight;
    if (left < 0) return type;
  }
  return 'publish';
}

/** Durations: mostly short, at times long. */
function duration(chance: Chance): number {
  return chance.pick([300, 1_000, 3_000, 3_000, 8_000, 8_000, 20_000, 40_000, 90_000]);
}

function size(chance: Chance, hasLarge: boolean): number {
  if (!hasLarge || chance.bool(0.8)) return chance.bool(0.8) ? 0 : chance.int(1, 2_000);
  return chance.pick([
    LARGEST_BARE_PAYLOAD_BYTES,
    LARGEST_BARE_PAYLOAD_BYTES + 1,
    LARGEST_PAYLOAD_BYTES,
    chance.int(20_000, 120_000),
    chance.int(20_000, LARGEST_PAYLOAD_BYTES),
  ]);
}

/**
 * What needs two things in the right order on one device, and so hardly ever happens by chance. Of a stream of its own:
 * seeds that get none of it are what they would be without.
 */
function rareOps(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'rare');
  // The first two devices are never the reference.
  const device = chance.int(0, 1);
  const at = chance.int(0, chaosMs / 2);
  const later = chance.int(at, chaosMs);
  const ops: Op[] = [];
  if (chance.bool(0.02)) ops.push({ at, type: 'backup', device }, { at: later, type: 'restore', device });
  // Two that live on with one id.
  if (chance.bool(0.03)) ops.push({ at, type: 'clone', from: device, onto: 1 - device });
  // A store is read at the start: it is to fail just then.
  if (chance.bool(0.02))
    ops.push(
      { at, type: 'storeFault', device, updates: 0, reads: 0.5, forMs: 20_000 },
      { at, type: 'crash', device, point: 'now', mode: 'keep', isTab: false, restartMs: 1_000 },
    );
  return ops;
}

/** Tabs that the system suspends, and devices without a network. Of a stream of its own, as `rareOps`. */
function suspensions(seed: number, chaosMs: number, devices: readonly DeviceConfig[]): Op[] {
  const chance = createChance(seed, 'suspended');
  return devices.flatMap(({ tabs, kind }, device) => {
    const ops: Op[] = [];
    if (tabs > 1 && chance.bool(0.5))
      ops.push({ at: chance.int(0, chaosMs), type: 'suspend', device, forMs: duration(chance) });
    if (kind === 'ours' && chance.bool(0.04))
      ops.push({ at: chance.int(0, chaosMs), type: 'offline', device, forMs: duration(chance) });
    return ops;
  });
}

/** Clocks that are off by a day, or by years, and are set right. Of a stream of its own, as `rareOps`. */
function wrongClocks(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'clocks');
  if (chance.bool(0.92)) return [];
  const device = chance.int(0, 1);
  const byMs = chance.pick([1, 1, -1]) * chance.pick([1, 180, 730]) * 86_400_000;
  const at = chance.int(0, chaosMs);
  const jump: Op = { at, type: 'jumpClock', device, byMs };
  // When the faults stop, at the latest.
  const isSetRight = chance.bool(0.5);
  const right: Op[] = isSetRight ? [{ ...jump, at: chance.int(at, chaosMs), byMs: -byMs }] : [];
  const resets = Array.from({ length: chance.int(0, 2) }, (): Op => ({
    at: chance.int(at, chaosMs),
    type: 'reset',
    device: chance.int(0, 1),
    category: 0,
  }));
  return [jump, ...right, ...resets];
}

/** In histories with such clocks some relays take any stamp. */
function lenient(seed: number, ops: readonly Op[], relays: readonly RelayConfig[]): readonly RelayConfig[] {
  const chance = createChance(seed, 'lenient');
  const hasWrongClock = ops.some(({ type }) => type === 'reset');
  return hasWrongClock && chance.bool(0.6)
    ? relays.map((relay) => ({ ...relay, isLenient: chance.bool(0.7) }))
    : relays;
}

/** Stores that do not answer. Of a stream of its own, as `rareOps`. */
function hangs(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'hangs');
  if (chance.bool(0.9)) return [];
  const at = chance.int(0, chaosMs);
  const device = chance.int(0, 1);
  return [{ at, type: 'storeHang', device, likely: chance.pick([0.1, 0.5, 1]), forMs: duration(chance) }];
}

/** What signers do beside failing. Of a stream of its own, as `rareOps`. */
function signerFaults(seed: number, chaosMs: number): Op[] {
  const chance = createChance(seed, 'signers');
  const device = chance.int(0, 1);
  const ops: Op[] = [];
  if (chance.bool(0.12))
    ops.push({
      ...{ at: chance.int(0, chaosMs), type: 'signerFault', device },
      ...{ fault: chance.pick(MOODS), forMs: duration(chance) },
    });
  // A ciphertext goes unread only for some minutes after one that was not.
  if (chance.bool(0.03)) {
    const write = {
      ...({ type: 'publish', device, category: 0, size: 0, isSame: false } as const),
      ...({ waitFor: 'delivered', times: 1 } as const),
    };
    ops.push(
      { at: chance.int(0, chaosMs / 4), ...write },
      { at: chaosMs / 2, type: 'signerFault', device, fault: 'switch', forMs: chaosMs },
      { at: chance.int(chaosMs / 2, chaosMs), ...write },
    );
  }
  return ops;
}

/**
 * A large value that a relay takes, and forgets, or that is written without a network; the device locks, and a relay will not have its
 * pieces any more, while another device writes on. Of a stream of its own, as `rareOps`.
 */
function lateRefusals(seed: number, chaosMs: number, relays: readonly RelayConfig[]): Op[] {
  const chance = createChance(seed, 'late refusals');
  if (chance.bool(0.96)) return [];
  const device = chance.int(0, 1);
  // Those behind are hostile.
  const relay = chance.int(0, relays.filter(({ isHostile }) => !isHostile).length - 1);
  const at = (share: number): number => Math.floor(share * chaosMs);
  const write = (share: number, by: number, size: number): Op => ({
    ...({ at: at(share), type: 'publish', device: by, category: 0, size, isSame: false } as const),
    ...({ waitFor: 'saved', times: 1 } as const),
  });
  return [
    chance.bool(0.5)
      ? { at: at(0.1), type: 'offline', device, forMs: at(0.4) }
      : { at: at(0.45), type: 'wipe', relay },
    write(0.12, device, chance.int(60_000, 120_000)),
    ...(chance.bool(0.7) ? ([{ at: at(0.4), type: 'clearSigner', device }] as const) : []),
    {
      ...({
        at: at(0.45),
        type: 'relayFault',
        relay,
        isEverywhere: chance.bool(0.3),
        forMs: chaosMs,
      } as const),
      fault: chance.pick(['pieces deleted', 'pieces too large']),
    },
    ...(chance.bool(0.7) ? [write(0.6, 1 - device, 0), write(0.7, 1 - device, 0)] : []),
    { at: at(0.8), type: 'setSigner', device },
  ];
}

/**
 * All relays refuse what is written, but one of them, a hostile one, keeps it: its writer takes it back, and others are shown it. Of a
 * stream of its own, as `rareOps`.
 */
function keptRefusals(seed: number, chaosMs: number, relays: readonly RelayConfig[]): Op[] {
  const chance = createChance(seed, 'kept refusals');
  const relay = relays.findIndex(({ isHostile }) => isHostile);
  if (relay === -1 || chance.bool(0.9)) return [];
  const device = chance.int(0, 1);
  const from = chance.int(0, Math.floor(0.6 * chaosMs));
  const forMs = chance.int(20_000, 120_000);
  return [
    { at: from, type: 'misbehave', relay, what: [KEEPS] },
    { at: from, type: 'relayFault', relay: 0, isEverywhere: true, fault: 'blocked', forMs },
    ...[1_000, 8_000].map((ms): Op => ({
      ...({ at: from + ms, type: 'publish', device, category: 0, size: 0, isSame: false } as const),
      ...({ waitFor: 'delivered', times: 1 } as const),
    })),
  ];
}

interface Size {
  readonly relays: readonly number[];
  readonly devices: readonly number[];
  readonly chaosMs: readonly number[];
  readonly ops: readonly [least: number, most: number];
}

/**
 * Most histories are short: for the same computing they meet as many faults as long ones, and what they find is easier to
 * read. Some are long, for what takes many hands, or much that went before.
 */
const SHORT: Size = {
  relays: [1, 2, 2, 2, 3],
  devices: [2, 2, 2, 3],
  chaosMs: [4_000, 10_000, 20_000, 40_000],
  ops: [4, 16],
};
const LONG: Size = {
  relays: [1, 2, 2, 2, 3, 3, 4, 5],
  devices: [2, 2, 2, 3, 3, 4, 5],
  chaosMs: [4_000, 10_000, 20_000, 20_000, 40_000, 120_000],
  ops: [6, 36],
};
const LONG_SHARE = 0.15;

export function createScenario(seed: number): Scenario {
  const chance = createChance(seed, 'scenario');
  const limits = chance.bool(LONG_SHARE) ? LONG : SHORT;
  const relayCount = chance.pick(limits.relays);
  const hostileCount = chance.bool(0.4) ? 0 : chance.int(0, relayCount - 1);
  const relays = Array.from({ length: relayCount }, (_, i) =>
    relayConfig(chance, i >= relayCount - hostileCount),
  );
  const devices = Array.from({ length: chance.pick(limits.devices) }, () => deviceConfig(chance));
  if (devices.length > 2 && chance.bool(0.4)) devices.push({ ...devices.pop()!, kind: 'reference', tabs: 1 });
  const chaosMs = chance.pick(limits.chaosMs);
  const hasLarge = chance.bool(0.12);
  const categories = chance.pick([1, 1, 1, 2, 3]);
  const ops: Op[] = [];
  // Swarm: each history has only some of the kinds, so that each kind gets its chance to matter.
  const absent = new Set(
    WEIGHTS.map(([type]) => type).filter((type) => type !== 'publish' && chance.bool(0.35)),
  );
  for (let left = chance.int(...limits.ops); left > 0; left--) {
    const type = pickType(chance);
    if (!absent.has(type)) ops.push(op(type));
  }
  // Every hostile relay begins with something.
  relays.forEach(({ isHostile }, relay) => {
    if (isHostile) ops.push({ at: 0, type: 'misbehave', relay, what: misbehaviours() });
  });
  ops.push(
    ...rareOps(seed, chaosMs),
    ...suspensions(seed, chaosMs, devices),
    ...hangs(seed, chaosMs),
    ...wrongClocks(seed, chaosMs),
    ...signerFaults(seed, chaosMs),
    ...lateRefusals(seed, chaosMs, relays),
    ...keptRefusals(seed, chaosMs, relays),
  );
  const merged = mergingOf(seed, chaosMs, categories, devices, relays);
  ops.push(...(merged?.ops ?? []));
  ops.sort((a, b) => a.at - b.at);
  return {
    ...{ seed, isReal: seed % 100 === 0, categories, devices, chaosMs, ops },
    relays: lenient(seed, ops, relays),
    ...(merged && { merging: merged.merging }),
  };

  function misbehaviours(): Misbehaviour[] {
    return Array.from({ length: chance.int(1, 3) }, () => chance.pick(MISBEHAVIOURS));
  }

  function op(type: (typeof WEIGHTS)[number][0]): Op {
    const at = chance.int(0, chaosMs);
    const device = chance.int(0, devices.length - 1);
    const relay = chance.int(0, relayCount - 1);
    const category = chance.int(0, categories - 1);
    const forMs = duration(chance);
    switch (type) {
      case 'publish': {
        const bytes = size(chance, hasLarge);
        return {
          ...{ at, type, device, category, size: bytes, isSame: chance.bool(0.1) },
          waitFor: chance.pick(['saved', 'delivered', 'delivered', 'replicated']),
          ...(chance.bool(0.03) && { expirationS: chance.int(5, 100) }),
          ...(chance.bool(0.04) && { abortMs: chance.pick([0, 1, 10, 200]) }),
          times: chance.bool(0.2) ? chance.int(2, bytes > 20_000 ? 3 : 12) : 1,
        };
      }
      case 'remove':
      case 'fetch':
        return { at, type, device, category };
      case 'addRelay':
      case 'removeRelay':
        return { at, type, device, relay };
      case 'signerFault':
        return { at, type, device, fault: chance.pick(['hang', 'throw', 'lie', 'slow']), forMs };
      case 'jumpClock':
        return {
          ...{ at, type, device },
          byMs: chance.pick([-7_200_000, -60_000, -3_000, -1_000, 1_000, 30_000, 600_000, 7_200_000]),
        };
      case 'sleep':
      case 'suspend':
      case 'offline':
        return { at, type, device, forMs };
      case 'storeHang':
        return { at, type, device, likely: chance.pick([0.1, 0.5, 1]), forMs };
      case 'crash':
        return {
          ...{ at, type, device, restartMs: duration(chance) },
          point: chance.pick(['now', 'update', 'decided', 'flushed', 'send', 'receive', 'sign']),
          mode: chance.pick(['keep', 'drop', 'tear']),
          isTab: chance.bool(0.5),
        };
      case 'close':
        return { at, type, device, restartMs: forMs };
      case 'storeFault':
        return { at, type, device, updates: chance.pick([0.2, 1]), reads: chance.pick([0, 0.2]), forMs };
      case 'line':
        return { at, type, device, relay, state: chance.pick(['cut', 'cut', 'hole']), forMs };
      case 'relayDown':
        return { at, type, relay, forMs };
      case 'relayFault':
        return {
          ...{ at, type, relay, forMs, isEverywhere: chance.bool(0.3) },
          fault: chance.pick(['silent', 'slow', 'drop-ok', 'error', 'rate-limited', 'blocked']),
        };
      case 'relayRestart':
      case 'wipe':
      case 'snapshot':
      case 'rollback':
      case 'challenge':
        return { at, type, relay };
      case 'misbehave':
        return { at, type, relay, what: misbehaviours() };
      case 'syncAll':
      case 'poll':
      case 'subscribe':
      case 'unsubscribe':
      case 'status':
      case 'setSigner':
      case 'clearSigner':
      case 'wake':
      case 'backup':
      case 'restore':
      case 'destroy':
        return { at, type, device };
    }
  }
}
