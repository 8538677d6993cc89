/** `nostr-sync/testing` without Node: everything but the relay on a loopback port. */

export { createTestClock, type TestClock } from './clock.ts';
export { connectTo } from './memory-transport.ts';
export {
  defaultRelayLimits,
  type FrameAction,
  type OutgoingFrame,
  type RelayAuth,
  type RelayNegentropy,
  type RelayStrangers,
  type RelayConnection,
  type RelayFaults,
  type RelayFlavour,
  type RelayLimits,
  type RelayOptions,
  type TieRule,
  type WriteRate,
} from './relay-options.ts';
export type { RelayLink, RelayPeer, RelayPort } from './relay-port.ts';
export type { LoggedFrame } from './relay-log.ts';
export { createRelay, type Relay } from './relay.ts';
export { signerConformance, type SignerConformanceCase } from './signer-conformance.ts';
export type { StoreCheck, StoreUnderTest } from './store-check.ts';
export { storeConformance } from './store-conformance.ts';
