/** Locks and channels between the tabs of one device, in virtual time. */

import type { Tabs } from '../../src/tabs/tabs.ts';
import type { Chance } from './chance.ts';
import type { Process } from './machine.ts';

interface Member {
  readonly onMessage: (message: unknown) => void;
  readonly after: (delayMs: number, callback: () => void) => void;
}

/** What arrives of a message. Most are plain data, for which this is many times faster than `structuredClone`. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null)
    return typeof value === 'function' ? structuredClone(value) : value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (Object.getPrototypeOf(value) !== Object.prototype) return structuredClone(value);
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) copy[key] = copyOf(member);
  return copy;
}

export interface TabSet {
  open(process: Process): Tabs;
}

export function createTabSet(chance: Chance): TabSet {
  const locks = new Map<string, { readonly onHeld: () => void; readonly after: Process['after'] }[]>();
  const channels = new Map<string, Set<Member>>();

  function grant(name: string): void {
    const first = locks.get(name)?.[0];
    if (first === undefined) return;
    first.after(chance.int(0, 2), () => {
      if (locks.get(name)?.[0] === first) first.onHeld();
    });
  }

  return {
    open: (process) => ({
      hold: (name, onHeld) => {
        if (!process.isAlive) return () => undefined;
        const request = { onHeld, after: process.after };
        const queue = locks.get(name) ?? [];
        locks.set(name, queue);
        if (queue.push(request) === 1) grant(name);
        const release = (): void => {
          const place = queue.indexOf(request);
          if (place === -1) return;
          queue.splice(place, 1);
          if (place === 0) grant(name);
        };
        process.onEnd(release);
        return release;
      },
      join: (name, onMessage) => {
        const members = channels.get(name) ?? new Set();
        channels.set(name, members);
        const member: Member = { onMessage, after: process.after };
        members.add(member);
        const close = (): void => void members.delete(member);
        process.onEnd(close);
        return {
          post: (message) => {
            if (!process.isAlive) return;
            for (const other of members) {
              if (other === member) continue;
              const copy = copyOf(message);
              // All the same delay: a channel keeps the order of one sender.
              other.after(1, () => {
                if (members.has(other)) other.onMessage(copy);
              });
            }
          },
          close,
        };
      },
    }),
  };
}
