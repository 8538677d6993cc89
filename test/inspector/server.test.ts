/** What is imported on a server, too, such as by a page that is rendered there. */

import { expect, test } from 'vitest';

test('without elements the import does nothing, and does not fail', async () => {
  expect({ ...(await import('nostr-sync/inspector')) }).toEqual({});
  expect(globalThis).not.toHaveProperty('customElements');
});
