/** `nostr-sync/testing`: an embedded relay, a clock that stands still, and the suites that every port must pass. */

export * from './browser.ts';
export { startRelay, type RunningRelay, type StartRelayOptions } from './relay-server.ts';
