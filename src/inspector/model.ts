/** What the inspector knows, and what an event changes in it. Pure. */

import type { RelayInfo } from '../relay/connection.ts';
import type { FetchResult, SyncEvents } from '../sync/events.ts';
import type { VersionInfo } from '../sync/history.ts';
import type { CategoryRow } from '../sync/inspecting.ts';
import type { MergeClash } from '../sync/merging/merger.ts';
import type { SyncStatus } from '../sync/status.ts';

export const TABS = ['values', 'relays', 'conflicts', 'log'] as const;
export type Tab = (typeof TABS)[number];

const MAX_LINES = 300;
const MAX_MEETINGS = 50;

/** A line of the log: no payload, and no key. */
export interface Line {
  /** Its number, from 1, in the order of the events. */
  readonly key: string;
  /** When the event came, Unix time in ms. */
  readonly at: number;
  readonly type: keyof SyncEvents;
  readonly text: string;
}

/** One value of several that devices wrote without seeing each other, or what was made of them. */
export type Side = readonly [role: 'base' | 'mine' | 'theirs' | 'result', value: FetchResult];

/** Told by `conflict` or `merged`. */
export interface Meeting {
  /** As of a line. */
  readonly key: string;
  readonly at: number;
  readonly category: string;
  readonly sides: readonly Side[];
  /** What became of them: `'merged'`, or which of them is the value. */
  readonly outcome: string;
  readonly clashes: readonly MergeClash[];
}

export interface Model {
  readonly tab: Tab;
  readonly rows: readonly CategoryRow[];
  readonly relays: readonly RelayInfo[];
  readonly status?: SyncStatus;
  /** Newest first. */
  readonly meetings: readonly Meeting[];
  /** Newest first. */
  readonly log: readonly Line[];
  /** How many events have come. */
  readonly count: number;
  /** What is kept of the categories that are unfolded, newest first. */
  readonly histories: ReadonlyMap<string, readonly VersionInfo[]>;
  /** What a person has asked for: payloads as text, by event id, and keys of meetings. */
  readonly shown: ReadonlyMap<string, string>;
  /** Why the engine cannot be asked. */
  readonly problem?: string | undefined;
  /** What a screen reader is to say. */
  readonly said: string;
}

/** What a person can do. */
export interface Acts {
  choose(tab: Tab): void;
  /** Unfolds a category, or folds it. */
  fold(category: string): void;
  /** Puts a payload on the screen, or with no category those of the meeting with this key; or takes it off again. */
  show(category: string, id: string): void;
  restore(category: string, eventId: string): void;
}

export const EMPTY: Model = {
  ...{ tab: 'values', rows: [], relays: [], meetings: [], log: [], count: 0 },
  ...{ histories: new Map(), shown: new Map(), said: '' },
};

/** Of a result: what a person reads of it. */
export function textOf({ payload, deleted }: Pick<FetchResult, 'payload' | 'deleted'>): string {
  return deleted ? 'removed' : JSON.stringify(payload, null, 2);
}

/** With every payload forgotten: no plaintext is kept while the app is locked. */
export function locked(model: Model): Model {
  return { ...model, meetings: [], shown: new Map() };
}

/** What is written down of an event: numbers with their names. */
const TOLD = [
  ...['category', 'stage', 'shown', 'deviceId', 'url', 'state', 'auth', 'lastError'],
  ...['code', 'message', 'connectedRelayCount', 'pendingChanges'],
];

/** With an event that came at `at`, Unix time in ms. */
export function heard(model: Model, type: keyof SyncEvents, event: object, at: number): Model {
  const about = event as Readonly<Record<string, string | number | null | undefined>>;
  const count = model.count + 1;
  const when = { key: `${count}`, at };
  const text = TOLD.flatMap((name) => {
    const value = about[name];
    return value == null ? [] : typeof value === 'string' ? value : `${name}: ${value}`;
  }).join(', ');
  const log = [{ ...when, type, text }, ...model.log].slice(0, MAX_LINES);
  const meetings = met(model, type, event, when).slice(0, MAX_MEETINGS);
  return { ...model, count, log, meetings };
}

function met(
  { meetings, status }: Model,
  type: keyof SyncEvents,
  event: object,
  when: Pick<Meeting, 'key' | 'at'>,
): readonly Meeting[] {
  if (type === 'conflict') {
    const { category, mine, theirs, shown, base, clashes = [] } = event as SyncEvents['conflict'];
    const sides = Object.entries({ base, mine, theirs }).filter(([, value]) => value) as unknown as Side[];
    return [{ ...when, category, sides, clashes, outcome: `${shown} is shown` }, ...meetings];
  }
  if (type !== 'merged') return meetings;
  const { category, value, parts, clashes, base } = event as SyncEvents['merged'];
  const outcome = `merged, base ${base}`;
  const result: Side = ['result', value];
  // If a write of this device may have given something up, `conflict` came just before, with the base.
  const [last, ...others] = meetings;
  if (last?.sides.at(-1)?.[1].eventId === parts[0]!.eventId)
    return [{ ...last, outcome, sides: [...last.sides, result] }, ...others];
  const sides = parts.map((part): Side => [part.deviceId === status?.deviceId ? 'mine' : 'theirs', part]);
  return [{ ...when, category, clashes, outcome, sides: [...sides, result] }, ...meetings];
}
