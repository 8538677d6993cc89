/** `publish`, `fetch`, `sync`, `remove` and `reset`: values in and out. */

import { InvalidArgumentError, Option, type Command } from 'commander';
import { isDeviceId } from '../options.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import type { FetchResult, NostrSync, Receipt, Stage } from '../node.ts';
import { linger, reachesRelay, withEngine } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import { escaped, type Output } from './output.ts';
import { requiredRelays, requiredSigner, type GlobalOptions } from './settings.ts';
import { idOf, toIdPrefix } from './version-id.ts';

/** How far a write can come, in this order. */
const STAGES: readonly Stage[] = ['saved', 'delivered', 'replicated'];
/** What the engine gives a write that waits for relays. */
const CONNECT_MS = 5_000;

export interface WriteFlags {
  readonly wait: Stage;
}

interface PublishFlags extends WriteFlags {
  readonly expiration?: number;
  readonly basedOn?: string;
}

export function addPublish(program: Command, output: Output): void {
  program
    .command('publish')
    .argument('<category>')
    .argument('[json]', 'the value; - or nothing: standard input')
    .description(
      'write a value; it is saved here and goes to every relay, now or at a later run; exit code 4 if no relay could be reached, or it came less far than --wait',
    )
    .addOption(waitOption())
    .option(
      '--based-on <version>',
      'the version that you made this value of, as fetch --json or history shows it (eventId; its first 8 digits will do): devices that know a newer one are told of a conflict, or merge both',
      toIdPrefix,
    )
    .option('--expiration <seconds>', 'when the value ends, Unix time in seconds (NIP-40)', toSeconds)
    .action(async (category: string, json: string | undefined, options: PublishFlags, command: Command) => {
      const payload = parseJson(json === undefined || json === '-' ? await readStandardInput() : json);
      const { expiration, basedOn, wait: waitFor } = options;
      await write(command, output, waitFor, async (sync) =>
        sync.publish(category, payload, {
          waitFor,
          ...(expiration !== undefined && { expiration }),
          ...(basedOn !== undefined && { basedOn: await idOf(sync, category, basedOn) }),
        }),
      );
    });
}

export function addRemove(program: Command, output: Output): void {
  program
    .command('remove')
    .argument('<category>')
    .description('remove a value on all devices')
    .addOption(waitOption())
    .action(async (category: string, { wait: waitFor }: WriteFlags, command: Command) =>
      write(command, output, waitFor, async (sync) => sync.remove(category, { waitFor })),
    );
}

export function addReset(program: Command, output: Output): void {
  program
    .command('reset')
    .argument('<category>')
    .description(
      'write a value that a wrong clock has stamped in the future again at the present time; look at your own clock first',
    )
    .addOption(waitOption())
    .action(async (category: string, { wait: waitFor }: WriteFlags, command: Command) =>
      write(command, output, waitFor, async (sync) => sync.reset(category, { waitFor })),
    );
}

export function addFetch(program: Command, output: Output): void {
  program
    .command('fetch')
    .argument('<category>')
    .description('print the newest value; exit code 3 if it is known that there is none')
    .action(async (category: string, _options: object, command: Command) => {
      const result = await withKey(command, output, async (sync) => sync.fetch(category));
      if (result === null) {
        if (output.isJson) output.result(null, '');
        // If people expected a value, these are the first things to look at: another namespace, another key.
        const { namespace } = command.optsWithGlobals<GlobalOptions>();
        const pubkey = await (await requiredSigner(command)).getPublicKey();
        throw new CommandError(
          'NO_VALUE',
          EXIT.absent,
          `There is no value in ${JSON.stringify(category)} of namespace ${JSON.stringify(namespace)} for the key ${pubkey.slice(0, 16)}…`,
        );
      }
      output.result(withDeviceId(result), JSON.stringify(result.payload, null, 2));
      noteSource(output, [result]);
    });
}

export function addSync(program: Command, output: Output): void {
  program
    .command('sync')
    .argument('<category...>')
    .description('print the newest values of several categories, and deliver what waits')
    .action(async (categories: string[], _options: object, command: Command) => {
      let unreadable = 0;
      const results = await withKey(command, output, async (sync) => {
        sync.on('error', ({ code }) => {
          if (code === 'UNDECODABLE' || code === 'INCOMPLETE') unreadable++;
        });
        const found = await sync.syncAll(categories);
        await linger(sync);
        return found;
      });
      if (output.isJson) output.result(results.map(withDeviceId), '');
      else for (const result of results) output.result(result, lineOf(result));
      noteSource(output, results);
      if (unreadable > 0) {
        throw new CommandError(
          'UNDECODABLE',
          EXIT.failed,
          `${unreadable} of ${categories.length} categories could not be read`,
        );
      }
    });
}

/** One value on one line, for people. */
export function lineOf({ category, payload, updatedAt, deviceId, deleted }: FetchResult): string {
  const value = deleted === true ? '(removed)' : JSON.stringify(payload);
  return [updatedAt, category, value, deviceName(deviceId)].map(escaped).join('  ');
}

/** For people. The id comes with an event, and may be any text. */
export function deviceName(deviceId: string): string {
  return isDeviceId(deviceId) ? `from ${deviceId}` : 'from a device without a proper id';
}

/** For programs: `null` in the place of an id that is none. */
export function withDeviceId<T extends { readonly deviceId: string }>(
  one: T,
): Omit<T, 'deviceId'> & { readonly deviceId: string | null } {
  return { ...one, deviceId: isDeviceId(one.deviceId) ? one.deviceId : null };
}

export function waitOption(): Option {
  return new Option(
    '--wait <stage>',
    'how far to wait, at most 5 s: on this device and connected to a relay, at one relay, at every relay',
  )
    .choices(STAGES)
    .default('delivered');
}

async function withKey<T>(
  command: Command,
  output: Output,
  work: (sync: NostrSync) => Promise<T>,
): Promise<T> {
  const relays = requiredRelays(command);
  return withEngine(command, { relays, signer: await requiredSigner(command), output }, work);
}

export async function write(
  command: Command,
  output: Output,
  waitFor: Stage,
  work: (sync: NostrSync) => Promise<Receipt | null>,
): Promise<void> {
  let isReached = true;
  const receipt = await withKey(command, output, async (sync) => {
    const first = await work(sync);
    if (first === null) return null;
    let latest = first;
    sync.on('delivery', (report) => {
      if (report.eventId === latest.eventId) latest = { ...latest, ...report };
    });
    // Alone of the stages, this one says nothing of relays.
    if (waitFor === 'saved') isReached = await reachesRelay(sync, CONNECT_MS);
    await linger(sync, output.isWatched && latest.pieces !== undefined);
    return latest;
  });
  if (receipt === null)
    return output.result(null, 'Nothing is stamped more than a day ahead: nothing was written');
  output.result(receipt, receiptText(receipt));
  const isFarEnough = STAGES.indexOf(receipt.stage) >= STAGES.indexOf(waitFor);
  if (isFarEnough && (isReached || receipt.stage !== 'saved')) return;
  const category = JSON.stringify(receipt.category);
  const missing = isFarEnough
    ? `No relay could be reached with ${category}`
    : `${category} is not ${waitFor} yet`;
  throw new CommandError(
    'NOT_DELIVERED',
    EXIT.unreachable,
    `${missing}; it is saved on this device, and the next run or nostr-sync flush delivers it`,
  );
}

function receiptText({ category, stage, relays, supersededBy }: Receipt): string {
  if (supersededBy !== undefined) return `${category}: a newer value has taken its place`;
  if (stage === 'saved') {
    return `${category}: saved on this device; no relay has it yet`;
  }
  const states = Object.values(relays);
  const taken = states.filter((state) => state === 'acknowledged' || state === 'confirmed').length;
  const rest = states.includes('pending') ? '; the next run delivers the rest' : '';
  return `${category}: ${stage} (${taken} of ${states.length} relays)${rest}`;
}

function noteSource(output: Output, results: readonly FetchResult[]): void {
  if (results.some((result) => result.source === 'local')) {
    output.note('nostr-sync: no relay answered; this is what this device knew');
  }
}

function toSeconds(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('Expected a Unix time in seconds.');
  return Number(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the value, which may be secret.
    throw new CommandError(
      'INVALID_JSON',
      EXIT.usage,
      'Cannot publish: the value is not JSON (a text needs its quotes: \'"text"\')',
    );
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Space around a value does not count as its size: twice the limit leaves room for it.
    if (size > 2 * MAX_PAYLOAD_BYTES) {
      throw new CommandError(
        'PAYLOAD_TOO_LARGE',
        EXIT.usage,
        `Cannot publish: more than ${2 * MAX_PAYLOAD_BYTES} bytes of input`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
