/** What two devices that pair say to each other (NIP-AB): unknown text → a typed message. Its fields are named as on the wire. Pure. */

import { isHex32 } from '../protocol/event.ts';
import { MAX_DEVICE_ID_CHARS, MAX_DEVICE_NAME_CHARS, MAX_INVITATION_CHARS } from '../protocol/limits.ts';
import { forPeople } from '../protocol/message.ts';

/** Why a device ends the pairing. */
export type AbortReason = 'sas_mismatch' | 'user_denied' | 'timeout' | 'protocol_error';

export type PairingMessage =
  /** Of the device that joins. 1 is the only version of NIP-AB. */
  | { readonly type: 'offer'; readonly version: 1; readonly session_id: string }
  /** Of the same. NIP-AB knows the first two fields; the others are ours. */
  | {
      readonly type: 'complete';
      readonly success: boolean;
      readonly name: string;
      readonly device_id: string;
    }
  /** Of the device that has the key. */
  | { readonly type: 'sas-confirm'; readonly transcript_hash: string }
  | { readonly type: 'payload'; readonly payload_type: string; readonly payload: string }
  /** Of either. */
  | { readonly type: 'abort'; readonly reason: AbortReason }
  /** Through the mailbox of a typed code; ours, not NIP-AB's. */
  | { readonly type: 'hello' }
  | { readonly type: 'invite'; readonly uri: string }
  /** To oneself, to see whether a relay carries these events. */
  | { readonly type: 'echo' };

/** What a field may hold, from what came; `undefined`: it is no such message. */
type Fields<M extends PairingMessage> = {
  readonly [F in Exclude<keyof M, 'type'>]: (value: unknown) => M[F] | undefined;
};

const hex32 = (value: unknown): string | undefined => (isHex32(value) ? value : undefined);
const string = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const MESSAGES: { readonly [M in PairingMessage as M['type']]: Fields<M> } = {
  offer: { version: (value = 1) => (value === 1 ? value : undefined), session_id: hex32 },
  'sas-confirm': { transcript_hash: hex32 },
  payload: { payload_type: string, payload: string },
  complete: {
    success: (value) => (typeof value === 'boolean' ? value : undefined),
    name: deviceName,
    device_id: (value) => forPeople(value).slice(0, MAX_DEVICE_ID_CHARS),
  },
  abort: {
    reason: (value) =>
      value === 'sas_mismatch' || value === 'user_denied' || value === 'timeout' ? value : 'protocol_error',
  },
  hello: {},
  invite: {
    uri: (value) => (typeof value === 'string' && value.length <= MAX_INVITATION_CHARS ? value : undefined),
  },
  echo: {},
};
const FIELDS = new Map<unknown, Readonly<Record<string, (value: unknown) => unknown>>>(
  Object.entries(MESSAGES),
);

/** A message, or `undefined` if the text is none. Never throws. */
export function parseMessage(text: string): PairingMessage | undefined {
  const given = fieldsOf(text);
  const fields = FIELDS.get(given['type']);
  if (fields === undefined) return undefined;
  const read = Object.entries(fields).map(([name, read]) => [name, read(given[name])] as const);
  if (read.some(([, value]) => value === undefined)) return undefined;
  return { type: given['type'], ...Object.fromEntries(read) } as PairingMessage;
}

/** What stands in a text that should be a JSON object; nothing if it is none. Never throws. */
export function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** A device's name made fit to show; empty if it has none. */
export function deviceName(name: unknown): string {
  return forPeople(name).slice(0, MAX_DEVICE_NAME_CHARS);
}
