/** One relay of a pairing: what it brings, and what is sent to it once it has said that it brings things. */

import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { EventFault, SignedEvent } from '../protocol/event.ts';
import { MAX_PAIRING_MESSAGES, PING_INTERVAL_MS } from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import type { SignAuth } from '../relay/auth.ts';
import { createConnection } from '../relay/connection.ts';
import { UNKNOWN_LIMITS } from '../relay/event-limits.ts';
import type { PairingPorts } from './mailbox.ts';

export interface RelayLine {
  readonly url: RelayUrl;
  /** Signs and sends an event as soon as the relay has taken the subscription. Always settles, at `close` at the latest. */
  publish(sign: () => Promise<SignedEvent>): Promise<Answer>;
  /** What the relay last said against it, or why there is no connection. */
  trouble(): string | undefined;
  close(): void;
}

const GONE: Answer = { type: 'retry', reason: 'closed' };

export function openRelayLine(
  url: RelayUrl,
  given: {
    readonly spelling: string;
    readonly filter: Filter;
    readonly ports: PairingPorts;
    readonly signAuth: SignAuth;
    readonly onEvent: (event: unknown) => EventFault | 'useful' | 'useless';
  },
): RelayLine {
  const { clock, randomBytes, openSocket } = given.ports;
  /** What is sent before that, nobody is there to hear the answer to. */
  let isListening = false;
  const waiting = new Set<(isOpen: boolean) => void>();
  let refusal: string | undefined;
  let isClosed = false;

  const connection = createConnection(
    url,
    {
      ...{ clock, randomBytes, openSocket, signAuth: given.signAuth },
      isOnline: () => true,
      beat: () => PING_INTERVAL_MS,
      limits: { get: () => UNKNOWN_LIMITS, set: () => undefined },
      onChange: (relay) => {
        if (!relay.info().connected) isListening = false;
      },
      onWrongTime: () => undefined,
    },
    given.spelling,
  );
  connection.subscribe([given.filter], MAX_PAIRING_MESSAGES, { onEvent: given.onEvent }, () => {
    isListening = true;
    wake(true);
  });
  connection.wake();

  function wake(isOpen: boolean): void {
    for (const go of [...waiting]) go(isOpen);
    waiting.clear();
  }

  return {
    url,
    publish: async (sign) => {
      if (isClosed) return GONE;
      const isOpen = isListening || (await new Promise<boolean>((resolve) => waiting.add(resolve)));
      if (!isOpen) return GONE;
      const answer = await sign().then(connection.publish, () => GONE);
      if ('reason' in answer && answer !== GONE) refusal = answer.reason;
      if (answer.type === 'acknowledged') refusal = undefined;
      return answer;
    },
    trouble: () => {
      const { lastError, connected } = connection.info();
      if (refusal !== undefined) return refusal;
      return isListening && connected ? undefined : (lastError ?? 'not connected');
    },
    close: () => {
      isClosed = true;
      connection.close();
      wake(false);
    },
  };
}
