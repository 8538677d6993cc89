/** One call to a signer: bounded in time, one at a time if a person may be asked, and ended if its signer is dropped. */

import type { Clock } from '../../clock.ts';
import { SIGNER_TIMEOUT_MS, SIGNER_TURN_MS } from '../../protocol/limits.ts';
import type { Signer } from '../../signer/signer.ts';
import { takeTurn } from '../../signer/turns.ts';

/** How a call is made. */
export interface Asking {
  /** Ends the waiting for it, and its turn. */
  readonly signal?: AbortSignal | undefined;
  /** Goes before what waits. */
  readonly isUrgent?: boolean;
}

export interface AskPorts {
  readonly clock: Clock;
  /** What ends each call that is under way, because its signer was dropped. */
  readonly drops: Set<() => void>;
}

/** One call to a signer, in its turn. Its time counts from there; after a while others may have theirs before it has ended. */
export function ask<T>(
  { clock, drops }: AskPorts,
  signer: Signer,
  what: string,
  call: () => Promise<T>,
  { signal, isUrgent = false }: Asking = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => undefined;
    let leave = (): void => undefined;
    const settle = (act: () => void): void => {
      cancel();
      leave();
      drops.delete(drop);
      signal?.removeEventListener('abort', abort);
      act();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const drop = (): void => fail(new Error('the signer was dropped'));
    const abort = (): void => fail(signal!.reason as Error);
    const begin = (): void => {
      cancel = clock.after(SIGNER_TURN_MS, () => {
        leave();
        cancel = clock.after(SIGNER_TIMEOUT_MS - SIGNER_TURN_MS, () =>
          fail(new Error(`the signer did not ${what} in time`)),
        );
      });
      // In a function of its own: it may throw at once.
      (async () => call())().then((result) => settle(() => resolve(result)), fail);
    };
    if (signal?.aborted === true) return abort();
    drops.add(drop);
    signal?.addEventListener('abort', abort);
    if (signer.isLocal === true) begin();
    else leave = takeTurn(signer.provider?.() ?? signer, isUrgent, begin);
  });
}
