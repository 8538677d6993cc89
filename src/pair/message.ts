/** What two devices that pair say to each other (NIP-AB): unknown text → a typed message, and back. Pure. */

import { isHex32 } from '../protocol/event.ts';
import { MAX_DEVICE_ID_CHARS, MAX_DEVICE_NAME_CHARS, MAX_INVITATION_CHARS } from '../protocol/limits.ts';
import { forPeople } from '../protocol/message.ts';

/** Why a device ends the pairing. */
export type AbortReason = 'sas_mismatch' | 'user_denied' | 'timeout' | 'protocol_error';

/** From the device that joins. */
export type JoinerMessage =
  | { readonly type: 'offer'; readonly sessionId: string }
  | { readonly type: 'complete'; readonly success: boolean; readonly name: string; readonly deviceId: string }
  | { readonly type: 'abort'; readonly reason: AbortReason };

/** From the device that has the key. */
export type HolderMessage =
  | { readonly type: 'sas-confirm'; readonly transcriptHash: string }
  | { readonly type: 'payload'; readonly payloadType: string; readonly payload: string }
  | { readonly type: 'abort'; readonly reason: AbortReason };

/** Through the mailbox of a typed code; ours, not NIP-AB's. */
export type MailboxMessage = { readonly type: 'hello' } | { readonly type: 'invite'; readonly uri: string };

/** To oneself, to see whether a relay carries these events. */
export type EchoMessage = { readonly type: 'echo' };

export type PairingMessage = JoinerMessage | HolderMessage | MailboxMessage | EchoMessage;

/** The only version of NIP-AB. */
const VERSION = 1;
const ABORT_REASONS: readonly AbortReason[] = ['sas_mismatch', 'user_denied', 'timeout', 'protocol_error'];

export function encodeMessage(message: PairingMessage): string {
  switch (message.type) {
    case 'offer':
      return JSON.stringify({ type: message.type, version: VERSION, session_id: message.sessionId });
    case 'sas-confirm':
      return JSON.stringify({ type: message.type, transcript_hash: message.transcriptHash });
    case 'payload':
      return JSON.stringify({
        type: message.type,
        payload_type: message.payloadType,
        payload: message.payload,
      });
    case 'complete': {
      const { type, success, name, deviceId } = message;
      // NIP-AB knows the first two.
      return JSON.stringify({ type, success, name, device_id: deviceId });
    }
    case 'abort':
    case 'hello':
    case 'invite':
    case 'echo':
      return JSON.stringify(message);
  }
}

/** A message, or `undefined` if the text is none. Never throws. */
export function parseMessage(text: string): PairingMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields = Object(value) as Readonly<Record<string, unknown>>;
  switch (fields['type']) {
    case 'offer': {
      const sessionId = fields['session_id'];
      const isOurs = (fields['version'] ?? VERSION) === VERSION && isHex32(sessionId);
      return isOurs ? { type: 'offer', sessionId } : undefined;
    }
    case 'sas-confirm': {
      const transcriptHash = fields['transcript_hash'];
      return isHex32(transcriptHash) ? { type: 'sas-confirm', transcriptHash } : undefined;
    }
    case 'payload': {
      const { payload, payload_type: payloadType } = fields;
      const isText = typeof payload === 'string' && typeof payloadType === 'string';
      return isText ? { type: 'payload', payloadType, payload } : undefined;
    }
    case 'complete': {
      const { success, device_id: deviceId } = fields;
      if (typeof success !== 'boolean') return undefined;
      return {
        type: 'complete',
        success,
        name: deviceName(fields['name']),
        deviceId: forPeople(deviceId).slice(0, MAX_DEVICE_ID_CHARS),
      };
    }
    case 'abort': {
      const reason = ABORT_REASONS.find((known) => known === fields['reason']) ?? 'protocol_error';
      return { type: 'abort', reason };
    }
    case 'invite': {
      const { uri } = fields;
      const isUri = typeof uri === 'string' && uri.length <= MAX_INVITATION_CHARS;
      return isUri ? { type: 'invite', uri } : undefined;
    }
    case 'hello':
      return { type: 'hello' };
    case 'echo':
      return { type: 'echo' };
    default:
      return undefined;
  }
}

/** A device's name made fit to show; empty if it has none. */
export function deviceName(name: unknown): string {
  return forPeople(name).slice(0, MAX_DEVICE_NAME_CHARS);
}
