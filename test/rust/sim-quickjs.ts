/** The simulator in QuickJS, started as an engine is: the call `traces` runs histories. */

import '../../src/embedded/globals.ts';
import './sim-globals.ts';
import { native } from '../../src/embedded/native.ts';
import { toWire } from '../../src/wire.ts';
import { nextTicks } from './sim-globals.ts';
import { traces } from './sim.ts';

export const describeFailure = (error: unknown): string => JSON.stringify(toWire(error));

/** Shape of `Running`, as far as it is needed. */
export function start(): object {
  return {
    call: (id: number, _origin: string, method: string, args: string): void => {
      const { from, count } = JSON.parse(args) as { readonly from: number; readonly count: number };
      (method === 'traces' ? traces(from, count) : Promise.resolve(null)).then(
        (value) => native.answer(id, null, JSON.stringify(value)),
        (error: unknown) => native.answer(id, JSON.stringify(toWire(error)), null),
      );
    },
    cancel: (): void => undefined,
    wake: (): void => undefined,
    reply: (id: number): void => nextTicks.reply(id),
  };
}
