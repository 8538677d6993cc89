/** Locks and channels between the tabs of one device, in virtual time. */

import type { Tabs } from '../../src/tabs/tabs.ts';
import { createTabHub } from '../support/tab-hub.ts';
import type { Chance } from './chance.ts';
import type { Process } from './machine.ts';

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
  const hub = createTabHub(copyOf);
  return {
    open: (process) =>
      hub.open({
        isAlive: process.isAlive,
        whenGranted: (callback) => void process.after(chance.int(0, 2), callback),
        whenDelivered: (callback) => void process.after(1, callback),
        onEnd: process.onEnd,
      }),
  };
}
