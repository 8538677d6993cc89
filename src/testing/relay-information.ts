/** The NIP-11 document of an embedded relay. */

import { MAX_SUBSCRIPTION_ID_LENGTH } from './relay-commands.ts';
import type { RelayRules } from './relay-policy.ts';

export function relayInformation(
  name: string | undefined,
  { limits, auth, negentropy }: RelayRules,
): Record<string, unknown> {
  return {
    name: name ?? 'nostr-sync test relay',
    description: 'An embedded relay for tests.',
    software: 'nostr-sync/testing',
    supported_nips: [1, 9, 11, 40, 42, ...(negentropy === 'answers' ? [77] : []), 78],
    limitation: {
      max_message_length: limits.maxFrameBytes,
      max_subscriptions: limits.maxSubscriptions,
      max_limit: limits.maxLimit,
      max_subid_length: MAX_SUBSCRIPTION_ID_LENGTH,
      auth_required: auth === 'both',
      payment_required: false,
      restricted_writes: auth === 'write' || auth === 'both',
      created_at_lower_limit: limits.createdAtLowerLimit,
      created_at_upper_limit: limits.createdAtUpperLimit,
    },
  };
}
