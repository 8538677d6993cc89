/** A page that goes within the debounce of an edit: nothing of the edit is lost, in Chromium and in Firefox. */

import { describe, expect, test } from 'vitest';
import type { Tab } from '../support/browser.ts';
import { opened, site, start, WAIT } from './tabs.ts';

type Way = 'reload' | 'leave' | 'close';

/** Opens a handle, and keeps it in the page. */
const open = (tab: Tab): Promise<void> =>
  tab.evaluate(async () => {
    const { nostrSync, sync } = window.app;
    const notes = nostrSync.defineCategory({ name: 'notes', default: { note: '' } });
    const state = sync.state(notes);
    Object.assign(window, { notes: state });
    await state.ready;
  });

/** Edits, and goes in the same turn; resolves once that was done, or the page has gone. */
const editAndGo = async (tab: Tab, note: string, way: Way): Promise<void> => {
  await tab.evaluate(
    ([typed, how]) => {
      const app = window as unknown as {
        notes: { update(edit: { note: string }): Promise<unknown> };
        wentOn?: true;
      };
      // What this call returns is not cut off.
      setTimeout(() => {
        void app.notes.update({ note: typed });
        app.wentOn = true;
        if (how === 'reload') location.reload();
        if (how === 'leave') location.href = 'about:blank';
      }, 0);
    },
    [note, way] as const,
  );
  const isMade = (): Promise<boolean> => tab.evaluate(() => !('notes' in window) || 'wentOn' in window);
  await expect.poll(isMade, WAIT).toBe(true);
};

const shown = (tab: Tab): Promise<unknown> =>
  tab.evaluate(() => (window as unknown as { notes: { get(): unknown } }).notes.get());

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  test.each<Way>(['reload', 'leave', 'close'])('%s', async (way) => {
    const device = await opened(site.profile(browser));
    for (let round = 0; round < 3; round++) {
      const tab = await start(device);
      await open(tab);
      const note = `typed in round ${round}`;
      await editAndGo(tab, note, way);
      if (way !== 'close') await expect.poll(() => tab.evaluate(() => 'notes' in window), WAIT).toBe(false);
      await tab.close();
      const next = await start(device);
      await open(next);
      await expect.poll(() => shown(next), WAIT).toEqual({ note });
      await next.close();
    }
  });
});
