/** One relay of a pairing: what it brings, and what is sent to it once it has said that it brings things. */

import { nowSeconds } from '../clock.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { EventFault } from '../protocol/event.ts';
import {
  KIND_PAIRING,
  LATE_STAMP_SECONDS,
  MAX_PAIRING_MESSAGES,
  PING_INTERVAL_MS,
} from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import { createConnection } from '../relay/connection.ts';
import { UNKNOWN_LIMITS } from '../relay/event-limits.ts';
import type { Signer } from '../signer/signer.ts';
import { createDeferred } from './deferred.ts';
import type { PairingPorts } from './mailbox.ts';

export interface RelayLine {
  /**
   * Sends a message as soon as the relay has taken the subscription, and once more, stamped later, if its stamp is too old for the relay.
   * Always settles, at `close` at the latest.
   */
  publish(to: string, content: string): Promise<Answer>;
  /** What the relay last said against it, or why there is no connection. */
  trouble(): string | undefined;
  close(): void;
}

const GONE: Answer = { type: 'retry', reason: 'closed' };

/** Of a relay that keeps ephemeral events for a minute only, or to which this clock is slow. */
const TOO_OLD = /too (old|early)|expired|created_at|timestamp|older/i;

export function openRelayLine(
  url: RelayUrl,
  given: {
    readonly spelling: string;
    readonly filter: Filter;
    readonly ports: PairingPorts;
    readonly signer: Signer;
    readonly onEvent: (event: unknown) => EventFault | 'useful' | 'useless';
  },
): RelayLine {
  const { ports, signer } = given;
  let isListening = false;
  /** To what is sent before it no answer could be heard. */
  let listening = createDeferred<void>();
  let refusal: string | undefined;
  let aheadSeconds = 0;

  const connection = createConnection(
    url,
    {
      ...ports,
      signAuth: async (template) => signer.signEvent(template).catch(() => undefined),
      isOnline: () => true,
      beat: () => PING_INTERVAL_MS,
      limits: { get: () => UNKNOWN_LIMITS, set: () => undefined },
      onChange: (relay) => {
        if (!isListening || relay.info().connected) return;
        isListening = false;
        listening = createDeferred();
      },
      onWrongTime: () => undefined,
    },
    given.spelling,
  );
  connection.subscribe([given.filter], MAX_PAIRING_MESSAGES, { onEvent: given.onEvent }, () => {
    isListening = true;
    listening.resolve();
  });
  connection.wake();

  async function publish(to: string, content: string): Promise<Answer> {
    try {
      await listening.promise;
      const ahead = aheadSeconds;
      const event = await signer.signEvent({
        kind: KIND_PAIRING,
        created_at: nowSeconds(ports.clock) + ahead,
        tags: [['p', to]],
        content,
      });
      const answer = await connection.publish(event);
      refusal = 'reason' in answer ? answer.reason : undefined;
      if (ahead > 0 || answer.type === 'clock' || !TOO_OLD.test(refusal ?? '')) return answer;
      aheadSeconds = LATE_STAMP_SECONDS;
      return await publish(to, content);
    } catch {
      // Closed meanwhile, its key wiped.
      return GONE;
    }
  }

  return {
    publish,
    trouble: () => refusal ?? (isListening ? undefined : (connection.info().lastError ?? 'not connected')),
    close: () => {
      connection.close();
      listening.reject(new Error(GONE.type));
    },
  };
}
