/** `<nostr-sync-inspector>` in real browsers, under a policy that allows scripts of the site and nothing else. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPage, serveFolder, type OpenPage, type StaticSite } from '../support/page.ts';
import type { InspectorPage } from './inspector-page.ts';

const POLICY =
  "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";

const WAIT = { timeout: 40_000, interval: 50 };

let folder: string;
let site: StaticSite;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nostr-sync-inspector-'));
  writeFileSync(
    join(folder, 'index.html'),
    '<!doctype html><title>x</title><nostr-sync-inspector></nostr-sync-inspector><script type=module src=/app.js></script>',
  );
  await build({
    entryPoints: [join(import.meta.dirname, 'inspector-page.ts')],
    outfile: join(folder, 'app.js'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    conditions: ['browser'],
    logLevel: 'error',
  });
  site = await serveFolder(folder, { 'content-security-policy': POLICY });
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

declare const page: InspectorPage;

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  let open: OpenPage;
  beforeAll(async () => {
    open = await openPage(browser, site.url);
    await vi.waitUntil(() => open.tab.evaluate(() => 'isReady' in window), WAIT);
  });
  afterAll(() => open.close());

  const texts = (): Promise<string> =>
    open.tab.evaluate(
      () =>
        document
          .querySelector('nostr-sync-inspector')!
          .shadowRoot!.querySelector('[role=tabpanel]:not([hidden])')!.textContent,
    );
  /** Clicks the button in the panel that is shown, by what it says. */
  const click = (name: string): Promise<void> =>
    open.tab.evaluate((says) => {
      const root = document.querySelector('nostr-sync-inspector')!.shadowRoot!;
      [...root.querySelectorAll('button')].find(({ textContent }) => textContent.includes(says))!.click();
    }, name);

  test('it shows the engine that was set before it was defined; what others wrote is text', async () => {
    const { html } = await open.tab.evaluate(() => ({ html: page.html }));
    await expect.poll(texts, WAIT).toContain(html);
    await click(html);
    await expect.poll(texts, WAIT).toContain('former values');
    expect(await texts()).not.toContain('canary');
    await click('Show');
    await expect.poll(texts, WAIT).toContain('"secret": "canary"');
    await click('Hide');
    await expect.poll(texts, WAIT).not.toContain('canary');
    const found = await open.tab.evaluate(() => {
      const root = document.querySelector('nostr-sync-inspector')!.shadowRoot!;
      return [root.querySelectorAll('img, script, style, [style], [onclick]').length, 'broken' in window];
    });
    expect(found).toEqual([0, false]);
  });

  test('the policy was not broken, and yet it has its looks, light and dark', async () => {
    const looks = await open.tab.evaluate(() => {
      const element = document.querySelector('nostr-sync-inspector')!;
      const tab = element.shadowRoot!.querySelector('[role=tab]')!;
      const colours = ['light', 'dark'].map((scheme) => {
        element.style.colorScheme = scheme;
        const { backgroundColor, color } = getComputedStyle(element);
        return [backgroundColor, color];
      });
      element.style.colorScheme = '';
      return { height: getComputedStyle(tab).minHeight, colours, violations: page.violations };
    });
    expect(looks).toMatchObject({ height: '42px', violations: [] });
    expect(looks.colours[0]).toEqual(['rgb(255, 255, 255)', 'rgb(0, 0, 0)']);
    expect(looks.colours[1]).not.toEqual(looks.colours[0]);
    expect(looks.colours[1]![1]).toMatch(/^rgb\(25\d, 25\d, 25\d\)$/);
  });

  test.each([390, 1280])('at %i px nothing is wider than the element', async (width) => {
    for (const tab of ['Relays', 'Log', 'Values']) {
      await click(tab.toLowerCase());
      await expect.poll(texts, WAIT).not.toBe('');
      const [inside, outside] = await open.tab.evaluate((px) => {
        const element = document.querySelector('nostr-sync-inspector')!;
        element.style.width = `${px}px`;
        const panel = element.shadowRoot!.querySelector('[role=tabpanel]:not([hidden])')!;
        return [Math.max(panel.scrollWidth, element.scrollWidth), element.clientWidth];
      }, width);
      expect(inside).toBeLessThanOrEqual(outside);
    }
  });

  test('arrow keys go from tab to tab, and around; each names the panel that it shows', async () => {
    const state = (): Promise<unknown> =>
      open.tab.evaluate(() => {
        const root = document.querySelector('nostr-sync-inspector')!.shadowRoot!;
        const tabs = [...root.querySelectorAll('[role=tab]')];
        const chosen = tabs.filter((tab) => tab.getAttribute('aria-selected') === 'true');
        const panels = [...root.querySelectorAll('[role=tabpanel]:not([hidden])')];
        return {
          focus: root.activeElement?.id,
          chosen: chosen.map((tab) => tab.id),
          inOrder: tabs.filter((tab) => (tab as HTMLElement).tabIndex === 0).map((tab) => tab.id),
          panel: panels.map(
            (panel) =>
              panel.id === chosen[0]!.getAttribute('aria-controls') && panel.getAttribute('aria-labelledby'),
          ),
        };
      });
    const press = async (key: string): Promise<void> => {
      if (open.page !== undefined) return open.page.keyboard.press(key);
      await open.tab.evaluate((which) => {
        const root = document.querySelector('nostr-sync-inspector')!.shadowRoot!;
        root.activeElement!.dispatchEvent(
          new KeyboardEvent('keydown', { key: which, bubbles: true, cancelable: true }),
        );
      }, key);
    };
    await open.tab.evaluate(() =>
      document.querySelector('nostr-sync-inspector')!.shadowRoot!.getElementById('values')!.focus(),
    );
    for (const [key, tab] of [
      ['ArrowRight', 'relays'],
      ['ArrowRight', 'conflicts'],
      ['ArrowLeft', 'relays'],
      ['ArrowLeft', 'values'],
      ['ArrowLeft', 'log'],
      ['ArrowRight', 'values'],
    ] as const) {
      await press(key);
      await expect.poll(state, WAIT).toEqual({ focus: tab, chosen: [tab], inOrder: [tab], panel: [tab] });
    }
  });

  test('what has the focus keeps it while values come in before it', async () => {
    const { before, after } = await open.tab.evaluate(async () => {
      const root = document.querySelector('nostr-sync-inspector')!.shadowRoot!;
      const head = root.querySelector<HTMLElement>('[aria-expanded]')!;
      head.focus();
      const before = head.firstChild!.textContent;
      // Before `<` in the order of names.
      await page.sync.publish('!first', 1);
      while (root.querySelectorAll('li[data-key="!first"]').length === 0)
        await new Promise((resolve) => setTimeout(resolve, 20));
      return { before, after: root.activeElement === head && head.firstChild!.textContent };
    });
    expect(after).toBe(before);
  });

  test('another engine takes the place of the first; what is none is refused; out of the page it knows nothing', async () => {
    const refused = await open.tab.evaluate(() => {
      const element = document.querySelector('nostr-sync-inspector')!;
      try {
        element.sync = { inspect: 1 } as never;
      } catch (error) {
        return String(error);
      }
      return undefined;
    });
    expect(refused).toBe(
      'TypeError: Invalid sync: expected what createNostrSync returns, or null, got an object',
    );
    await open.tab.evaluate(() => {
      document.querySelector('nostr-sync-inspector')!.sync = page.engine('phone', 'other');
    });
    await expect.poll(texts, WAIT).toBe('Nothing yet');
    const left = await open.tab.evaluate(() => {
      const element = document.querySelector('nostr-sync-inspector')!;
      element.remove();
      const without = element.shadowRoot!.childNodes.length;
      document.body.append(element);
      return [without, element.shadowRoot!.childNodes.length > 0];
    });
    expect(left).toEqual([0, true]);
  });
});

// Only Playwright asks the browser for its tree.
test('a screen reader is given a list of tabs, a panel with its name, and what can be unfolded, word by word', async () => {
  const open = await openPage('chromium', site.url);
  try {
    const page = open.page!;
    await page.getByRole('button', { name: /replicated/ }).click();
    await page.getByRole('button', { name: 'Show: current' }).waitFor();
    const tree = await page.locator('nostr-sync-inspector').ariaSnapshot();
    expect(tree).toMatch(
      /^- tablist:\n {2}- tab "values" \[selected\]\n {2}- tab "relays"\n {2}- tab "conflicts"\n {2}- tab "log"\n- status/,
    );
    expect(tree).toMatch(/\n- tabpanel "values":\n/);
    expect(tree).toMatch(/- button ".*<b>bold replicated .* by this device" \[expanded\]/);
    expect(tree).toMatch(/- listitem: wss:\/\/relay\.example confirmed\n/);
  } finally {
    await open.close();
  }
});
