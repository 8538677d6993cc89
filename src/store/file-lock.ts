/** The lock of a file store's folder: one process at a time, and none that is dead. */

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm } from 'node:fs/promises';
import { NostrSyncError } from '../errors.ts';
import { errorCode, linkIfAbsent, quote, readIfPresent, writeFlushed } from './files.ts';

//
/** Each failed attempt means that another process took or released the lock in that moment. */
const LOCK_ATTEMPTS = 10;

// Node has no flock. The lock is a file that names its holder, made complete under another name and then linked into
// place, so nobody ever reads half of it. A lock whose holder is dead may be replaced only by whoever holds a second
// lock named after the dead holder's token, and only while the first still is that dead holder's. So of many takers
// exactly one wins; and a taker that dies in between leaves a second lock that is stale itself and taken the same way.

export interface Lock {
  /** Rejects when the lock is no longer ours, because someone removed it: writing on would mix two logs. */
  verify(): Promise<void>;
  release(): Promise<void>;
}

export interface LockHolder {
  readonly pid: number;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly started: string | null;
  readonly token: string;
}

export async function acquireLock(path: string, folder: string): Promise<Lock> {
  const self: LockHolder = {
    pid: process.pid,
    started: await processStart(process.pid),
    token: randomUUID(),
  };
  const content = Buffer.from(JSON.stringify(self));
  const candidate = `${path}.${self.token}.new`;
  await writeFlushed(candidate, content);
  try {
    for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
      if (await linkIfAbsent(candidate, path)) return heldLock(path, content, folder);
      const found = await readIfPresent(path);
      if (!found) continue;
      const holder = parseHolder(found);
      if (holder && (await isAlive(holder))) {
        throw new NostrSyncError(
          'STORE_FAILED',
          `Cannot open the store in ${quote(folder)}: process ${holder.pid} is using it`,
        );
      }
      const claim = await acquireLock(`${path}.${holder?.token ?? 'unreadable'}`, folder);
      try {
        if ((await readIfPresent(path))?.equals(found)) {
          await rename(candidate, path);
          return heldLock(path, content, folder);
        }
      } finally {
        await claim.release();
      }
    }
    throw new Error('other processes keep taking and releasing its lock');
  } finally {
    await rm(candidate, { force: true });
  }
}

function heldLock(path: string, content: Buffer, folder: string): Lock {
  const isOurs = async (): Promise<boolean> => (await readIfPresent(path))?.equals(content) ?? false;
  return {
    async verify() {
      if (await isOurs()) return;
      throw new NostrSyncError(
        'STORE_FAILED',
        `Cannot save to the store in ${quote(folder)}: its lock was taken away`,
      );
    },
    async release() {
      if (await isOurs()) await rm(path, { force: true });
    },
  };
}

function parseHolder(bytes: Buffer): LockHolder | undefined {
  try {
    const { pid, started, token } = JSON.parse(bytes.toString()) as Record<keyof LockHolder, unknown>;
    const isValid =
      Number.isSafeInteger(pid) &&
      (pid as number) > 0 &&
      (started === null || typeof started === 'string') &&
      // It becomes part of a file name.
      typeof token === 'string' &&
      /^[0-9a-f-]{36}$/.test(token);
    return isValid ? { pid: pid as number, started, token } : undefined;
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

/** Boot id and start tick of a process, from /proc (proc(5), stat field 22); null where there is no such process or /proc. */
async function processStart(pid: number): Promise<string | null> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Field 2, the command, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTick] = [fields[0], fields[19]];
    return state === 'Z' || startTick === undefined ? 'exited' : `${boot.trim()}/${startTick}`;
  } catch {
    return null;
  }
}
