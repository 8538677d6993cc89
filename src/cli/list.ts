/** `list`: the categories of a namespace, by what the relays and this device have. Nothing is decrypted. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { toIso } from '../clock.ts';
import { nodePrimitives } from '../crypto/node-primitives.ts';
import { fileStore, isNostrSyncError, systemClock } from '../node.ts';
import { asAddress, categoryOf, isCategoryIn, type Address } from '../protocol/address.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import { checkEvent, parseEvent, type NostrEvent } from '../protocol/event.ts';
import { dTagOf, headerOf } from '../protocol/header.ts';
import { KIND_APP_DATA, MAX_LISTED_PAGES, PAGE_EVENTS } from '../protocol/limits.ts';
import { compareEvents } from '../protocol/order.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import { parseRecord } from '../sync/heads/record-codec.ts';
import { CommandError, EXIT } from './failure.ts';
import { openLine, type Line } from './line.ts';
import { table, type Output } from './output.ts';
import { deviceName, withDeviceId } from './values.ts';
import { requiredRelays, requiredSigner, storeFolder, type GlobalOptions } from './settings.ts';

interface Listed {
  readonly category: string;
  readonly updatedAt: string;
  readonly deviceId: string;
  /** Those that have the newest; none if it is on this device alone. */
  readonly relays: readonly string[];
}

export function addList(program: Command, output: Output): void {
  program
    .command('list')
    .description('show the categories of the namespace that have a value, on the relays or on this device')
    .action(async (_options: object, command: Command) => {
      const urls = [...new Set(requiredRelays(command).map((url) => canonicalRelayUrl(url)))];
      const signer = await requiredSigner(command);
      const pubkey = await signer.getPublicKey();
      const options = command.optsWithGlobals<GlobalOptions>();
      const local = await onThisDevice(options, pubkey, output);
      const onRelays = await Promise.all(
        urls.map(async (url) => {
          const line = openLine(url, { signer, randomBytes });
          try {
            return [url, await onRelay(line, options.namespace, pubkey)] as const;
          } finally {
            line.close();
          }
        }),
      );
      const silent = onRelays.filter(([, events]) => events === undefined).map(([url]) => url);
      if (silent.length === urls.length && local.length === 0)
        throw new CommandError('NO_RELAYS_REACHABLE', EXIT.unreachable, 'No relay answered');
      const listed = newest(
        local,
        onRelays.map(([url, events = []]) => [url, events] as const),
      );
      const rows = listed.map(({ category, updatedAt, deviceId, relays }) => [
        ...[category, updatedAt, deviceName(deviceId)],
        relays.length === 0 ? 'on this device only' : `on ${relays.length} of ${urls.length} relays`,
      ]);
      if (output.isJson) output.result(listed.map(withDeviceId), '');
      else if (rows.length > 0) output.result(listed, table(rows));
      else output.note(`there is nothing in namespace ${JSON.stringify(options.namespace)}`);
      for (const url of silent)
        output.note(`nostr-sync: ${url} did not answer: what it has is not in the list`);
    });
}

/** By category, in their order: what is neither removed nor expired. */
function newest(
  local: readonly NostrEvent[],
  onRelays: readonly (readonly [url: string, events: readonly NostrEvent[]])[],
): Listed[] {
  const heads = new Map<Address, NostrEvent>();
  for (const event of [...local, ...onRelays.flatMap(([, events]) => events)]) {
    const address = asAddress(dTagOf(event)!);
    const known = heads.get(address);
    if (known === undefined || compareEvents(event, known) > 0) heads.set(address, event);
  }
  const nowSeconds = Math.floor(systemClock.now() / 1_000);
  return [...heads]
    .map(([dTag, event]) => ({ dTag, event, header: headerOf(event)! }))
    .filter(({ header: { isRemoval, expiration = Infinity } }) => !isRemoval && expiration > nowSeconds)
    .map(({ dTag, event, header }) => ({
      category: categoryOf(dTag),
      updatedAt: toIso(event.created_at * 1_000),
      deviceId: header.deviceId ?? event.pubkey,
      relays: onRelays.filter(([, events]) => events.some(({ id }) => id === event.id)).map(([url]) => url),
    }))
    .sort((a, b) => (a.category < b.category ? -1 : 1));
}

/** What the store knows, delivered or not. */
async function onThisDevice(
  options: GlobalOptions,
  pubkey: string,
  output: Output,
): Promise<readonly NostrEvent[]> {
  const store = fileStore(storeFolder(options));
  try {
    const records = await store.list(`head/${pubkey}/${options.namespace}/`);
    return [...records.values()].flatMap((text) => parseRecord(text)?.head?.event ?? []);
  } catch (error) {
    if (!isNostrSyncError(error, 'STORE_FAILED')) throw error;
    output.note(`nostr-sync: ${error.message}; showing what the relays have`);
    return [];
  } finally {
    await store.close();
  }
}

/** The heads of a namespace on one relay, newest first and page by page; `undefined` if it did not answer to the end. */
async function onRelay(
  line: Line,
  namespace: string,
  pubkey: string,
): Promise<readonly NostrEvent[] | undefined> {
  const verifier = createEventVerifier(nodePrimitives);
  const isAsked = (dTag: string): dTag is Address => isCategoryIn(namespace, dTag);
  const seen = new Set<string>();
  const heads: NostrEvent[] = [];
  let until: number | undefined;
  for (let page = 0; page < MAX_LISTED_PAGES; page++) {
    const filter = { authors: [pubkey], kinds: [KIND_APP_DATA], limit: PAGE_EVENTS };
    const found = await line.ask(until === undefined ? filter : { ...filter, until }, PAGE_EVENTS);
    if (found === undefined) return undefined;
    const fresh = found
      .map(parseEvent)
      .filter((event): event is NostrEvent => event !== undefined && !seen.has(event.id));
    if (fresh.length === 0) break;
    for (const event of fresh) {
      seen.add(event.id);
      until = Math.min(until ?? Infinity, event.created_at);
      const check = checkEvent(event, { pubkey, isAsked, known: () => undefined, verifier });
      if (check.type === 'new') heads.push(check.event);
    }
  }
  return heads;
}
