/** One relay without an engine, for commands that ask it something of their own. */

import { systemClock, type NostrEvent, type RelayInfo, type Signer } from '../node.ts';
import type { Filter } from '../protocol/message.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import { createConnection, type RelayConnection } from '../relay/connection.ts';
import { UNKNOWN_LIMITS } from '../relay/event-limits.ts';
import { openNodeSocket } from '../relay/node-socket.ts';

/** In ms. Each step is bounded, so that a relay that stops answering is reported and not waited for. */
const STEP_TIMEOUT_MS = 8_000;

/** A connection with waits that end. */
export interface Line {
  /** How long it took in ms; `null`: it could not be opened. At once where it is open. */
  connect(): Promise<number | null>;
  /** What the relay has, at most some `size` events; `undefined` where it gave no complete answer. */
  ask(filter: Filter, size?: number): Promise<unknown[] | undefined>;
  roundTrip(filter: Filter): Promise<number | null>;
  /** Why the event was not taken, or `undefined` where it was. */
  write(event: NostrEvent): Promise<string | undefined>;
  /** Why the event could not be read back, or `undefined` where it was. */
  missing(event: NostrEvent): Promise<string | undefined>;
  info(): RelayInfo;
  /** The most that AUTH came to, over all sockets of this line. */
  auth(): RelayInfo['auth'];
  close(): void;
}

export function openLine(
  url: string,
  { signer, randomBytes }: { readonly signer: Signer; readonly randomBytes: RandomBytes },
): Line {
  let auth: RelayInfo['auth'] = 'none';
  let changed = (): void => undefined;
  const connection: RelayConnection = createConnection(url, {
    clock: systemClock,
    randomBytes,
    openSocket: openNodeSocket,
    // It is asked for its limits anew each time.
    limits: { get: () => UNKNOWN_LIMITS, set: () => undefined },
    signAuth: async (template) => signer.signEvent(template),
    onChange: (relay) => {
      const now = relay.info().auth;
      if (now === 'accepted' || auth === 'none') auth = now;
      changed();
    },
  });

  /** `undefined` where `step` does not call back in time. */
  function within<T>(step: (done: (value: T | undefined) => void) => void): Promise<T | undefined> {
    return new Promise((resolve) => {
      const cancel = systemClock.after(STEP_TIMEOUT_MS, () => resolve(undefined));
      step((value) => {
        cancel();
        resolve(value);
      });
    });
  }

  async function connect(): Promise<number | null> {
    const startedAt = systemClock.now();
    // Woken, an open connection would have to prove itself.
    if (!connection.info().connected) connection.wake();
    const isOpen = await within<boolean>((done) => {
      changed = () => {
        const { state } = connection.info();
        if (state !== 'connecting') done(state === 'open');
      };
      changed();
    });
    return isOpen === true ? systemClock.now() - startedAt : null;
  }

  async function ask(filter: Filter, size = 1): Promise<unknown[] | undefined> {
    // A relay that was sent too much may have hung up.
    if ((await connect()) === null) return undefined;
    return within<unknown[]>((done) => {
      const events: unknown[] = [];
      const onEvent = (event: unknown): 'useless' => {
        events.push(event);
        // Of no use to an engine: so more than a few of them end the request.
        return 'useless';
      };
      connection.request([filter], size, { onEvent }, (end) => done(end === 'complete' ? events : undefined));
    });
  }

  return {
    connect,
    ask,
    roundTrip: async (filter) => {
      const startedAt = systemClock.now();
      return (await ask(filter)) === undefined ? null : systemClock.now() - startedAt;
    },
    write: async (event) => {
      if ((await connect()) === null) return connection.info().lastError ?? 'not connected';
      const answer = await within<string>((done) => {
        void connection.publish(event).then((given) => {
          const isTaken = given.type === 'acknowledged';
          done(isTaken ? '' : 'reason' in given ? given.reason || given.type : given.type);
        });
      });
      return answer === '' ? undefined : (answer ?? 'no answer in time');
    },
    missing: async (event) => {
      const found = await ask({ ids: [event.id] });
      if (found === undefined)
        return connection.info().lastError ?? 'accepted, but no answer when asked for it';
      // The id alone would not tell a cut or altered copy.
      const isBack = found.some((copy) => {
        const { id, content, sig } = (copy ?? {}) as Partial<NostrEvent>;
        return id === event.id && content === event.content && sig === event.sig;
      });
      return isBack ? undefined : 'accepted, but not handed out again';
    },
    info: connection.info,
    auth: () => auth,
    close: connection.close,
  };
}
