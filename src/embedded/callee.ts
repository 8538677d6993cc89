/** Carries out the calls of the program's parts on the engine: each has an id, by which it is answered, and taken back. */

import { toWire } from '../wire.ts';
import type { KeptArgs } from './kept.ts';
import { createMethods, type Args, type MethodPorts } from './methods.ts';
import { native } from './native.ts';

export interface Callee {
  call(id: number, origin: string, method: string, args: string): void;
  cancel(id: number): void;
  /** Answers the call `id` with what comes of `work`. */
  answer(id: number, work: Promise<unknown>): void;
}

export function createCallee(ports: MethodPorts): Callee {
  const carryOut = createMethods(ports);
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<number, AbortController>();

  function answer(id: number, work: Promise<unknown>): void {
    work
      .then(
        (value) => native.answer(id, null, JSON.stringify(value ?? null)),
        (error: unknown) => native.answer(id, JSON.stringify(toWire(error)), null),
      )
      .finally(() => cancels.delete(id))
      .catch(() => undefined);
  }

  return {
    call: (id, origin, method, args) => {
      const cancel = new AbortController();
      cancels.set(id, cancel);
      answer(
        id,
        carryOut(method, JSON.parse(args) as Args & KeptArgs, { id, origin, signal: cancel.signal }),
      );
    },
    cancel: (id) => cancels.get(id)?.abort(),
    answer,
  };
}
