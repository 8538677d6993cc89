/**
 * What relays say of the time. One that refuses a stamp as too late says by this that its own time is before it, however much
 * it allows: if the stamp is long past by this clock, this clock is ahead by at least that long. A browser is told no more than this.
 *
 * One relay may lie, and one that takes any stamp says nothing: it counts only what all say that are connected.
 */

import type { Ms, RelayUrl, Seconds, Address } from '../../protocol/address.ts';
import { nowSeconds, type Clock } from '../../clock.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { RELAY_TIME_MS } from '../../protocol/limits.ts';
import type { RelayState } from '../../relay/connection.ts';

export interface RelayTime {
  /** A relay's answer to an event. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
  /** How far this clock is ahead of every connected relay's, at least, in s. 0: as far as is certain, it is not. */
  aheadSeconds(): Seconds;
  close(): void;
}

interface Word {
  readonly stamp: Seconds;
  readonly aheadSeconds: Seconds;
  /** When it was said, by this clock, in ms. */
  readonly at: Ms;
  readonly cancel: () => void;
}

export function createRelayTime(ports: {
  readonly clock: Clock;
  readonly relays: () => readonly RelayState[];
}): RelayTime {
  const { clock } = ports;
  const words = new Map<RelayUrl, Word>();

  function forget(relay: RelayUrl): void {
    words.get(relay)?.cancel();
    words.delete(relay);
  }

  /** What a relay says that counts: nothing, if this clock was set back since. */
  function wordOf(relay: RelayUrl): Word | undefined {
    const word = words.get(relay);
    if (word === undefined || word.at <= clock.now()) return word;
    forget(relay);
    return undefined;
  }

  return {
    answered: (_, relay, { created_at: stamp }, { type }) => {
      const word = wordOf(relay);
      // It contradicts itself: its time may have been set right.
      if (type === 'acknowledged' && word !== undefined && stamp >= word.stamp) forget(relay);
      const aheadSeconds = nowSeconds(clock) - stamp;
      if (type !== 'clock' || aheadSeconds < (word?.aheadSeconds ?? 0)) return;
      forget(relay);
      const cancel = clock.after(RELAY_TIME_MS, () => forget(relay));
      words.set(relay, { stamp, aheadSeconds, at: clock.now(), cancel });
    },
    aheadSeconds: () => {
      if (words.size === 0) return 0;
      const open = ports.relays().filter(({ connected }) => connected);
      const said = open.map(({ url }) => wordOf(url)?.aheadSeconds ?? 0);
      return said.length === 0 ? 0 : Math.min(...said);
    },
    close: () => {
      for (const relay of [...words.keys()]) forget(relay);
    },
  };
}
