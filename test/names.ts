/** Names as tests write them down. The engine makes its own by what checks them: `toDTag`, `canonicalRelayUrl`, `parseEvent`. */

import type { Address, EventId, RelayUrl } from '../src/protocol/address.ts';

export function anAddress(text: string): Address {
  return text as Address;
}

export function aRelay(text: string): RelayUrl {
  return text as RelayUrl;
}

export function anId(text: string): EventId {
  return text as EventId;
}
