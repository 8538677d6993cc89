/**
 * What is kept under a person's own key for one app: the secret that counts, and all former ones. Two devices that were both the first
 * made one each; what was written under either must stay readable. Pure.
 */

import type { Seconds } from '../protocol/address.ts';
import { MAX_SECRETS } from '../protocol/limits.ts';

export interface Secret {
  /** 32 bytes in hex. */
  readonly secret: string;
  readonly made: Seconds;
}

/**
 * At least one, each once. The first counts: the oldest, so that the device which came second moves, and not the one that has written for a
 * year.
 */
export type Vault = readonly [Secret, ...Secret[]];

const SECRET = /^[0-9a-f]{64}$/;

/** What a payload says; `undefined` if it is none that is known here. */
export function vaultOf(payload: unknown): Vault | undefined {
  const { v, former = [], ...first } = Object(payload) as Readonly<Record<string, unknown>>;
  if (v !== 1 || !Array.isArray(former) || former.length >= MAX_SECRETS) return undefined;
  const all = [first, ...(former as unknown[])].map(secretOf);
  return all.every((one) => one !== undefined) ? joined(all) : undefined;
}

/** `made` is missing in what the first version of this library wrote: that is older than all that has one. */
function secretOf(given: unknown): Secret | undefined {
  const { secret, made = 0 } = Object(given) as Readonly<Record<string, unknown>>;
  if (typeof secret !== 'string' || !SECRET.test(secret)) return undefined;
  return Number.isSafeInteger(made) && (made as number) >= 0 ? { secret, made: made as number } : undefined;
}

export function payloadOf([first, ...former]: Vault): Record<string, unknown> {
  return { v: 1, ...first, ...(former.length > 0 && { former }) };
}

/** Of both all secrets, in the same order whichever is which: devices that join them end with the same one. */
export function joinVaults(a: Vault, b: Vault): Vault {
  return joined([...a, ...b])!;
}

function joined(all: readonly Secret[]): Vault | undefined {
  const made = new Map<string, Seconds>();
  for (const one of all) made.set(one.secret, Math.min(one.made, made.get(one.secret) ?? Infinity));
  const [first, ...others] = [...made]
    .map(([secret, at]): Secret => ({ secret, made: at }))
    .sort((a, b) => a.made - b.made || (a.secret < b.secret ? -1 : 1));
  return first && [first, ...others];
}
