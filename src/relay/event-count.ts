/** Counts what one REQ brings: how many events were asked for, and how many in a row were of no use. */

import type { EventFault } from '../protocol/event.ts';
import { maxUselessEvents, STRAIN_OF_FORGERY, STRAIN_OF_NEWS } from '../protocol/limits.ts';
import type { Health } from './health.ts';

export interface EventCount {
  /** Counts one event. Returns whether it was asked for, or of use. */
  take(verdict: EventFault | 'useful' | 'useless'): boolean;
  /** Too many events in a row were of no use. */
  isFlood(): boolean;
}

/** `size`: how many events an honest relay has for the REQ. */
export function createEventCount(size: number, health: Health, onBurden: (work: number) => void): EventCount {
  let events = 0;
  let useless = 0;

  return {
    take: (verdict) => {
      const isAsked = ++events <= size;
      if (verdict === 'useful') {
        health.seen();
        useless = 0;
        if (!isAsked) onBurden(STRAIN_OF_NEWS);
        return true;
      }
      useless++;
      if (verdict !== 'useless') health.violation(verdict);
      if (verdict === 'signature') onBurden(STRAIN_OF_FORGERY);
      return isAsked;
    },
    isFlood: () => useless > maxUselessEvents(size),
  };
}
