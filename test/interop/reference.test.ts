/** Shared state with the reference plugin over the embedded relay. */

import { describe } from 'vitest';
import { relay } from '../sync/devices.ts';
import { sharesStateWithTheReference } from './reference-suite.ts';

describe('over the embedded relay', () => {
  // A frame that holds the largest event: the largest that a strfry takes as installed is 65,536 bytes.
  sharesStateWithTheReference(() => relay({ limits: { maxEventBytes: 131_072 } }), { saysReplaced: true });
});
