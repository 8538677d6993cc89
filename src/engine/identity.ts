/** Whose session is open: that of one public key, which the next start opens again before a signer is set. */

import { isHex32 } from '../protocol/event.ts';
import type { Store } from '../store/store.ts';
import type { Session } from '../sync/session.ts';

export interface Identity {
  session(): Session | undefined;
  /** Opens the session that was open last: its outbox goes on. */
  restore(): Promise<void>;
  /** Opens the session of this public key in place of another, and remembers it. */
  enter(pubkey: string): Promise<Session>;
  close(): Promise<void>;
}

export function createIdentity(ports: {
  readonly store: Store;
  readonly namespace: string;
  readonly open: (pubkey: string) => Promise<Session>;
  /** The session of another identity was closed. */
  readonly onLeft: () => void;
}): Identity {
  const { store } = ports;
  const key = `identity/${ports.namespace}`;
  let session: Session | undefined;

  async function openSession(pubkey: string): Promise<Session> {
    if (session?.pubkey === pubkey) return session;
    const former = session;
    session = undefined;
    if (former !== undefined) {
      await former.close();
      ports.onLeft();
    }
    session = await ports.open(pubkey);
    return session;
  }

  return {
    session: () => session,
    restore: async () => {
      const pubkey = await store.get(key);
      if (isHex32(pubkey)) await openSession(pubkey);
    },
    enter: async (pubkey) => {
      const opened = await openSession(pubkey);
      await store.update([key], (current) =>
        current.get(key) === pubkey ? new Map() : new Map([[key, pubkey]]),
      );
      return opened;
    },
    close: async () => {
      await session?.close();
      session = undefined;
    },
  };
}
