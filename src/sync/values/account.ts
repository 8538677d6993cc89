/** The account behind the signer that is set now: calls to it, and whether it is still the one that it was. */

import { isNostrSyncError, NostrSyncError } from '../../errors.ts';
import { isHex32 } from '../../protocol/event.ts';
import type { Signer } from '../../signer/signer.ts';
import { ask, type Asking, type AskPorts } from './asking.ts';

/**
 * The public key of a signer. Rejects with `SIGNER_NOT_SET` if its provider is not there, with `SIGNING_FAILED` if
 * it gives none, or is dropped.
 */
export async function publicKeyOf(signer: Signer, ports: AskPorts): Promise<string> {
  let pubkey: unknown;
  try {
    pubkey = await ask(ports, signer, 'tell its public key', () => signer.getPublicKey());
  } catch (cause) {
    if (isNostrSyncError(cause, 'SIGNER_NOT_SET')) throw cause;
    throw new NostrSyncError('SIGNING_FAILED', 'Cannot use the signer: it gave no public key', { cause });
  }
  if (!isHex32(pubkey)) {
    throw new NostrSyncError(
      'SIGNING_FAILED',
      'Cannot use the signer: its public key is not 64 lower-case hex digits',
    );
  }
  return pubkey;
}

/** What it is called if a signer fails to do what it was asked. */
type Fault = 'SIGNING_FAILED' | 'ENCRYPTION_FAILED' | 'DECRYPTION_FAILED';

export interface Account {
  /** See `Signer.isLocal`. */
  isLocal(): boolean;
  /** A call to the signer, to do `what`. Once the signer is cleared or changed none is made, and no result is taken. */
  use<T>(what: string, code: Fault, call: (signer: Signer) => Promise<T>, asking?: Asking): Promise<T>;
  /** Whether the account is still ours, as the signer says. */
  isSame(asking?: Asking): Promise<boolean>;
  /** Ends every call that is under way. */
  drop(): void;
}

/** `SIGNER_CHANGED`: nothing more is to be asked of this signer. */
export function signerChanged(
  what: string,
  why = 'the account behind it changed',
  cause?: unknown,
): NostrSyncError {
  return new NostrSyncError('SIGNER_CHANGED', `Cannot ${what} with this signer: ${why}`, { cause });
}

function notSet(what: string, why = 'the signer was cleared'): NostrSyncError {
  return new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: ${why}`);
}

/** The account of `pubkey`. */
export function createAccount(ports: {
  readonly pubkey: string;
  readonly current: () => Signer | undefined;
  readonly clock: AskPorts['clock'];
}): Account {
  const { current, clock } = ports;
  const drops = new Set<() => void>();
  const isLocal = (): boolean => current()?.isLocal === true;

  async function use<T>(
    what: string,
    code: Fault,
    call: (signer: Signer) => Promise<T>,
    asking?: Asking,
  ): Promise<T> {
    const signer = current();
    if (signer === undefined) throw notSet(what, 'no signer is set');
    let result: T;
    try {
      const unlessCleared = async (): Promise<T> => {
        // Those before it may have been ended just now, because the signer was cleared.
        if (current() !== signer) throw new Error('the signer was cleared');
        return call(signer);
      };
      result = await ask({ clock, drops }, signer, what, unlessCleared, asking);
    } catch (cause) {
      asking?.signal?.throwIfAborted();
      if (current() !== signer) throw notSet(what);
      throw new NostrSyncError(code, `Cannot ${what}: the signer failed`, { cause });
    }
    if (current() !== signer) throw notSet(what);
    return result;
  }

  return {
    isLocal,
    use,
    isSame: async (asking) => {
      const call = (signer: Signer): Promise<string> => signer.getPublicKey();
      return isLocal() || (await use('tell its public key', 'SIGNING_FAILED', call, asking)) === ports.pubkey;
    },
    drop: () => {
      for (const drop of [...drops]) drop();
    },
  };
}
