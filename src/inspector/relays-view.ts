/** How each relay does. */

import type { RelayInfo } from '../relay/connection.ts';
import type { Model } from './model.ts';
import { chip, facts, foreign, list, measure, time, type View } from './view.ts';

export function relaysView({ relays }: Model): View {
  return list(relays.map((relay) => [relay.url, ...relayView(relay)]));
}

function relayView(relay: RelayInfo): readonly View[] {
  const { url, state, latencyMs, lastSeen, lastError } = relay;
  const violations = Object.entries(relay.violations).map((of) => of.join(' '));
  return [
    ['b', {}, foreign(url)],
    chip(state),
    facts({
      latency: measure(latencyMs, 'ms'),
      AUTH: relay.auth,
      'last seen': lastSeen === null ? 'never' : time(lastSeen),
      'largest taken': measure(relay.acceptedBytes, 'B'),
      'refused from': measure(relay.refusedBytes, 'B'),
      violations: violations.join(', ') || 'none',
      'last error': foreign(lastError ?? 'none'),
    }),
  ];
}
