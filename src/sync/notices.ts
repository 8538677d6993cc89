/** What the app is told about a write beside its value: how far it came, and what is wrong with its stamp, its device or its relays. */

import { nowSeconds, type Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { categoryOf, type Address, type EventId, type RelayUrl, type Seconds } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import { deviceHash } from '../protocol/causality.ts';
import type { NostrEvent } from '../protocol/event.ts';
import { SKEW_REPORT_SECONDS } from '../protocol/limits.ts';
import { reportOf } from './delivery-report.ts';
import type { Emitter } from './events.ts';
import { isTaken } from './heads/conflict.ts';
import { isOwnHead, type OwnWrite } from './heads/record.ts';
import type { Change } from './heads/replica.ts';

export interface Notices {
  /** Tells what is wrong with a new head: a stamp from the future, a write that was withdrawn, a device with this one's id. */
  warn(change: Change): void;
  /** Tells `delivery` if a write of this device came a step further. */
  step(change: Change): void;
  /** A relay's answer to a head: one that refuses it for its stamp is told of. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
}

export function createNotices(ports: {
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly deviceId: () => string;
  /** Configured relays. */
  readonly relays: () => readonly RelayUrl[];
  /** See `SavingPorts`. */
  readonly onTwin: (dTag: Address, event: NostrEvent) => Promise<void>;
}): Notices {
  const { emitter } = ports;
  const aheadSecondsOf = (stamp: number): number => stamp - nowSeconds(ports.clock);

  function warnOfSkew(message: string, aheadSeconds: Seconds): void {
    emitter.emit('error', new NostrSyncError('CLOCK_SKEW', message, { details: { aheadSeconds } }));
  }

  function warnOfStamp(dTag: Address, stamp: Seconds): void {
    const aheadSeconds = aheadSecondsOf(stamp);
    if (aheadSeconds <= SKEW_REPORT_SECONDS) return;
    const of = JSON.stringify(categoryOf(dTag));
    warnOfSkew(`The newest value of ${of} is stamped ${aheadSeconds} s ahead of this clock`, aheadSeconds);
  }

  function warnOfReturn(dTag: Address, own: OwnWrite | undefined, eventId: EventId): void {
    if (own?.withdrawn?.includes(eventId) !== true || own.restamped?.includes(eventId) === true) return;
    const category = categoryOf(dTag);
    const message = `A write of ${JSON.stringify(category)} that every relay had refused is the newest value: one of them kept it`;
    const details = { category, eventId };
    emitter.emit('error', new NostrSyncError('WITHDRAWN_WRITE_SHOWN', message, { details }));
  }

  return {
    warn: ({ dTag, record, effects, isStored }) => {
      for (const effect of effects) {
        if (effect.type !== 'advanced') continue;
        warnOfStamp(dTag, effect.event.created_at);
        warnOfReturn(dTag, record?.own, effect.event.id);
      }
      if (isStored && record !== undefined && isTaken(record, deviceHash(ports.deviceId())))
        void ports.onTwin(dTag, record.head!.event);
    },
    step: ({ dTag, previous, record }) => {
      const isStep =
        record?.head?.event.id !== previous?.head?.event.id ||
        record?.deliveries !== previous?.deliveries ||
        record?.head?.pieces !== previous?.head?.pieces;
      if (record === undefined || !isStep || !isOwnHead(record)) return;
      const report = reportOf(dTag, record, ports.relays());
      if (report !== undefined) emitter.emit('delivery', report);
    },
    answered: (dTag, relay, event, answer) => {
      if (answer.type !== 'clock') return;
      const of = JSON.stringify(categoryOf(dTag));
      const message = `${relay} finds the write of ${of} too far ahead: ${answer.reason}`;
      warnOfSkew(message, aheadSecondsOf(event.created_at));
    },
  };
}
