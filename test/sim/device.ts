/** A device of the user: its disk, its processes, its signer, and what happens to them. */

import { isNostrSyncError } from '../../src/errors.ts';
import { createNostrSync } from '../../src/node.ts';
import { zlibCompression } from '../support/zlib-compression.ts';
import { createApp, type App, type Tab } from './app.ts';
import { createChance } from './chance.ts';
import { createDisk, type CrashMode, type Disk } from './disk.ts';
import { categoriesOf } from './merging-app.ts';
import { createMachine, startProcess, type Process } from './machine.ts';
import {
  LARGEST_PAYLOAD_BYTES,
  type AppOp,
  type CrashPoint,
  type DeviceConfig,
  type DeviceOp,
  type SignerFault,
} from './scenario.ts';
import { createSigner, type SignerPorts } from './signer.ts';
import { createTabSet } from './tabs.ts';
import type { World } from './world.ts';

export interface Device {
  readonly name: string;
  readonly config: DeviceConfig;
  readonly disk: Disk;
  readonly app: App;
  isDestroyed(): boolean;
  start(): void;
  perform(op: AppOp | DeviceOp): void;
  onSend(process: Process): void;
  onReceive(process: Process, frame: string): void;
  crash(mode: CrashMode): void;
  /** Starts anew with these entries on its disk. */
  become(entries: Map<string, string>): void;
  /** Awake, with a healthy disk and signer, the right time, all relays, all tabs and a signer in each. */
  heal(): void;
  /** Calls of the app that have had no answer, `close` among them; `flush` apart, which may wait for ever. */
  unanswered(): number;
  /** Closes every engine, and checks that nothing of it is left. */
  close(): Promise<void>;
  checkBounds(): void;
}

const MAX_TIMERS_PER_PAIR = 6;
/** That a category may have, its newest included. */
const MOST_VERSIONS = 21;
/** What a store or a signer leaves open has its answer by then, in ms. */
const HANGING_MS = 60_000;
/** By then another tab has the connections of one that is suspended. */
const TAKE_OVER_MS = 10_000;

export function createDevice(name: string, number: number, config: DeviceConfig, world: World): Device {
  const { schedule, oracle, count } = world;
  const chance = createChance(world.seed, name);
  const machine = createMachine(name, config.skewMs, schedule);
  let tabSet = createTabSet(chance);
  let tabs: Tab[] = [];
  let isDestroyed = false;
  let isOffline = false;
  let signerFault: SignerFault | 'none' = 'none';
  const hadFaults = { signer: false, silence: false, store: false, hanging: false };
  let armed: Extract<DeviceOp, { readonly type: 'crash' }> | undefined;
  let backup: Map<string, string> | undefined;
  let lastEoseAt = -1;
  let runs = 0;
  /** Since when the tabs have been left to themselves: no crash, no sleep, no fault of the store. */
  let calmSince = 0;
  /** When each process last opened a socket. */
  const connectedAt = new Map<Process, number>();
  /** Engines that are being closed. */
  const closing = new Set<Tab>();

  const disk = createDisk({
    chance: createChance(world.seed, name, 'disk'),
    flushMs: config.flushMs,
    after: (delayMs, task) => void schedule.after(delayMs, () => machine.run(task)),
    onFlushed: (changes) => {
      world.trace(name, 'flushed', ...[...changes].map(([key, value]) => `${key}=${value}`));
      oracle.onFlush(name, changes);
      world.merges.onFlush(name, changes);
    },
    onPoint: (point, process) => reach(point, process),
    count,
  });

  const signerPorts: SignerPorts = {
    ...{ name, world, chance, signerMs: config.signerMs },
    hasWaited: () => hadFaults.hanging,
    fault: () => signerFault,
    onFaultOver: () => {
      signerFault = 'none';
    },
    onCall: (process) => reach('sign', process),
  };
  const app = createApp({
    ...{ name, number, config, world, chance, disk, machine, hadFaults },
    tabs: () => tabs,
    createSigner: (tab, state) => createSigner(signerPorts, tab.process, state, tab.written),
    lastEoseAt: () => lastEoseAt,
  });

  const restless = (forMs: number): void => world.merges.restless(name, forMs);

  // Crashes

  function reach(point: CrashPoint, process: Process): void {
    if (armed?.point !== point) return;
    const { isTab, mode, restartMs } = armed;
    armed = undefined;
    die(point, isTab ? process : undefined, mode, restartMs);
  }

  function die(point: CrashPoint, only: Process | undefined, mode: CrashMode, restartMs: number): void {
    count(`crash: ${point}`);
    restless(restartMs);
    world.trace(name, 'crash', point);
    oracle.crashed(name);
    if (only !== undefined && tabs.length > 1) {
      count('crash: a tab');
      // It may have taken the place of one that sleeps.
      calmSince = schedule.now();
      only.kill();
      tabs = tabs.filter(({ process }) => process !== only);
      schedule.after(restartMs, () => {
        if (isRunning() && tabs.length < config.tabs) openTab();
      });
      return;
    }
    crash(mode);
    schedule.after(restartMs, start);
  }

  function crash(mode: CrashMode): void {
    armed = undefined;
    calmSince = schedule.now();
    restless(0);
    oracle.crashed(name);
    for (const { process } of [...tabs.splice(0), ...closing]) process.kill();
    closing.clear();
    machine.losePower();
    const isLost = disk.losePower(mode);
    count(`crash: power lost, ${mode}`);
    if (isLost) count(`sometimes: unflushed batch lost, ${mode}`);
  }

  const isRunning = (): boolean => tabs.length > 0;

  // Processes

  function start(): void {
    if (isRunning() || isDestroyed || closing.size > 0) return;
    tabSet = createTabSet(chance);
    // What a process had saved when it died is on the medium, and was not told.
    oracle.forgetUntold(name);
    for (let i = 0; i < config.tabs; i++) openTab();
  }

  function openTab(): void {
    const run = ++runs;
    const process = startProcess(machine, schedule);
    const entropy = createChance(world.seed, name, 'entropy', run);
    const open = world.network.openSocket(process);
    let wake = (): void => undefined;
    const sync = createNostrSync({
      relays: world.urls,
      store: disk.open(process, config.tabs > 1),
      clock: process.clock,
      randomBytes: (length) => entropy.bytes(length),
      openSocket: (url, handlers) => {
        connectedAt.set(process, schedule.now());
        return open(url, handlers);
      },
      verifier: {
        ...world.cipher.verifier,
        verifySignature: (event) => {
          oracle.onVerify(event);
          return world.cipher.verifier.verifySignature(event);
        },
      },
      compression: zlibCompression,
      maxPayloadSize: LARGEST_PAYLOAD_BYTES,
      ...categoriesOf(world, number),
      tabs: tabSet.open(process),
      connectivity: {
        isOnline: () => !isOffline,
        onChange: (callback) => {
          wake = process.guard(callback);
          return () => {
            wake = () => undefined;
          };
        },
      },
    });
    tabs.push(app.open(process, `${name}.${run}`, sync, () => wake()));
  }

  function perform(op: AppOp | DeviceOp): void {
    switch (op.type) {
      case 'restore':
        return restore();
      case 'destroy':
        return destroy();
      case 'line':
        world.network.setLine(name, world.urls[op.relay]!, op.state);
        count(`fault: line ${op.state}`);
        schedule.after(op.forMs, () => world.network.setLine(name, world.urls[op.relay]!, 'up'));
        return;
      case 'offline':
        count('fault: offline');
        setOffline(true);
        schedule.after(op.forMs, () => setOffline(false));
        return;
      case 'backup':
        backup = disk.copy();
        return;
      case 'jumpClock':
        count(Math.abs(op.byMs) < 86_400_000 ? 'fault: clock jumps' : 'fault: clock off by days');
        machine.skewMs += op.byMs;
        return;
      case 'signerFault':
        signerFault = op.fault;
        restless(op.forMs + HANGING_MS);
        hadFaults.signer = true;
        hadFaults.silence ||= op.fault !== 'refuse once' && op.fault !== 'late';
        schedule.after(op.forMs, () => {
          signerFault = 'none';
        });
        return;
      case 'storeFault':
        hadFaults.store = true;
        restless(op.forMs);
        calmSince = schedule.now() + op.forMs;
        count('fault: store');
        disk.failing = { updates: op.updates, reads: op.reads };
        schedule.after(op.forMs, () => {
          disk.failing = { updates: 0, reads: 0 };
        });
        return;
      case 'storeHang':
        hadFaults.store = true;
        hadFaults.hanging = true;
        // The last of what hangs has its answer later.
        calmSince = schedule.now() + op.forMs + HANGING_MS;
        restless(op.forMs + HANGING_MS);
        disk.hanging = op.likely;
        schedule.after(op.forMs, () => {
          disk.hanging = 0;
        });
        return;
      default:
    }
    const awake = tabs.filter(({ process }) => !process.isSuspended());
    const tab = awake.length === 0 ? undefined : chance.pick(awake);
    if (tab === undefined || machine.isAsleep() || tab.isClosed) return;
    switch (op.type) {
      case 'wake':
        return tab.wake();
      case 'suspend':
        return suspend(op.forMs);
      case 'sleep':
        calmSince = schedule.now() + op.forMs;
        count('fault: sleep');
        restless(op.forMs);
        leaveSigners();
        machine.sleep();
        schedule.after(op.forMs, () => {
          if (!machine.isAsleep()) return;
          machine.wakeUp();
          for (const { wake } of tabs) wake();
        });
        return;
      case 'crash':
        if (op.point === 'now') die('now', op.isTab ? tab.process : undefined, op.mode, op.restartMs);
        else armed = op;
        return;
      case 'close':
        count('call: close');
        restless(op.restartMs);
        void close().then(() => void schedule.after(op.restartMs, start));
        return;
      default:
        return app.perform(tab, op);
    }
  }

  /** What was on its way is lost without a word; the platform says so. */
  function setOffline(how: boolean): void {
    isOffline = how;
    for (const url of world.urls) world.network.setLine(name, url, how ? 'hole' : 'up');
    for (const { wake } of tabs) wake();
  }

  /** Whoever wakes up finds that it has waited for long. */
  function leaveSigners(): void {
    for (const { signer } of tabs) if (signer !== undefined) signer.isLeft = true;
  }

  function suspend(forMs: number): void {
    if (tabs.length < 2) return;
    const leading = tabs.find(({ process }) => world.network.socketsOf(process) > 0);
    const { process } = leading ?? chance.pick(tabs);
    count('fault: a tab is suspended');
    restless(forMs);
    leaveSigners();
    const since = schedule.now();
    process.suspend();
    schedule.after(forMs, process.resume);
    if (leading === undefined || forMs <= TAKE_OVER_MS) return;
    schedule.after(TAKE_OVER_MS, () => checkTakeOver(process, since));
  }

  /** Those who are awake do not wait for one that sleeps. */
  function checkTakeOver(sleeper: Process, since: number): void {
    const others = tabs.filter(({ process, isClosed }) => !process.isSuspended() && !isClosed);
    const isCalm = calmSince < since && !machine.isAsleep() && sleeper.isAlive() && sleeper.isSuspended();
    // What one of them has removed none of them has.
    const hasRelay = world.urls.some((url) => others.every(({ relays }) => relays.has(url)));
    if (!isCalm || !hasRelay || !others.some(({ readyAt }) => readyAt < since)) return;
    if (others.some(({ process }) => (connectedAt.get(process) ?? 0) >= since))
      return count('sometimes: another tab takes over');
    oracle.violate('I14', `${name}: the tab that leads sleeps, and no other takes its place`);
  }

  function restore(): void {
    if (backup === undefined || isDestroyed) return;
    count('fault: backup restored');
    become(backup);
  }

  function become(entries: Map<string, string>): void {
    crash('drop');
    disk.restore(entries);
    oracle.restored(name, entries);
    start();
  }

  function destroy(): void {
    if (isDestroyed) return;
    count('fault: device destroyed');
    crash('drop');
    isDestroyed = true;
    oracle.destroyed(name);
  }

  async function close(): Promise<void> {
    armed = undefined;
    oracle.forgetUntold(name);
    for (const { process } of tabs) process.resume();
    await Promise.all(
      tabs.splice(0).map(async (tab) => {
        tab.isClosed = true;
        closing.add(tab);
        if (tab.signer !== undefined) tab.signer.isCleared = true;
        await tab.sync.close().catch((error: unknown) => {
          if (!isNostrSyncError(error))
            oracle.violate('I10', `${name}: close rejected with ${String(error)}`);
        });
        // What `close` has settled cancels its own timers.
        await schedule.settle();
        const sockets = world.network.socketsOf(tab.process);
        const timers = tab.process.timers();
        if (tab.process.isAlive() && sockets > 0)
          oracle.violate('I10', `${name}: ${sockets} sockets after close`);
        if (tab.process.isAlive() && timers.length > 0)
          oracle.violate('I10', `${name}: timers after close: ${timers.join(', ')} ms`);
        if (tab.process.isAlive() && tab.calls > 0)
          oracle.violate('I14', `${name}: ${tab.calls} calls have no answer after close`);
        closing.delete(tab);
        tab.process.kill();
      }),
    );
  }

  return {
    name,
    config,
    disk,
    app,
    isDestroyed: () => isDestroyed,
    start,
    perform,
    onSend: (process) => reach('send', process),
    onReceive: (process, frame) => {
      if (frame.startsWith('["EOSE"') || frame.startsWith('["NEG-MSG"')) lastEoseAt = schedule.now();
      reach('receive', process);
    },
    crash,
    become,
    heal: () => {
      if (isDestroyed) return;
      armed = undefined;
      signerFault = 'none';
      disk.failing = { updates: 0, reads: 0 };
      disk.hanging = 0;
      machine.skewMs = 0;
      isOffline = false;
      if (machine.isAsleep()) machine.wakeUp();
      if (closing.size > 0) crash('keep');
      start();
      while (tabs.length < config.tabs) openTab();
      for (const tab of tabs) {
        tab.process.resume();
        app.heal(tab);
        tab.wake();
      }
    },
    unanswered: () =>
      tabs.reduce((sum, { calls, isFlushing }) => sum + calls - Number(isFlushing), closing.size),
    close,
    checkBounds: () => {
      app.checkLosses();
      for (const { process, calls } of tabs) {
        const sockets = world.network.socketsOf(process);
        const pairs = world.urls.length * (world.categories.length + 2);
        if (sockets > world.urls.length) oracle.violate('I10', `${name}: ${sockets} sockets at once`);
        // A call of `history` reads each version of a category from the store, which has a deadline.
        const forCalls = calls * (world.merging === undefined ? MAX_TIMERS_PER_PAIR : MOST_VERSIONS);
        if (process.timers().length > 10 + MAX_TIMERS_PER_PAIR * pairs + forCalls)
          oracle.violate('I10', `${name}: ${process.timers().length} timers at once`);
      }
    },
  };
}
