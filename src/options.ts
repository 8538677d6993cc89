/** What the app passes in, checked: every mistake is a typed error that names the argument, what was expected and what came. */

import type { Clock } from './clock.ts';
import { describe, misuse, NostrSyncError } from './errors.ts';
import { checkNamespace, toDTag, type Address, type EventId, type RelayUrl } from './protocol/address.ts';
import type { Compression } from './protocol/compression.ts';
import { isHex32, type EventVerifier } from './protocol/event.ts';
import {
  DAY_SECONDS,
  DEFAULT_MAX_PAYLOAD_BYTES,
  MAX_DEVICE_ID_CHARS,
  MAX_HISTORY_DAYS,
  MAX_PAYLOAD_BYTES,
  MAX_STAMP,
  MAX_TEXT_BYTES,
  VERSIONS_FOR_MERGES,
} from './protocol/limits.ts';
import { encodePayload } from './protocol/payload.ts';
import type { RandomBytes } from './relay/backoff.ts';
import type { Connectivity } from './relay/connectivity.ts';
import type { OpenSocket } from './relay/socket.ts';
import { canonicalRelayUrl } from './relay/url.ts';
import type { Signer } from './signer/signer.ts';
import type { Store } from './store/store.ts';
import type { Tabs } from './tabs/tabs.ts';
import type { CarryOver } from './sync/carrying.ts';
import type { Receipt } from './sync/events.ts';
import type { Pacing } from './sync/relays/token-bucket.ts';
import { KEEP_ALL, type Keeping } from './sync/heads/past.ts';
import type { Stage } from './sync/heads/record.ts';
import type { Merger } from './sync/merging/merger.ts';
import type { CategorySettings } from './sync/session.ts';
import { NOTE, type Note, type Write } from './sync/write.ts';

/** What the entry point of a platform provides; each can be replaced by an option. */
export interface Platform {
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  /** Cryptographically secure random bytes. */
  readonly randomBytes: RandomBytes;
  /** Id and signature checks of events. */
  readonly verifier: EventVerifier;
  /** Raw deflate, for values larger than one event. */
  readonly compression: Compression;
  /** What the platform says of the network. Without it the network counts as there. */
  readonly connectivity?: Connectivity | undefined;
  /** How engines on one store find each other, if several can have it open. */
  readonly tabs?: Tabs | undefined;
}

/** What `createNostrSync` takes. All of it may be left out. */
export interface NostrSyncOptions extends Partial<Platform> {
  /** Prefix of every d-tag, so that several apps can share a key. Default `'default'`. */
  readonly namespace?: string;
  /** Relay URLs (`wss:`; `ws:` to loopback only). Default none; `addRelay` adds more. */
  readonly relays?: readonly string[];
  /** Who signs, encrypts and decrypts; `setSigner` does the same later. */
  readonly signer?: Signer;
  /**
   * Whether `close`, and `setSigner` with another signer, leave this signer's key in memory: for a signer that several engines
   * share, so that the app wipes it. `clearSigner` wipes it all the same. Default false.
   */
  readonly keepSigner?: boolean;
  /** Tells this device from the user's others. Default: a UUID made once and kept in the store. */
  readonly deviceId?: string;
  /** The largest payload, in bytes of JSON. Default 65,536, at most 409,600. */
  readonly maxPayloadSize?: number;
  /**
   * `'strict'`: payloads above 40,960 bytes, which the original plugin (0.1.0-alpha.3) could not read, are
   * `PAYLOAD_TOO_LARGE`. Default `'own'`: this library writes for devices that run it.
   */
  readonly interop?: 'strict' | 'own';
  /** Keeps heads and outbox. Default: IndexedDB in a browser; memory on Node, which a restart empties. */
  readonly store?: Store;
  /** How fast new values of one category are sent. Default `{ burst: 5, intervalMs: 1000 }`; burst at most 60. */
  readonly pacing?: Pacing;
  /** What is special about single categories, by name. */
  readonly categories?: Readonly<Record<string, CategoryOptions>>;
  /** Allows `ws:` relays beyond loopback: the network on the way then sees the metadata. Default false. */
  readonly allowInsecureRelays?: boolean;
  /**
   * On Node: whether the process stays alive for the sake of this engine until it is closed. If not, only its calls keep the
   * process alive, each until it is settled. Default true.
   */
  readonly keepProcessAlive?: boolean;
}

/** What is special about a category. */
export interface CategoryOptions {
  /**
   * How values that devices wrote without seeing each other become one: `mergeBy(rules)` of `nostr-sync/merge`. Without it the last
   * writer wins, and `conflict` tells the other.
   */
  readonly merge?: Merger;
  /**
   * `'auto'`: what is to be merged is written without a call of the app. `'on-edit'`: with its next `publish` or `update`. Default
   * `'auto'`, and `'on-edit'` with a signer that may ask a person.
   */
  readonly settle?: 'auto' | 'on-edit';
  /**
   * With `merge`, of a removal and an edit that had not seen each other: `'greater'`: the newer one counts as a whole; a removed edit is in
   * the history. `'edit-wins'`: an edited value comes back; one that is as the removal had seen it stays removed. Default `'greater'`.
   */
  readonly removal?: 'greater' | 'edit-wins';
  /**
   * With `merge`, of writers that do not say what they had seen, such as the original plugin (0.1.0-alpha.3): `'trust'`: all that relays
   * had.
   * `'merge'`: what their own last write had seen, if this device keeps that, so that a value written whole from an old one takes nothing
   * back. Default `'trust'`.
   */
  readonly legacy?: 'trust' | 'merge';
  /**
   * Which former values this device keeps: at most `versions` (default and limit 20), of `bytes` with their pieces (default and limit
   * 524,288; the newest stays, however large), and only those that were replaced less than `days` before the newest was written (default:
   * any). `false`: none. With `merge` at least what merges need is kept: 16, of any size and age. A change of this counts with the next
   * write.
   */
  readonly history?: { readonly versions?: number; readonly days?: number; readonly bytes?: number } | false;
}

/**
 * The third argument of `publish`. A number in its place is `expiration` alone, as in the original plugin (0.1.0-alpha.3).
 */
export interface PublishOptions {
  /** When the value ends (NIP-40), Unix time in s. Whether a relay honours it is up to the relay; our devices do. */
  readonly expiration?: number;
  /**
   * The `eventId` of the value that the app has made this one of, if that is not the newest that this device can show at the call. In a
   * category with `merge`, what the app has changed there is changed in the newest value; in any other, devices are told of a conflict with
   * what the app had not seen.
   */
  readonly basedOn?: string;
  /** What to wait for, at most 5 s. Default `'delivered'`. */
  readonly waitFor?: Stage;
  /** Before the write is saved: abandons it. After that: stops waiting, and `publish` resolves with what is. */
  readonly signal?: AbortSignal;
  /**
   * Called once, as soon as the write is saved on this device: from here on it survives a crash. `publish` resolves later,
   * at `waitFor`, or rejects if every relay refused the write for good.
   */
  readonly onSaved?: (receipt: Receipt) => void;
}

/** The second argument of `setSigner`. */
export interface SignerOptions {
  /**
   * What becomes of the values that this device has under the key of the former signer, if the new one has another key. `'none'`, the
   * default: they wait for the former signer to come back. `'missing'`: each is written under the new key if it is known, by every relay,
   * that this has no value of the category; otherwise it gives way, and is kept in the history as `'before-joining'`. In a category with
   * `merge` the two are merged. A function makes one value of both if there are two; if it returns `undefined`, that of the new key stays.
   * After a restart, what still waits is decided by `'missing'`, unless a function is given again. What handles keep on this device beside
   * the value (`local`, edits that wait for a signer) comes along too, and replaces nothing.
   */
  readonly carryOver?: 'none' | CarryOver;
}

/** What calls that read take beside what is to be read. */
export interface ReadOptions {
  /** Ends the waiting, at once: the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface AdapterPublishOptions extends PublishOptions {
  readonly [NOTE]: Note;
}

export interface Settings {
  readonly namespace: string;
  /** By canonical URL, as the user spelled it. */
  readonly relays: ReadonlyMap<RelayUrl, string>;
  readonly payloadLimit: { readonly bytes: number; readonly why: string };
  readonly pacing: Pacing;
  readonly categories: ReadonlyMap<Address, CategorySettings>;
}

/** A misspelt option would otherwise do nothing, unnoticed. */
export function checkNames(of: string, unknown: readonly string[]): void {
  if (unknown.length > 0) throw new TypeError(misuse('option', `one of ${of}`, unknown[0]));
}

const OPTIONS: readonly string[] = [
  'namespace',
  'relays',
  'signer',
  'keepSigner',
  'deviceId',
  'maxPayloadSize',
  'interop',
  'store',
  'pacing',
  'categories',
  'allowInsecureRelays',
  'keepProcessAlive',
  'openSocket',
  'clock',
  'randomBytes',
  'verifier',
  'compression',
  'connectivity',
  'tabs',
] satisfies (keyof NostrSyncOptions)[];

const STAGES = new Set<unknown>(['saved', 'delivered', 'replicated'] satisfies Stage[]);

/** By what it can do: it may be of another realm, or a polyfill. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = Object(value) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}

/** Also checks what the store says: a device with an id that no event can carry could never write again. */
export function isDeviceId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= MAX_DEVICE_ID_CHARS &&
    /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+$/u.test(value)
  );
}

export function checkOptions(options: NostrSyncOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(misuse('options', 'an object', options));
  }
  checkNames(
    OPTIONS.join(', '),
    Object.keys(options).filter((name) => !OPTIONS.includes(name)),
  );
  const {
    namespace = 'default',
    relays = [],
    deviceId,
    maxPayloadSize = DEFAULT_MAX_PAYLOAD_BYTES,
    interop = 'own',
    pacing = { burst: 5, intervalMs: 1_000 },
  } = options;
  checkNamespace(namespace);
  if (!Array.isArray(relays)) throw new TypeError(misuse('relays', 'an array of URLs', relays));
  if (deviceId !== undefined && !isDeviceId(deviceId)) {
    throw new TypeError(
      misuse(
        'deviceId',
        `1 to ${MAX_DEVICE_ID_CHARS} characters, none of them a control or format character`,
        deviceId,
      ),
    );
  }
  if (!Number.isSafeInteger(maxPayloadSize) || maxPayloadSize < 1 || maxPayloadSize > MAX_PAYLOAD_BYTES) {
    throw new NostrSyncError(
      'INVALID_PAYLOAD_LIMIT',
      misuse('maxPayloadSize', `1 to ${MAX_PAYLOAD_BYTES} bytes`, maxPayloadSize),
      { details: { requested: maxPayloadSize, max: MAX_PAYLOAD_BYTES } },
    );
  }
  if (interop !== 'strict' && interop !== 'own')
    throw new TypeError(misuse('interop', "'strict' or 'own'", interop));
  const payloadLimit =
    interop === 'strict' && maxPayloadSize > MAX_TEXT_BYTES
      ? { bytes: MAX_TEXT_BYTES, why: "interop: 'strict'" }
      : { bytes: maxPayloadSize, why: 'maxPayloadSize' };
  const { burst, intervalMs } = pacing;
  // A larger burst would run the stamps so far ahead of the clock that relays refuse them.
  if (
    !(
      Number.isSafeInteger(burst) &&
      burst >= 1 &&
      burst <= 60 &&
      Number.isFinite(intervalMs) &&
      intervalMs >= 100
    )
  ) {
    throw new RangeError(
      `Invalid pacing: expected a burst of 1 to 60 and an intervalMs of at least 100, got ${describe(burst)} and ${describe(intervalMs)}`,
    );
  }
  const spellings = relays.map(
    (url: string) => [canonicalRelayUrl(url, options.allowInsecureRelays), url.trim()] as const,
  );
  const categories = checkCategoryOptions(namespace, options.categories);
  return { namespace, relays: new Map(spellings), payloadLimit, pacing, categories };
}

/** Returns them by the d-tags of their categories. Throws `TypeError`. */
export function checkCategoryOptions(
  namespace: string,
  given: unknown,
): ReadonlyMap<Address, CategorySettings> {
  if (given === undefined) return new Map();
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(misuse('categories', 'an object of options by category', given));
  return new Map(
    Object.entries(given).map(([name, of]: [string, unknown]) => {
      if (typeof of !== 'object' || of === null)
        throw new TypeError(misuse(`categories.${name}`, 'an object', of));
      const { merge, settle, removal, legacy, history, ...others }: CategoryOptions = of;
      checkNames('merge, settle, removal, legacy, history', Object.keys(others));
      if (
        merge !== undefined &&
        (typeof merge?.merge !== 'function' || typeof merge.createMerging !== 'function')
      )
        throw new TypeError(misuse(`categories.${name}.merge`, 'mergeBy(rules) of nostr-sync/merge', merge));
      const isMerged = merge !== undefined;
      checkChoice(`categories.${name}.settle`, ['auto', 'on-edit'], settle, true);
      checkChoice(`categories.${name}.removal`, ['greater', 'edit-wins'], removal, isMerged);
      checkChoice(`categories.${name}.legacy`, ['trust', 'merge'], legacy, isMerged);
      const keeping = {
        ...checkHistory(`categories.${name}.history`, history, isMerged),
        doEditsSurvive: removal === 'edit-wins',
        isLegacyMerged: legacy === 'merge',
      };
      return [toDTag(namespace, name), { merge, settle, keeping }] as const;
    }),
  );
}

function checkChoice(name: string, choices: readonly string[], given: unknown, isMerged: boolean): void {
  if (given === undefined) return;
  const expected = choices.map((choice) => `'${choice}'`).join(' or ');
  if (!choices.includes(given as string)) throw new TypeError(misuse(name, expected, given));
  if (!isMerged) throw new TypeError(`Invalid ${name}: it needs merge, and there is none`);
}

function checkHistory(
  name: string,
  given: unknown,
  isMerged: boolean,
): Pick<Keeping, 'versions' | 'bytes' | 'seconds'> {
  if (given === false) return isMerged ? KEEP_ALL : { ...KEEP_ALL, versions: 0 };
  if (given === undefined) return KEEP_ALL;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new TypeError(misuse(name, 'an object, or false', given));
  const {
    versions = KEEP_ALL.versions,
    bytes = KEEP_ALL.bytes,
    days,
    ...others
  }: Exclude<CategoryOptions['history'], false | undefined> = given;
  checkNames('versions, days, bytes', Object.keys(others));
  const check = (of: string, value: unknown, limit: number): void => {
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= limit) return;
    throw new RangeError(misuse(`${name}.${of}`, `a whole number from 1 to ${limit}`, value));
  };
  check('versions', versions, KEEP_ALL.versions);
  check('bytes', bytes, KEEP_ALL.bytes);
  if (days !== undefined) check('days', days, MAX_HISTORY_DAYS);
  if (isMerged) return { ...KEEP_ALL, versions: Math.max(versions, VERSIONS_FOR_MERGES) };
  return { versions, bytes, seconds: days === undefined ? Infinity : days * DAY_SECONDS };
}

export function checkSigner(signer: unknown): asserts signer is Signer {
  const candidate = signer as Partial<Signer> | null | undefined;
  const fits =
    typeof candidate?.getPublicKey === 'function' &&
    typeof candidate.signEvent === 'function' &&
    typeof candidate.nip44?.encrypt === 'function' &&
    typeof candidate.nip44.decrypt === 'function';
  if (!fits) {
    throw new TypeError(
      misuse('signer', 'the shape of NIP-07, or nip07Signer(client) of a NIP-46 client', signer),
    );
  }
}

export function checkCarryOver(options: unknown): 'none' | CarryOver {
  if (options === undefined) return 'none';
  if (typeof options !== 'object' || options === null)
    throw new TypeError(misuse('options', 'an object', options));
  const { carryOver = 'none', ...others }: SignerOptions = options;
  checkNames('carryOver', Object.keys(others));
  if (carryOver !== 'none' && carryOver !== 'missing' && typeof carryOver !== 'function')
    throw new TypeError(misuse('carryOver', "'none', 'missing' or a function", carryOver));
  return carryOver;
}

/** Categories as d-tags, each once. */
export function checkCategories(namespace: string, categories: unknown): Address[] {
  if (!Array.isArray(categories)) {
    throw new TypeError(misuse('categories', 'an array of strings', categories));
  }
  return [...new Set(categories.map((category: unknown) => toDTag(namespace, category)))];
}

/** The id of a version, as `history` gives it. */
export function checkEventId(eventId: unknown): asserts eventId is string {
  if (!isHex32(eventId))
    throw new TypeError(misuse('eventId', '64 lower-case hex digits, as history gives them', eventId));
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isAbortSignal(signal))
    throw new TypeError(misuse('signal', 'an AbortSignal', signal));
}

/** What `fetch`, `syncAll` and `poll` take. */
export function checkReading(options: unknown): AbortSignal | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== 'object' || options === null)
    throw new TypeError(misuse('options', 'an object', options));
  const { signal, ...others }: ReadOptions = options;
  checkNames('signal', Object.keys(others));
  checkSignal(signal);
  return signal;
}

const on = (basedOn: string | undefined): Pick<Write, 'basedOn'> =>
  basedOn === undefined ? {} : { basedOn: basedOn as EventId };

/** What `publish` is asked to write. */
export function checkWrite(
  payload: unknown,
  options: unknown,
  settings: Settings,
  nowSeconds: number,
): Write {
  const {
    expiration,
    waitFor = 'delivered',
    signal,
    onSaved,
    basedOn,
    [NOTE]: note,
    ...others
  }: Partial<AdapterPublishOptions> = typeof options === 'object'
    ? (options ?? {})
    : { expiration: options as number };
  checkNames('expiration, waitFor, signal, onSaved, basedOn', Object.keys(others));
  if (expiration !== undefined) {
    const isTime = Number.isSafeInteger(expiration) && expiration <= MAX_STAMP;
    if (!isTime || expiration <= nowSeconds) {
      throw new NostrSyncError(
        'INVALID_EXPIRATION',
        misuse('expiration', 'a Unix time in seconds that is still to come', expiration),
      );
    }
  }
  if (!STAGES.has(waitFor)) {
    throw new TypeError(misuse('waitFor', "'saved', 'delivered' or 'replicated'", waitFor));
  }
  checkSignal(signal);
  if (onSaved !== undefined && typeof onSaved !== 'function') {
    throw new TypeError(misuse('onSaved', 'a function', onSaved));
  }
  if (basedOn !== undefined && !isHex32(basedOn))
    throw new TypeError(misuse('basedOn', 'the eventId of a value', basedOn));
  const text = encodePayload(payload, settings.payloadLimit);
  const limit = settings.payloadLimit;
  return { text, expiration, isRemoval: false, waitFor, signal, onSaved, note, limit, ...on(basedOn) };
}
