/** What a browser says of its network, and when connections may have died unnoticed. */

import { afterEach, expect, test, vi } from 'vitest';
import { browserConnectivity } from '../../src/browser/connectivity.ts';

afterEach(() => void vi.unstubAllGlobals());

function stubPage(): {
  readonly page: EventTarget;
  readonly document: EventTarget & { visibilityState: string };
} {
  const page = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  vi.stubGlobal('document', document);
  return { page, document };
}

test('it is heard when the network goes and comes, and when the page is shown or goes on after it was frozen', () => {
  const { page, document } = stubPage();
  const heard = vi.fn<() => void>();
  const stop = browserConnectivity.onChange(heard);
  const says = (target: EventTarget, event: string): number => {
    heard.mockClear();
    target.dispatchEvent(new Event(event));
    return heard.mock.calls.length;
  };
  expect([says(page, 'offline'), says(page, 'online')]).toEqual([1, 1]);
  expect([says(document, 'visibilitychange'), says(document, 'resume')]).toEqual([1, 1]);
  document.visibilityState = 'hidden';
  expect(says(document, 'visibilitychange')).toBe(0);
  stop();
  document.visibilityState = 'visible';
  expect([says(page, 'offline'), says(page, 'online'), says(document, 'visibilitychange')]).toEqual([
    0, 0, 0,
  ]);
});

test('it tells whether the page is hidden; what has no page is not', () => {
  expect(browserConnectivity.isHidden!()).toBe(false);
  const { document } = stubPage();
  expect(browserConnectivity.isHidden!()).toBe(false);
  Object.assign(document, { hidden: true });
  expect(browserConnectivity.isHidden!()).toBe(true);
});

test.each([
  [{ onLine: false }, false],
  [{ onLine: true }, true],
  // Some workers know nothing of a network.
  [{}, true],
  [undefined, true],
])('navigator %j: online is %s', (navigator, isOnline) => {
  vi.stubGlobal('navigator', navigator);
  expect(browserConnectivity.isOnline()).toBe(isOnline);
});
