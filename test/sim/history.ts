/** One history: chaos with every invariant checked at every step, then the faults stop, all must agree, and all start again. */

import type { SignedEvent } from '../../src/protocol/event.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import type { RelayFaults } from '../../src/testing/relay-options.ts';
import { createChance, hashText } from './chance.ts';
import { createCipher } from './cipher.ts';
import { createDevice, type Device } from './device.ts';
import { LIES, misbehave, type Misbehaviour } from './hostile.ts';
import type { Process } from './machine.ts';
import { createNetwork } from './network.ts';
import { createMergeOracle, type MergeOracle } from './merge-oracle.ts';
import { createOracle, order, type Oracle, type Signed, type Violation } from './oracle.ts';
import { isWholeIn, rivalsIn, unprovenOn } from './records.ts';
import { createReferenceDevice, type ReferenceDevice } from './reference-device.ts';
import type { Op, RelayConfig, RelayFault, Scenario } from './scenario.ts';
import { createSchedule } from './schedule.ts';
import { addressIn } from './tags.ts';
import type { World } from './world.ts';

export interface Outcome {
  readonly violations: readonly Violation[];
  /** Of all that happened, in order. */
  readonly traceHash: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly steps: number;
}

const START_MS = Date.UTC(2026, 0, 1);
const MAX_STEPS = 6_000_000;
/**
 * How long the devices have to agree once the faults have stopped, beyond stamps that are still to come, in ms. A timer that was set
 * by a wrong clock looks again after an hour, and what it writes has to be seen.
 */
const PATIENCE_MS = 4_500_000;
/** Devices look at everything now and then, as users do, in ms. */
const LOOK_MS = 300_000;
const STEP_MS = 5_000;
/** How long what was overwritten unseen may wait to be merged, in ms. */
const MERGE_MS = 900_000;
/** What a relay took that is stamped further ahead than this is not waited for, in ms. */
const FAR_MS = 2 * 86_400_000;
/** How often apps reset a category in which other devices may have gone on above what was reset. */
const MAX_RESETS = 6;
/** How often, then, a value may be looked for before it must be there. */
const READS = 10;
/** What is smaller is refused for its size by no relay, in bytes of an event. */
const LARGE_BYTES = 8_192;
/** How long a call may take, in ms: a slow signer takes its time for each of many pieces. */
const CALL_MS = 180_000;

interface Site {
  readonly url: string;
  readonly config: RelayConfig;
  readonly relay: Relay;
  snapshot: SignedEvent[];
}

const FAULTS: Readonly<Record<RelayFault, RelayFaults>> = {
  silent: { silent: true },
  slow: { delayMs: 4_000 },
  'drop-ok': { dropOk: true },
  error: { refuse: 'error: database is locked' },
  'rate-limited': { refuse: 'rate-limited: slow down' },
  blocked: { refuse: 'blocked: not today' },
  'pieces deleted': { refuse: (event) => (isPiece(event) ? 'deleted: its author asked for it' : undefined) },
  'pieces too large': { refuse: (event) => (isPiece(event) ? 'invalid: event too large' : undefined) },
};

function isPiece({ tags }: SignedEvent): boolean {
  return tags.some(([name, value = '']) => name === 'd' && value.includes('/c/'));
}

/** How much of each end of a long text is part of a trace: two different ones would hardly share that and the length. */
const END_CHARS = 200;

const isLong = (text: string): boolean => text.length > 2 * END_CHARS;

function digest(text: string): string {
  return isLong(text) ? `${text.slice(0, END_CHARS)}${text.length}${text.slice(-END_CHARS)}` : text;
}

/** `hashText` of the digest, which need not be made for it. */
function hashDigest(text: string, hash: number): number {
  if (!isLong(text)) return hashText(text, hash);
  const start = hashText(text, hash, 0, END_CHARS);
  return hashText(text, hashText(String(text.length), start), text.length - END_CHARS);
}

export async function runHistory(scenario: Scenario, onTrace?: (line: string) => void): Promise<Outcome> {
  const { seed } = scenario;
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const schedule = createSchedule(START_MS, MAX_STEPS);
  let traceHash = hashText('');
  const trace: World['trace'] = (...what) => {
    const items = [schedule.now() - START_MS, ...what].map(String);
    items.forEach((item, i) => {
      traceHash = hashDigest(item, i === 0 ? traceHash : hashText(' ', traceHash));
    });
    onTrace?.(items.map(digest).join(' '));
  };

  const cipher = await createCipher(scenario.isReal, createChance(seed, 'cipher'));
  const strange = await cipher.stranger.sign({
    kind: 30_078,
    created_at: Math.floor(START_MS / 1000) + 500_000,
    tags: [['d', 'default/category-0/v1']],
    content: await cipher.stranger.encrypt('"strange"'),
  });
  const categories = Array.from({ length: scenario.categories }, (_, i) => `category-${i}`);
  const { merging } = scenario;
  const merged = new Set(categories.slice(0, merging?.categories ?? 0));
  const { pubkey } = cipher.user;
  const oracle: Oracle = createOracle({
    ...{ pubkey, now: schedule.now, count },
    isMerged: (category) => merged.has(category),
    onView: (device, entry, text) => merges.onView(device, entry, text),
    onHead: (device, category, after, before) => {
      const seen = after.event.tags.find(([name]) => name === 'vv') ?? [];
      trace(device, 'document', category, after.event.id.slice(0, 8), after.text, ...seen);
      merges.onHead(device, category, after, before);
    },
  });
  const merges: MergeOracle = createMergeOracle({
    ...{ pubkey, merged, oracle, count, now: schedule.now, devices: scenario.devices.length },
    hasOwnRules: merging?.apps.some(({ rules }) => rules === 'selfish') === true,
    has: (what) => counts.has(what),
    isTorn: (id) => isTorn(id),
  });

  // Relays

  const relayChance = createChance(seed, 'relays');
  const clock = { now: schedule.now, after: schedule.after };
  const sites: Site[] = scenario.relays.map((config, i) => ({
    url: `wss://relay-${i}.example`,
    config,
    relay: createRelay({
      clock,
      flavour: config.flavour,
      auth: config.auth,
      strangers: config.strangers,
      frameLogSize: 0,
      verifier: cipher.verifier,
      randomBytes: (length) => relayChance.bytes(length),
      limits: {
        reqsPerMinute: config.reqsPerMinute ?? null,
        maxEventBytes: config.maxEventBytes,
        maxFrameBytes: 262_144,
        ...(config.isLenient === true && { createdAtUpperLimit: 10 * 31_536_000 }),
        writeRate:
          config.perMinute === null ? null : { burst: config.perMinute * 2, perMinute: config.perMinute },
      },
    }),
    snapshot: [],
  }));
  const urls = sites.map(({ url }) => url);
  const honest = sites.filter(({ config }) => !config.isHostile);
  const isHonest = new Map(sites.map(({ url, config }) => [url, !config.isHostile]));

  function misbehaveAt(site: Site, what: readonly Misbehaviour[]): void {
    const chance = createChance(seed, site.url, schedule.now());
    site.relay.behave();
    // Of a stream of its own, as `rareOps`.
    const lying = createChance(seed, site.url, schedule.now(), 'claims');
    const lies = lying.bool(0.4) ? [lying.pick(LIES)] : [];
    site.relay.misbehave(
      misbehave([...what, ...lies], { chance, cipher, strange, count, known: knownEvents }),
    );
  }

  /** What relays hold or held: events that were only ever refused are known to nobody. */
  function knownEvents(): SignedEvent[] {
    const heads = [...oracle.signed.values()].filter(
      ({ isCarried, isAcknowledged }) => isCarried && isAcknowledged,
    );
    return [...heads.map(({ event }) => event), ...oracle.pieces.values()];
  }

  /** A relay that has taken a head in pieces has all of these: whoever sees the one can read the others. */
  function checkParts(url: string, frame: string): void {
    const parts = oracle.parts.get((JSON.parse(frame) as [string, string])[1]);
    const mayLack = ['fault: relay wiped', 'fault: relay rolled back', 'sometimes: piece collected'];
    if (parts === undefined || mayLack.some((what) => counts.has(what))) return;
    count('sometimes: head taken with all its pieces');
    const held = new Set(
      sites
        .find((site) => site.url === url)!
        .relay.events()
        .flatMap(({ tags }) => tags.map(([, value]) => value)),
    );
    const lacking = parts.filter((dTag) => !held.has(dTag)).length;
    if (lacking > 0) oracle.violate('I18', `${url} was sent a head of which it lacks ${lacking} pieces`);
  }

  /** By process and relay, when REQs went there in the last minute, in ms. */
  const reqs = new WeakMap<Process, Map<string, number[]>>();

  function countReq(process: Process, url: string): void {
    const { reqsPerMinute } = sites.find((site) => site.url === url)!.config;
    if (typeof reqsPerMinute !== 'number') return;
    const byUrl = reqs.get(process) ?? new Map<string, number[]>();
    reqs.set(process, byUrl);
    const times = (byUrl.get(url) ?? []).filter((at) => at > schedule.now() - 60_000);
    times.push(schedule.now());
    byUrl.set(url, times);
    if (times.length > reqsPerMinute) count('fault: REQ beyond the quota');
  }

  // Devices

  const network = createNetwork({
    schedule,
    chance: createChance(seed, 'network'),
    sites: sites.map(({ url, relay, config }) => ({ url, port: relay, latencyMs: config.latencyMs })),
    hasPing: (name) => devicesByName.get(name)?.config.hasPing ?? false,
    onConnect: oracle.onConnect,
    onSend: (process, url, frame) => {
      const { name } = process.machine;
      trace(name, '>', url, frame);
      oracle.onSend(process, name, url, frame);
      if (frame.startsWith('["REQ"')) countReq(process, url);
      if (frame.startsWith('["EVENT"')) devicesByName.get(name)?.onSend(process);
    },
    onArrive: (process, url, frame) => {
      if (!frame.startsWith('["NEG-OPEN"')) return;
      const { relay } = sites.find((site) => site.url === url)!;
      const ids = relay.events().map(({ id }) => id);
      oracle.onReconcile(process, url, frame, isHonest.get(url)! ? ids : undefined);
    },
    onReceive: (process, url, frame) => {
      const { name } = process.machine;
      trace(name, '<', url, frame);
      oracle.onReceive(process, name, url, frame, isHonest.get(url)!);
      if (isHonest.get(url)! && frame.startsWith('["OK"') && frame.includes(',true,')) checkParts(url, frame);
      devicesByName.get(name)?.onReceive(process, frame);
    },
    hand: (process, url, frame, task) => oracle.hand(process, process.machine.name, url, frame, task),
  });
  const hasHostile = sites.some(({ config }) => config.isHostile);
  const world: World = {
    ...{ seed, schedule, cipher, network, oracle, urls, categories, hasHostile, count, trace },
    ...{ merging, merges, copy: { lines: [] } },
  };
  const devices: Device[] = [];
  const devicesByName = new Map<string, Device>();
  const references: ReferenceDevice[] = [];
  const actors = scenario.devices.map((config, i) => {
    const name = `device-${i}`;
    if (config.kind === 'reference') {
      const reference = createReferenceDevice(name, config, world);
      references.push(reference);
      return reference;
    }
    const device = createDevice(name, i, config, world);
    devices.push(device);
    devicesByName.set(name, device);
    return device;
  });

  // Chaos

  function fail(site: Site, fault: RelayFault, forMs: number): void {
    if (site.config.isHostile) return;
    count(`fault: relay ${fault}`);
    site.relay.misbehave(FAULTS[fault]);
    schedule.after(forMs, () => behave(site));
  }

  function behave({ relay, url }: Site): void {
    const wasSilent = relay.faults().silent === true;
    relay.behave();
    // What it did not answer is lost to its connections, as no frame is on one that lives.
    if (wasSilent) network.restart(url);
  }

  function clone(from: number, onto: number): void {
    const [source, target] = [from, onto].map((i) => devicesByName.get(`device-${i}`));
    if (source === undefined || target === undefined || source.isDestroyed() || target.isDestroyed()) return;
    count('fault: disk cloned');
    oracle.cloned(source.name, target.name);
    target.become(source.disk.copy());
  }

  function perform(op: Op): void {
    trace('op', JSON.stringify(op));
    if (op.type === 'clone') return clone(op.from, op.onto);
    if ('device' in op) return actors[op.device]!.perform(op);
    const site = sites[op.relay]!;
    switch (op.type) {
      case 'relayDown':
        count('fault: relay down');
        site.relay.misbehave({ refuseConnections: true });
        network.restart(site.url);
        schedule.after(op.forMs, () => site.relay.misbehave({ refuseConnections: false }));
        return;
      case 'relayRestart':
        count('fault: relay restarts');
        return network.restart(site.url);
      case 'wipe':
        count('fault: relay wiped');
        return site.relay.wipe();
      case 'snapshot':
        site.snapshot = site.relay.events();
        return;
      case 'rollback':
        count('fault: relay rolled back');
        return site.relay.restore(site.snapshot);
      case 'challenge':
        return site.relay.challengeAll();
      case 'relayFault':
        for (const one of op.isEverywhere ? honest : [site]) fail(one, op.fault, op.forMs);
        return;
      case 'misbehave':
        if (site.config.isHostile) misbehaveAt(site, op.what);
        return;
    }
  }

  // Agreement

  /** Categories in which some write is refused for good: not everybody can have the same. */
  function exempt(): Set<string> {
    const found = new Set<string>();
    for (const { bytes, category, isCarried, isVoid } of oracle.signed.values()) {
      if (!isCarried || isVoid) continue;
      if (honest.some(({ config }) => bytes > config.maxEventBytes)) found.add(category);
    }
    for (const category of categories.filter(isTooMuch)) found.add(category);
    if (counts.has('fault: relay blocked')) for (const category of categories) found.add(category);
    if (haveForgotten())
      for (const category of categories)
        if (isDeletedAlone(category) || isOrphaned(category)) found.add(category);
    for (const { category, event } of lasting())
      if (event.created_at * 1000 > schedule.now() + FAR_MS) found.add(category);
    return found;
  }

  /** Whether it ends with a value of which a relay has refused pieces, or learned how large one may be: it is told so for good. */
  function isTooMuch(category: string): boolean {
    const isDeleted = counts.has('fault: relay pieces deleted');
    const isLimited = counts.has('fault: relay pieces too large');
    return existing().some(({ name }) => {
      const head = oracle.headOn(name, category);
      if (head === undefined) return false;
      return ((isDeleted || isLimited) && head.isInPieces) || (isLimited && head.bytes > LARGE_BYTES);
    });
  }

  /** Whether a relay may lack what it once had. */
  const haveForgotten = (): boolean =>
    counts.has('fault: relay wiped') || counts.has('fault: relay rolled back');

  /** Whether an honest relay was wiped between a tombstone and its deletion request, and so does not take what that names. */
  function isDeletedAlone(category: string): boolean {
    const dTag = `default/${category}/v1`;
    const isOf = (id: string | undefined): boolean => oracle.signed.get(id ?? '')?.category === category;
    return honest.some(({ relay }) => {
      const held = relay.events();
      const isThere = held.some(({ kind, tags }) => kind === 30_078 && tags.some((tag) => tag[1] === dTag));
      return !isThere && held.some(({ kind, tags }) => kind === 5 && tags.some(([, id]) => isOf(id)));
    });
  }

  /** Whether it ends with a value in pieces that was on its author's disk alone, which is gone, once the relays had forgotten it. */
  function isOrphaned(category: string): boolean {
    return existing().some(({ name }) => {
      const head = oracle.headOn(name, category);
      return head !== undefined && oracle.isOrphan(head) && isTorn(head.event.id);
    });
  }

  function headAt({ relay }: Pick<Site, 'relay'>, category: string): SignedEvent | undefined {
    const dTag = `default/${category}/v1`;
    return relay
      .events()
      .find(({ kind, tags }) => kind === 30_078 && tags.some(([, value]) => value === dTag));
  }

  function isNewerOn(url: string, category: string, head: SignedEvent): boolean {
    const held = headAt(
      sites.find((site) => site.url === url)!,
      category,
    );
    return held !== undefined && order(held, head) > 0;
  }

  const existing = (): Device[] => devices.filter(({ isDestroyed }) => !isDestroyed());

  /** Why the devices and the honest relays do not yet agree on a category; `undefined` where they do. */
  function disagreement(category: string): string | undefined {
    const heads = existing().map(({ name }) => ({ name, head: oracle.headOn(name, category) }));
    const first = heads.find(({ head }) => head !== undefined)?.head;
    for (const owed of oracle.owedOf(category)) {
      if (first === undefined || order(first.event, owed.event) < 0)
        return `${owed.event.id.slice(0, 8)} was promised and is nowhere`;
    }
    for (const { name, head } of heads) {
      if (head?.event.id !== first?.event.id)
        return `${name} has ${head?.event.id.slice(0, 8)}, another ${first?.event.id.slice(0, 8)}`;
    }
    if (first === undefined) return undefined;
    for (const site of honest) {
      const held = headAt(site, category);
      const { url, config } = site;
      const entry = held && oracle.signed.get(held.id);
      if (entry !== first)
        return `${url} (${config.flavour}) has ${held?.id.slice(0, 8)}, the devices ${first.event.id.slice(0, 8)}`;
    }
    return undefined;
  }

  /** What the engines have not yet brought to an honest relay, or not found out to be there; `undefined` where nothing is. */
  function unfinished(): string | undefined {
    const free = exempt();
    const removed = new Set<string>();
    for (const { category, event } of oracle.signed.values()) {
      if (event.tags.some(([name]) => name === 'deleted')) removed.add(category);
    }
    for (const { name, disk } of existing()) {
      for (const category of categories) {
        const raw = disk.durable.get(`head/${cipher.user.pubkey}/default/${category}/v1`);
        if (raw === undefined || free.has(category)) continue;
        const what = unprovenOn(
          raw,
          honest.map(({ url }) => url),
          // A relay that forgot a tombstone refuses what that had deleted, and has nothing newer to show.
          (url, head) => haveForgotten() && removed.has(category) && !isNewerOn(url, category, head),
        );
        if (what !== undefined) return `${name}, ${category}: ${what}, and nobody asks`;
      }
    }
    return undefined;
  }

  /** What a wrong clock has written on a relay that takes any stamp: apps reset it, again where another had not heard of that. */
  async function resetAll(): Promise<void> {
    for (let round = 0; round < MAX_RESETS; round++) {
      const far = categories.filter((category) =>
        [
          ...existing().map(({ name }) => oracle.headOn(name, category)?.event),
          ...honest.map((site) => headAt(site, category)),
        ].some((head) => head !== undefined && head.created_at * 1000 > schedule.now() + FAR_MS),
      );
      if (far.length === 0) return;
      count('sometimes: a value from the future is reset');
      for (const category of far) existing()[round % existing().length]!.app.reset(category);
      await schedule.advance(LOOK_MS);
      for (const device of existing()) device.app.look();
      await schedule.advance(LOOK_MS);
    }
  }

  /** No app asks for anything: timers of the engines alone bring all to its end. */
  async function finish(): Promise<void> {
    const since = schedule.now();
    let why: string | undefined;
    for (const device of devices) device.app.flush();
    do {
      await schedule.advance(STEP_MS);
      for (const device of devices) device.checkBounds();
      why = unfinished();
    } while (why !== undefined && schedule.now() < deadlineFrom(since));
    for (const device of existing()) await flushed(device);
    if (why !== undefined) oracle.violate('I14', why);
  }

  /**
   * Whether a piece of this value is on no honest relay and on none of these devices: its author is destroyed, and relays were wiped. And
   * no device sends again the pieces of what has been overwritten.
   */
  function isTorn(id: string, among: readonly Device[] = existing()): boolean {
    const held = new Set(honest.flatMap(({ relay }) => relay.events().map(addressIn)));
    const isHere = (dTag: string): boolean =>
      held.has(dTag) || among.some(({ disk }) => disk.durable.has(`piece/${pubkey}/${dTag}`));
    return oracle.parts.get(id)?.every(isHere) === false;
  }

  /** M6: what was overwritten unseen is merged, on every device that may, whatever has happened to it. */
  async function mergeAll(): Promise<void> {
    if (merging === undefined) return;
    const isShown = merging.settle === 'on-edit';
    const waiting = (): { readonly device: Device; readonly category: string; id: string } | undefined => {
      const free = exempt();
      for (const device of existing())
        for (const category of merged) {
          const raw = device.disk.durable.get(`head/${pubkey}/default/${category}/v1`);
          const id = free.has(category) ? undefined : rivalsIn(raw).find((one) => !isTorn(one, [device]));
          if (id !== undefined) return { device, category, id };
        }
      return undefined;
    };
    // What is still on its way is news to some.
    const isApart = (): boolean => {
      const free = exempt();
      return [...merged].some((one) => !free.has(one) && disagreement(one) !== undefined);
    };
    const first = waiting();
    if (first !== undefined && createChance(seed, 'killed before it merges').bool(0.5)) {
      count('sometimes: killed before it merges');
      first.device.crash('keep');
      first.device.start();
      merges.healed();
    }
    // As long as the longest wait.
    if (isShown) await schedule.advance(LOOK_MS * 2);
    const deadline = schedule.now() + MERGE_MS;
    for (let lookAt = 0; schedule.now() < deadline;) {
      const next = waiting();
      if (next === undefined && !isApart()) return;
      if (schedule.now() >= lookAt) {
        for (const device of devices) device.app.look();
        // With the next edit.
        if (next !== undefined && isShown) {
          next.device.app.checkShown(next.category);
          next.device.app.edit(next.category);
        }
        lookAt = schedule.now() + LOOK_MS / 5;
      }
      await schedule.advance(STEP_MS);
    }
    const left = waiting();
    // What cannot be read is not merged.
    if (left !== undefined && !oracle.isUnreadable())
      oracle.violate('M6', `${left.device.name}: ${left.id.slice(0, 8)} of ${left.category} is not merged`);
  }

  /** A relay that lacks one head that it had shown is given back all that the device has, though no app asks for the rest. */
  async function wipeAndAsk(): Promise<void> {
    const chance = createChance(seed, 'wipe');
    const device = existing()[0];
    if (device === undefined || !chance.bool(0.3)) return;
    const { relay, url } = chance.pick(honest);
    const free = exempt();
    const isThere = (category: string): boolean => {
      const head = oracle.headOn(device.name, category)?.event;
      const held = headAt({ relay }, category);
      return head !== undefined && held !== undefined && order(held, head) >= 0;
    };
    // A device that is behind learns of the newer head by the very question, and cannot know who had that.
    const isNewest = (category: string): boolean => {
      const head = oracle.headOn(device.name, category)?.event.id;
      return head !== undefined && honest.every((one) => headAt(one, category)?.id === head);
    };
    const had = categories.filter((category) => {
      const raw = device.disk.durable.get(`head/${cipher.user.pubkey}/default/${category}/v1`);
      if (raw === undefined || !isWholeIn(raw)) return false;
      const isConfirmed = unprovenOn(raw, [url], () => false) === undefined;
      return isConfirmed && !free.has(category) && isNewest(category);
    });
    if (had.length < 2) return;
    count('fault: relay wiped');
    count('sometimes: wiped, and asked for one');
    const asked = oracle.headOn(device.name, had[0]!)!;
    const wipedAt = schedule.now();
    relay.wipe();
    const deadline = schedule.now() + PATIENCE_MS;
    // Again: the first answer may be none, because the relay asks for AUTH and the signer takes its time.
    for (let askAt = 0; !had.every(isThere) && schedule.now() < deadline;) {
      if (schedule.now() >= askAt) {
        device.app.read(had[0]!, () => undefined);
        askAt = schedule.now() + LOOK_MS;
      }
      await schedule.advance(STEP_MS);
    }
    // A relay that is sent a newer one lacks nothing that it is asked for.
    if (oracle.headOn(device.name, had[0]!) !== asked) return;
    // Nor one to which another device, which may have nothing else, has given that back before this one was answered.
    const sentSince = [...asked.carriers].filter(([, at]) => at >= wipedAt).map(([name]) => name);
    if (sentSince.length > 0 && !sentSince.includes(device.name)) return;
    const lost = had.find((category) => !isThere(category));
    if (lost !== undefined) oracle.violate('I14', `${url} was wiped, and nobody gives it back ${lost}`);
  }

  /**
   * When the last value is over, or at least made, by its own word. A write of before that no relay took is not waited for: all refuse its
   * stamp, and its device, whose clock is right now, stamps it anew.
   */
  const latestStampMs = (): number => {
    const stamps = lasting().map(({ event, isTaken }) => {
      const end = event.tags.find(([name]) => name === 'expiration')?.[1];
      const isRestamped = !isTaken && honest.length === sites.length;
      return Math.max(isRestamped ? 0 : event.created_at, Number(end ?? 0)) * 1000;
    });
    return Math.max(0, ...stamps.filter((ms) => ms <= schedule.now() + FAR_MS));
  };

  /** A lenient relay may still take what is stamped in the future: that is then waited for. */
  const deadlineFrom = (since: number): number => Math.max(since, latestStampMs()) + PATIENCE_MS;

  /** What was stamped anew, or taken back, is owed to nobody, unless a relay has it after all: then it is a head again. */
  const lasting = (): Signed[] => {
    const heads = new Set(
      existing().flatMap(({ name }) => categories.map((category) => oracle.headOn(name, category))),
    );
    return [...oracle.signed.values()].filter((one) => !one.isVoid || heads.has(one));
  };

  async function agree(): Promise<void> {
    let watched: string[] = [];
    const since = schedule.now();
    let lookAt = 0;
    let why: string | undefined;
    while (schedule.now() < deadlineFrom(since)) {
      if (schedule.now() >= lookAt) {
        for (const device of devices) device.app.look();
        lookAt = schedule.now() + LOOK_MS;
      }
      await schedule.advance(STEP_MS);
      for (const device of devices) device.checkBounds();
      why = undefined;
      const free = exempt();
      watched = categories.filter((category) => !free.has(category));
      for (const category of watched) why ??= disagreement(category);
      if (why === undefined && lookAt - schedule.now() < LOOK_MS - 2 * STEP_MS) break;
    }
    count(watched.length === categories.length ? 'agreement: whole' : 'agreement: in part');
    if (why !== undefined) return oracle.violate('I4', why);
    // The pieces of a large value may come after its head: until then the former value is shown.
    let wrong: string[] = [];
    for (let left = READS; left > 0; left--) {
      wrong = [];
      for (const device of existing())
        for (const category of watched) device.app.read(category, (message) => wrong.push(message));
      await answered();
      // Also the pieces of a value that is not looked for come.
      await schedule.advance(60_000);
      if (wrong.length === 0) break;
      count('sometimes: read before its pieces came');
      await schedule.advance(LOOK_MS);
    }
    if (wrong.length > 0) return oracle.violate('I4', wrong[0]!);
    for (const device of existing()) for (const category of watched) device.app.checkTold(category);
  }

  /** A store that has left a question without an answer has let the engine wait until now, or longer. */
  async function flushed({ name, app }: Device): Promise<void> {
    let isChecked = false;
    void app.checkFlushed().then(() => {
      isChecked = true;
    });
    for (let turn = 0; !isChecked && turn < 10; turn++) await schedule.settle();
    for (let waitedMs = 0; !isChecked && waitedMs < CALL_MS; waitedMs += STEP_MS)
      await schedule.advance(STEP_MS);
    if (!isChecked) oracle.violate('I14', `${name}: its status has no answer after ${CALL_MS / 1000} s`);
  }

  /** Every call of an app has its answer in time. */
  async function answered(): Promise<void> {
    const waiting = (): Device | undefined => existing().find(({ unanswered }) => unanswered() > 0);
    for (let waitedMs = 0; waitedMs < CALL_MS; waitedMs += STEP_MS) {
      await schedule.advance(STEP_MS);
      if (waiting() === undefined) return;
    }
    const { name, unanswered } = waiting()!;
    oracle.violate('I14', `${name}: ${unanswered()} calls have no answer after ${CALL_MS / 1000} s`);
  }

  function checkMerged(): void {
    if (oracle.violations.length > 0) return;
    const free = exempt();
    const first = existing()[0];
    for (const category of merged) {
      const head = first && oracle.headOn(first.name, category);
      if (head !== undefined && !free.has(category)) merges.final(category, head);
    }
    merges.finalWrites();
  }

  async function run(): Promise<void> {
    for (const actor of actors) actor.start();
    for (const op of scenario.ops) schedule.after(op.at, () => perform(op));
    for (let passed = 0; passed < scenario.chaosMs; passed += 2_000) {
      await schedule.advance(2_000);
      for (const device of devices) device.checkBounds();
    }
    // Restarts and ends of faults that are still to come have 90 s.
    trace('heal');
    for (const site of sites) {
      if (!site.config.isStubborn) behave(site);
      else count('sometimes: hostile to the end');
      for (const { name } of actors) network.setLine(name, site.url, 'up');
    }
    for (const actor of actors) actor.heal();
    merges.healed();
    await resetAll();
    await finish();
    await mergeAll();
    await wipeAndAsk();
    await agree();
    checkMerged();
    for (const { url, relay } of honest) oracle.finalRejections(url, relay.events());

    trace('restart');
    for (const reference of references) reference.stop();
    for (const { name } of actors) for (const url of urls) network.setLine(name, url, 'cut');
    for (const device of existing()) {
      device.crash('drop');
      device.start();
    }
    await schedule.advance(1_000);
    const free = exempt();
    for (const device of existing())
      for (const category of categories) device.app.readLocally(category, !free.has(category));
    await answered();
    for (const device of existing()) void device.close();
    await answered();
    for (const { name, disk } of existing()) oracle.finalMedium(name, disk.durable);
  }

  try {
    await run();
  } catch (error) {
    oracle.violate('I7', `the run ended: ${error instanceof Error ? error.stack : String(error)}`);
  }
  for (const { at, invariant, message } of oracle.violations) trace('violation', at, invariant, message);
  const violations = oracle.violations.map((violation) => ({ ...violation, at: violation.at - START_MS }));
  return { violations, traceHash, counts, steps: schedule.steps() };
}
