/** `createNostrSync` of Node, for QuickJS: the simulator brings all ports but the primitives along. */

import { createEngine, type NostrSync } from '../../src/nostr-sync.ts';
import { compression, primitives, randomBytes } from '../../src/embedded/primitives.ts';
import { createEventVerifier } from '../../src/embedded/verifier.ts';
import type { NostrSyncOptions } from '../../src/options.ts';
import { memoryStore } from '../../src/store/memory.ts';

export function createNostrSync(options: NostrSyncOptions): NostrSync {
  return createEngine(options, {
    openSocket: () => {
      throw new Error('The simulator has sockets of its own');
    },
    clock: { now: () => 0, after: () => () => undefined },
    randomBytes,
    compression,
    primitives,
    verifier: createEventVerifier(),
    store: () => memoryStore(),
  });
}

export { primitives as nodePrimitives };
