/** Shared state with the reference plugin over a relay that nobody here wrote. */

import { describe } from 'vitest';
import { sharesStateWithTheReference } from '../reference-suite.ts';
import { startNostrRelay } from './relay-process.ts';

describe('over @nostr-relay/core', () => {
  // It answers `OK true "duplicate:"` to a write that lost: nobody can tell it from one that was taken.
  sharesStateWithTheReference(startNostrRelay, { saysReplaced: false });
});
