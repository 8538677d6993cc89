/** The lock of a file store's folder: one process at a time, and none that is dead. */

import { randomUUID } from 'node:crypto';
import { lstat, readFile, readlink, rename, rm, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { systemClock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { errorCode, ifPresent, linkIfAbsent, openFile, quote, writeAt, writeFlushed } from './files.ts';

/** Each failed attempt means that another process took or released the lock in that moment. */
const LOCK_ATTEMPTS = 10;
/** How often a holder shows that it lives. */
const BEAT_MS = 2_000;
/** A lock without a sign of life for so long is free. */
const SILENCE_MS = 10_000;
const LOOK_MS = 500;

// Node has no flock. The lock is a file that names its holder, made complete under another name and then linked into
// place, so a reader never finds half of it; its holder touches it every two seconds. If both processes know each other by
// their pids, a taker asks the system whether the holder is dead. If not, as from another container on the same volume,
// the taker watches for a sign of life.
// To replace the lock of a dead or silent holder, a taker must hold a second lock, named after that holder's token, and the
// first must still be as it was. So of many takers exactly one wins. A taker that dies in between leaves a second lock,
// which is stale itself and is taken in the same way.

export interface Lock {
  /** Whether the former holder may be alive, and only too slow to show it: what it still writes must do no harm. */
  readonly isFromLiving: boolean;
  /** Rejects when the lock is no longer ours, because someone removed it: writing on would mix two logs. */
  verify(): Promise<void>;
  release(): Promise<void>;
}

export interface LockHolder {
  readonly pid: number;
  /** Processes with the same one know each other by their pids: of one boot and pid namespace, or else of one host. */
  readonly place: string;
  /** Tells a process from a later one with the same pid; null if the system does not say. */
  readonly started: string | null;
  readonly token: string;
}

/** What is found at the lock's name. */
interface Found {
  /** Changes with every sign of life. */
  readonly trace: string;
  readonly touchedAt: number;
  readonly isFile: boolean;
  /** Absent if it is no lock of ours: half a file that a power cut has left, a folder, a link. */
  readonly holder?: LockHolder | undefined;
}

export async function acquireLock(path: string, folder: string): Promise<Lock> {
  const self: LockHolder = {
    pid: process.pid,
    place: await ownPlace(),
    started: await processStart(process.pid),
    token: randomUUID(),
  };
  const content = Buffer.from(JSON.stringify(self));
  const candidate = `${path}.${self.token}.new`;
  await writeFlushed(candidate, (handle) => writeAt(handle, content, 0));
  try {
    for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
      if (await linkIfAbsent(candidate, path)) return heldLock(path, content, folder, false);
      const found = await look(path);
      if (!found) continue;
      const state = await watch(path, found, self.place);
      if (state === 'alive') {
        const where = found.holder?.place === self.place ? '' : ' of another container or machine';
        throw new NostrSyncError(
          'STORE_FAILED',
          `Cannot open the store in ${quote(folder)}: process ${found.holder?.pid}${where} is using it`,
        );
      }
      const claim = await acquireLock(`${path}.${found.holder?.token ?? 'unreadable'}`, folder);
      try {
        if ((await look(path))?.trace !== found.trace) continue;
        if (found.isFile) {
          // The wait may have made it old.
          await touch(candidate);
          await rename(candidate, path);
          return heldLock(path, content, folder, state === 'silent');
        }
        // No file takes the place of a folder.
        await rm(path, { recursive: true, force: true });
      } finally {
        await claim.release();
      }
    }
    throw new Error('other processes keep taking and releasing its lock');
  } finally {
    await rm(candidate, { force: true });
  }
}

function heldLock(path: string, content: Buffer, folder: string, isFromLiving: boolean): Lock {
  const isOurs = async (): Promise<boolean> => (await readLock(path))?.equals(content) ?? false;
  const beat = async (): Promise<void> => {
    if (await isOurs()) await touch(path);
  };
  // A store that is open keeps no process alive.
  const beating = setInterval(() => void beat().catch(() => undefined), BEAT_MS).unref();
  return {
    isFromLiving,
    async verify() {
      if (await isOurs()) return;
      throw new NostrSyncError(
        'STORE_FAILED',
        `Cannot save to the store in ${quote(folder)}: its lock was taken away`,
      );
    },
    async release() {
      clearInterval(beating);
      if (await isOurs().catch(() => false)) await rm(path, { force: true });
    },
  };
}

async function touch(path: string): Promise<void> {
  const seconds = systemClock.now() / 1_000;
  await utimes(path, seconds, seconds);
}

async function readLock(path: string): Promise<Buffer | undefined> {
  const handle = await ifPresent(openFile(path));
  try {
    return await handle?.readFile();
  } finally {
    await handle?.close();
  }
}

async function look(path: string): Promise<Found | undefined> {
  const stats = await ifPresent(lstat(path));
  if (!stats) return undefined;
  const { ino, mtimeMs } = stats;
  const trace = `${ino}/${mtimeMs}`;
  if (!stats.isFile()) return { trace, touchedAt: mtimeMs, isFile: stats.isSymbolicLink() };
  const content = await readLock(path);
  return content && { trace, touchedAt: mtimeMs, isFile: true, holder: parseHolder(content) };
}

/** Waits for a sign of life, if nothing else tells whether the holder lives. */
async function watch(path: string, found: Found, ownPlace: string): Promise<'alive' | 'dead' | 'silent'> {
  const { holder, touchedAt, trace } = found;
  if (!holder) return 'dead';
  const isNear = holder.place === ownPlace;
  if (isNear && !(await isAlive(holder))) return 'dead';
  const age = systemClock.now() - touchedAt;
  const isFresh = age >= 0 && age < SILENCE_MS;
  if (isNear && isFresh) return 'alive';
  // A process that is there gets the whole time, however old its last sign: the machine may have slept.
  const end = isNear || age < 0 ? SILENCE_MS : SILENCE_MS - age;
  for (let waited = 0; waited < end; waited += LOOK_MS) {
    await setTimeout(LOOK_MS);
    const now = await look(path);
    if (now === undefined) return 'dead';
    if (now.trace !== trace) return 'alive';
  }
  return 'silent';
}

function parseHolder(bytes: Buffer): LockHolder | undefined {
  try {
    const { pid, place, started, token } = JSON.parse(bytes.toString()) as Record<keyof LockHolder, unknown>;
    const isValid =
      Number.isSafeInteger(pid) &&
      (pid as number) > 0 &&
      typeof place === 'string' &&
      (started === null || typeof started === 'string') &&
      // It becomes part of a file name.
      typeof token === 'string' &&
      /^[0-9a-f-]{36}$/.test(token);
    return isValid ? { pid: pid as number, place, started, token } : undefined;
  } catch {
    return undefined;
  }
}

/** When in doubt, a holder counts as alive: better a clear error than two writers. */
async function isAlive(holder: LockHolder): Promise<boolean> {
  const started = await processStart(holder.pid);
  if (started !== null && holder.started !== null) return started === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

async function ownPlace(): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()}/${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Start tick of a process, from /proc (proc(5), stat field 22); null if there is no such process or no /proc. */
async function processStart(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Field 2, the command, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTick] = [fields[0], fields[19]];
    return state === 'Z' || startTick === undefined ? 'exited' : startTick;
  } catch {
    return null;
  }
}
