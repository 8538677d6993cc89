/** Events and records as `reconcile` and `plan` take them: of the right shape, and signed by nobody. */

import { deviceHash, writerOf } from '../../src/protocol/causality.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { OwnWrite } from '../../src/sync/heads/record.ts';

export const OURS = 'our-device';
const THEIRS = 'their-device';
export const OUR_HASH: string = deviceHash(OURS);

export interface Told {
  readonly stamp: number;
  readonly by?: string;
  /** By device id, the stamps of what it had seen; `false`: its writer says nothing of that. */
  readonly seen?: Readonly<Record<string, number>> | false;
  readonly tags?: readonly (readonly string[])[];
  /** The first letters of its id: of two with one stamp the lower wins. */
  readonly id?: string;
  readonly content?: string;
}

let made = 0;

export function told({ stamp, by = THEIRS, seen = {}, tags = [], id = '', content }: Told): VerifiedEvent {
  made += 1;
  const entries = Object.entries(seen === false ? {} : seen).map(
    ([device, at]) => `${deviceHash(device)}:${at}`,
  );
  const vector = seen === false ? [] : [['vv', `${deviceHash(by)}:${stamp}`, ...entries]];
  return {
    id: id + made.toString(16).padStart(64 - id.length, '5'),
    pubkey: 'a'.repeat(64),
    created_at: stamp,
    kind: 30_078,
    tags: [['d', 'default/settings/v1'], ['device_id', by], ...vector, ...tags],
    content: content ?? `content ${made}`,
    sig: 'b'.repeat(128),
  } as unknown as VerifiedEvent;
}

/** A value in pieces. */
export const IN_PIECES: readonly (readonly string[])[] = [['format', 'chunked/1']];
export const REMOVAL: readonly (readonly string[])[] = [['deleted', '']];

/** What voids these events. */
export const voiding = (...events: readonly VerifiedEvent[]): readonly (readonly string[])[] => [
  ['void', ...events.map(({ id, created_at }) => `${id}:${created_at}`)],
];

/** The name of a piece. */
export const nameOf = (n: number): string => n.toString(16).padStart(32, '0');

/** What is kept of an own write that no relay has. */
export function ownWrite(event: VerifiedEvent, more: Partial<OwnWrite> = {}): OwnWrite {
  const { id, created_at: stamp } = event;
  return { device: writerOf(event), id, stamp, acknowledged: false, lost: false, ...more };
}
