/** The app on a device where categories merge: how it edits documents, and what it does with their history and with copies of all. */

import { exportLines, importLines } from '../../src/backup.ts';
import { counters, equalJson, mergeBy, type MergeFunction, type MergeRules } from '../../src/merge.ts';
import type { CategoryOptions } from '../../src/options.ts';
import type { NostrSync } from '../../src/node.ts';
import type { Tab } from './app.ts';
import type { Chance } from './chance.ts';
import { docIn, type Doc } from './documents.ts';
import type { How, MergingOp } from './merging-scenario.ts';
import type { Call, Signed } from './oracle.ts';
import { LARGEST_PAYLOAD_BYTES, type DeviceConfig } from './scenario.ts';
import { hasTag } from './tags.ts';
import type { World } from './world.ts';

export interface EditOptions {
  readonly waitFor: 'saved' | 'delivered' | 'replicated';
  readonly signal?: AbortSignal;
}

export interface MergingCalls {
  edit(tab: Tab, category: string, how: How, size: number, options: EditOptions): void;
  perform(tab: Tab, op: MergingOp): void;
}

/** What else is in a document. */
const REST_BYTES = 8_192;

/** Prefers one side: whose it is differs from device to device. */
const selfish: MergeFunction<unknown> = (base, mine, theirs, { clash }) => {
  if (equalJson(mine as never, base as never)) return theirs;
  if (!equalJson(theirs as never, base as never)) clash();
  return mine;
};

/** What the engine of a device is told of the categories that merge. */
export function categoriesOf({ merging, merges, oracle, categories }: World, device: number): object {
  if (merging === undefined) return {};
  const rules: MergeRules =
    merging.apps[device]!.rules === 'selfish' ? { seen: counters, '*': selfish } : { seen: counters };
  const merger = mergeBy(rules);
  const noted: CategoryOptions['merge'] = {
    ...merger,
    merge: (sides) => {
      const merged = merger.merge(sides);
      if (merged.value !== undefined) oracle.note(JSON.stringify(merged.value));
      return merged;
    },
  };
  const options = { merge: noted, settle: merging.settle };
  const names = categories.filter(merges.isMerged);
  return { categories: Object.fromEntries(names.map((name) => [name, options])) };
}

export function createMergingCalls(ports: {
  readonly name: string;
  readonly device: number;
  readonly config: DeviceConfig;
  readonly world: World;
  readonly chance: Chance;
  readonly filler: (chars: number) => string;
  readonly hadFaults: { readonly signer: boolean; readonly store: boolean };
  readonly settleWrite: (
    tab: Tab,
    what: string,
    call: Call,
    promise: ReturnType<NostrSync['publish']>,
  ) => void;
  readonly follow: <T>(
    tab: Tab,
    what: string,
    call: Promise<T>,
    onResult: (result: T) => void,
    onError: (code: string) => void,
  ) => void;
}): MergingCalls {
  const { name, world, chance, hadFaults, follow, settleWrite } = ports;
  const { oracle, merges, count } = world;
  /** Edits whose calls may not be saved yet. */
  const open = new Set<Call>();

  /** The value that the app has before it, as a whole. */
  function baseOf(tab: Tab, category: string): Signed | undefined {
    const shown = chance.bool(0.5) ? tab.told.shown.get(category) : undefined;
    const base = shown ?? oracle.headOn(name, category);
    if (base === undefined || base.isVoid || base.isUnreadable || hasTag(base.event, 'deleted'))
      return undefined;
    // An app has no value of which pieces may be missing.
    return base.isInPieces && base !== tab.told.shown.get(category) ? undefined : base;
  }

  /** Whether the newest that the device can show is certain to be the head on its medium, and nothing else is shown of that. */
  function isCertain(base: Signed, category: string): boolean {
    for (const call of open) if (call.state !== 'open') open.delete(call);
    const isHead = oracle.headOn(name, category) === base && !merges.isRivalled(name, category);
    return (
      isHead &&
      open.size === 0 &&
      ports.config.tabs === 1 &&
      !hadFaults.signer &&
      !hadFaults.store &&
      !base.isInPieces
    );
  }

  function edit(tab: Tab, category: string, how: How, size: number, options: EditOptions): void {
    if (how === 'history' || how === 'restore') return readHistory(tab, category, how, options);
    const { version } = world.merging!.apps[ports.device]!;
    const filler = size === 0 ? undefined : ports.filler(Math.min(size, LARGEST_PAYLOAD_BYTES - REST_BYTES));
    const base = how === 'update' ? undefined : baseOf(tab, category);
    const one = merges.edit({ series: tab.series, device: name, category, version }, chance, filler);
    const call = oracle.call(tab.told, category, `edit ${one.id}`);
    one.call = call;
    one.base = base;
    const change = (now: Doc | undefined): Doc => {
      const doc = merges.made(one, now);
      oracle.note(JSON.stringify(doc));
      return doc;
    };
    count(`edit: ${base === undefined ? 'update' : how}`);
    if (base === undefined) {
      const act = (now: unknown): Doc => change(now as Doc | undefined);
      settleWrite(tab, 'update', call, tab.sync.update(category, act, options));
    } else {
      const isCertainly = how === 'whole' && isCertain(base, category);
      if (isCertainly) count('edit: without a word of its base');
      const view = tab.told.views.get(category);
      // As it is, or as it was shown.
      const had = view?.of === base && chance.bool(0.5) ? view : { text: base.text, id: base.event.id };
      const doc = change(docIn(had.text));
      const basedOn = isCertainly ? {} : { basedOn: had.id };
      settleWrite(tab, 'publish', call, tab.sync.publish(category, doc as never, { ...options, ...basedOn }));
    }
    open.add(call);
  }

  function readHistory(tab: Tab, category: string, how: 'history' | 'restore', options: EditOptions): void {
    count('call: history');
    follow(
      tab,
      'history',
      tab.sync.history(category),
      (versions) => {
        const former = versions.filter(({ isCurrent }) => !isCurrent);
        if (former.length === 0) return;
        const { eventId } = chance.pick(former);
        if (how === 'history') return readVersion(tab, category, eventId);
        const entry = oracle.signed.get(eventId);
        if (entry === undefined) return oracle.violate('I5', `${name}: a former value that nobody made`);
        const isRemoval = hasTag(entry.event, 'deleted');
        merges.whole(name, category, isRemoval ? undefined : docIn(entry.text));
        // That of a removal removes, as the call does that may have failed.
        const call = oracle.call(tab.told, category, isRemoval ? entry.text : `restore ${eventId}`);
        settleWrite(tab, 'restore', call, tab.sync.restore(category, eventId, options));
      },
      () => undefined,
    );
  }

  function readVersion(tab: Tab, category: string, eventId: string): void {
    follow(
      tab,
      'readVersion',
      tab.sync.readVersion(category, eventId),
      ({ payload, eventId: given }) => {
        count('sometimes: former value read');
        const entry = oracle.signed.get(eventId);
        if (entry?.category !== category || given !== eventId || JSON.stringify(payload) !== entry.text)
          oracle.violate('I5', `${name}: the former value ${eventId.slice(0, 8)} was changed`);
      },
      () => undefined,
    );
  }

  async function copyOf(sync: NostrSync): Promise<string[]> {
    const lines: string[] = [];
    for await (const line of exportLines(sync, { versions: chance.bool(0.5) })) lines.push(line);
    return lines;
  }

  /** The events in an export. */
  const idsIn = (lines: readonly string[]): string[] =>
    lines.flatMap((line) => {
      const value = JSON.parse(line) as { id?: string; version?: { id: string } };
      return value.version?.id ?? value.id ?? [];
    });

  return {
    edit,
    perform: (tab, op) => {
      if (op.type === 'edit') {
        for (let i = 0; i < op.times; i++) {
          const act = (): void => edit(tab, world.categories[op.category]!, op.how, 0, { waitFor: 'saved' });
          if (op.everyMs === 0) act();
          else tab.process.after(i * op.everyMs, () => !tab.isClosed && act());
        }
      } else if (op.type === 'export')
        follow(
          tab,
          'export',
          copyOf(tab.sync),
          (lines) => {
            count('call: export');
            world.copy.lines = lines;
          },
          () => undefined,
        );
      else if (world.copy.lines.length > 0) {
        count('call: import');
        oracle.imported(name, idsIn(world.copy.lines));
        follow(
          tab,
          'import',
          importLines(tab.sync, world.copy.lines),
          ({ isWhole, faults, older }) => {
            if (older > 0) count('sometimes: import of what is older');
            const isRight =
              isWhole &&
              faults.every(({ fault }) =>
                // A signer that lies about a manifest makes it unreadable.
                fault === 'unreadable' ? hadFaults.signer : ['void', 'incomplete', 'ahead'].includes(fault),
              );
            if (!isRight) oracle.violate('I7', `${name}: an export was not taken: ${JSON.stringify(faults)}`);
          },
          () => undefined,
        );
      }
    },
  };
}
