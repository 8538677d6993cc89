/** One relay without an engine, for commands that ask it something of their own. */

import { systemClock, type NostrEvent, type RelayInfo, type Signer } from '../node.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { Filter } from '../protocol/message.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import { createConnection, type RelayConnection } from '../relay/connection.ts';
import { PING_INTERVAL_MS } from '../protocol/limits.ts';
import { UNKNOWN_LIMITS } from '../relay/event-limits.ts';
import { openNodeSocket } from '../relay/node-socket.ts';
import type { OpenSocket } from '../relay/socket.ts';

/** In ms. Each step is bounded, so that a relay that stops answering is reported and not waited for. */
const STEP_TIMEOUT_MS = 8_000;

/** Why an event was not taken. */
export interface Trouble {
  readonly type: Exclude<Answer['type'], 'acknowledged'>;
  /** For people. */
  readonly reason: string;
}

/** A connection with waits that end. */
export interface Line {
  /** How long it took in ms; `null`: it could not be opened. Resolves at once if it is open. */
  connect(): Promise<number | null>;
  /** What the relay has, at most some `size` events; `undefined` if it gave no complete answer. */
  ask(filter: Filter, size?: number): Promise<unknown[] | undefined>;
  roundTrip(filter: Filter): Promise<number | null>;
  /** Why the event was not taken; `undefined` if it was. */
  write(event: NostrEvent): Promise<Trouble | undefined>;
  /** Keeps a live subscription, resolved once the relay has sent its EOSE or has taken too long; `stop` ends it. */
  listen(filter: Filter, onEvent: (event: unknown) => void): Promise<{ stop(): void }>;
  /** The ids of what the relay has, as its reconciliation (NIP-77) says; `undefined`: it has none, or none that is understood. */
  reconcile(filter: Filter): Promise<ReadonlySet<string> | undefined>;
  /** Why the event could not be read back; `undefined` if it could. */
  missing(event: NostrEvent): Promise<string | undefined>;
  info(): RelayInfo;
  /** The most that AUTH came to, over all sockets of this line. */
  auth(): RelayInfo['auth'];
  /** Whether the relay has sent an AUTH challenge, wanted or not. */
  isChallenged(): boolean;
  close(): void;
}

export function openLine(
  url: RelayUrl,
  { signer, randomBytes }: { readonly signer: Signer; readonly randomBytes: RandomBytes },
): Line {
  let auth: RelayInfo['auth'] = 'none';
  let isChallenged = false;
  let changed = (): void => undefined;
  const openSocket: OpenSocket = (address, handlers) =>
    openNodeSocket(address, {
      ...handlers,
      onMessage: (text) => {
        isChallenged ||= /^\s*\[\s*"AUTH"/.test(text);
        handlers.onMessage(text);
      },
    });
  const connection: RelayConnection = createConnection(url, {
    clock: systemClock,
    randomBytes,
    openSocket,
    isOnline: () => true,
    beat: () => PING_INTERVAL_MS,
    // Each run asks the relay for its limits again.
    limits: { get: () => UNKNOWN_LIMITS, set: () => undefined },
    reconciling: () => ({ get: () => true, set: () => undefined }),
    signAuth: async (template) => signer.signEvent(template),
    onChange: (relay) => {
      const now = relay.info().auth;
      if (now === 'accepted' || auth === 'none') auth = now;
      changed();
    },
    onWrongTime: () => undefined,
  });

  /** `undefined` if `step` does not call back in time. */
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
        // An engine has no use for these events, so more than a few of them end the request.
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
      const unanswered = (reason: string): Trouble => ({ type: 'retry', reason });
      if ((await connect()) === null) return unanswered(connection.info().lastError ?? 'not connected');
      const answer = await within<Answer>((done) => void connection.publish(event).then(done));
      if (answer === undefined) return unanswered('no answer in time');
      if (answer.type === 'acknowledged') return undefined;
      return { type: answer.type, reason: ('reason' in answer && answer.reason) || answer.type };
    },
    listen: async (filter, onEvent) => {
      let stop = (): void => undefined;
      await within<true>((done) => {
        const handlers = {
          onEvent: (event: unknown): 'useful' => {
            onEvent(event);
            return 'useful';
          },
        };
        stop = connection.subscribe([filter], 1, handlers, () => done(true));
      });
      return { stop };
    },
    reconcile: async (filter) => {
      if ((await connect()) === null) return undefined;
      return (await connection.reconciler!.reconcile(filter, []))?.need;
    },
    missing: async (event) => {
      // By author, too: a relay may serve nothing else to whom it knows.
      const found = await ask({ ids: [event.id], authors: [event.pubkey], kinds: [event.kind] });
      if (found === undefined)
        return connection.info().lastError ?? 'accepted, but no answer when asked for it';
      return found.some((copy) => isSame(copy, event)) ? undefined : 'accepted, but not handed out again';
    },
    info: connection.info,
    auth: () => auth,
    isChallenged: () => isChallenged,
    close: connection.close,
  };
}

/** By the id alone a copy that is cut or altered would not be noticed. */
function isSame(copy: unknown, event: NostrEvent): boolean {
  const { id, content, sig } = (copy ?? {}) as Partial<NostrEvent>;
  return id === event.id && content === event.content && sig === event.sig;
}
