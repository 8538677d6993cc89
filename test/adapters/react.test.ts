/** `nostr-sync/react`, in pages that React renders. */

import { createElement as h, Suspense, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { describe, expect, test } from 'vitest';
import { useReadable, useReady, useSync, useSyncStatus } from '../../src/adapters/react.ts';
import type { SyncStatus } from '../../src/sync/status.ts';
import { createDouble, type Double } from './double.ts';
import { open } from './react-page.ts';

/** Shows the theme, and how the category stands. */
function Theme({ of: { state } }: { readonly of: Double<any> }): ReactNode {
  const [{ theme }, , { status }] = useSync(state);
  return h('p', null, `${theme} ${status}`);
}

describe('a value', () => {
  test('is shown, and each change of it, and of how it stands', async () => {
    const double = createDouble();
    const page = await open(h(Theme, { of: double }));
    expect(page.text()).toBe('light loading');
    await page.act(() => double.tell({ status: 'synced' }));
    await page.act(() => double.arrive({ theme: 'dark' }));
    expect(page.text()).toBe('dark synced');
  });

  test('is edited by what the hook gives, the same function each time', async () => {
    const double = createDouble();
    const updates = new Set<unknown>();
    function Toggle(): ReactNode {
      const [{ size }, update] = useSync(double.state);
      updates.add(update);
      return h('button', { onClick: () => void update({ size: size + 1 }) }, size);
    }
    const page = await open(h(Toggle));
    await page.act(() => document.querySelector('button')!.click());
    expect(page.text()).toBe('13');
    expect(double.edits).toEqual([{ size: 13 }]);
    expect(updates.size).toBe(1);
  });

  test('has one listener for each hook while it is mounted, and none after', async () => {
    const double = createDouble();
    const page = await open([h(Theme, { of: double, key: 1 }), h(Theme, { of: double, key: 2 })]);
    expect(double.listeners()).toBe(4);
    await page.show(h(Theme, { of: double }));
    expect(double.listeners()).toBe(2);
    await page.leave();
    expect(double.listeners()).toBe(0);
  });

  test('of another handle takes its place', async () => {
    const [one, other] = [createDouble(), createDouble()];
    other.arrive({ theme: 'dark' });
    const page = await open(h(Theme, { of: one }));
    await page.show(h(Theme, { of: other }));
    expect(page.text()).toBe('dark loading');
    expect([one.listeners(), other.listeners()]).toEqual([0, 2]);
  });
});

describe('a part of a value', () => {
  /** Counts how often it is rendered. StrictMode renders each time twice. */
  function counted<S>(double: Double<any>, select: (value: any) => S) {
    const seen: S[] = [];
    function Part(): ReactNode {
      seen.push(useReadable(double.state, select));
      return JSON.stringify(seen.at(-1));
    }
    return { element: h(Part), seen, renders: () => seen.length / 2 };
  }

  test('is rendered again when it changes, and not with the rest', async () => {
    const double = createDouble();
    const { element, renders } = counted(double, ({ theme }) => theme);
    const page = await open(element);
    await page.act(() => double.arrive({ size: 20 }));
    await page.act(() => double.tell({ status: 'synced' }));
    expect(renders()).toBe(1);
    await page.act(() => double.arrive({ theme: 'dark' }));
    expect(renders()).toBe(2);
    expect(page.text()).toBe('"dark"');
  });

  test('is the same object as long as nothing in it changes', async () => {
    const double = createDouble();
    const { element, seen, renders } = counted(double, ({ panes }) => panes);
    const page = await open(element);
    await page.act(() => double.arrive({ size: 20, panes: { left: ['files'], right: [] } }));
    expect(renders()).toBe(1);
    await page.act(() => double.arrive({ panes: { left: [], right: [] } }));
    expect(renders()).toBe(2);
    expect(new Set(seen).size).toBe(2);
  });

  test('may be made by the selector: it is rendered with each change of the value, and not for ever', async () => {
    const double = createDouble();
    const { element, renders } = counted(double, ({ theme, size }) => ({ theme, size }));
    const page = await open(element);
    expect(renders()).toBe(1);
    await page.act(() => double.arrive({ size: 20 }));
    expect(renders()).toBe(2);
    expect(page.text()).toBe('{"theme":"light","size":20}');
  });

  test('is that of the newest selector', async () => {
    const double = createDouble();
    function Field({ name }: { readonly name: 'theme' | 'size' }): ReactNode {
      return useReadable(double.state, (value) => value[name]);
    }
    const page = await open(h(Field, { name: 'theme' }));
    await page.show(h(Field, { name: 'size' }));
    expect(page.text()).toBe('12');
  });
});

describe('on a server', () => {
  test('the initial value is rendered, whatever the handle has, and nothing is started', () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    double.tell({ status: 'synced' });
    function All(): ReactNode {
      useReady(double.state);
      return h(Suspense, { fallback: 'waiting' }, h(Theme, { of: double }));
    }
    expect(renderToString(h(All))).toContain('light loading');
    expect(double.opened).toEqual([]);
  });

  test('it is what a page takes over without a word, before it shows what it has', async () => {
    const double = createDouble();
    const html = renderToString(h(Theme, { of: double }));
    double.arrive({ theme: 'dark' });
    double.tell({ status: 'synced' });
    const seen: string[] = [];
    function Watched(): ReactNode {
      const [{ theme }] = useSync(double.state);
      seen.push(theme);
      return h(Theme, { of: double });
    }
    const page = await open(h(Watched), html);
    expect(seen[0]).toBe('light');
    expect(page.text()).toBe('dark synced');
    await page.leave();
    expect(double.listeners()).toBe(0);
  });

  test('a selector that makes its objects is taken over too', async () => {
    const double = createDouble();
    function Part(): ReactNode {
      return JSON.stringify(useReadable(double.state, ({ theme }) => ({ theme })));
    }
    const html = renderToString(h(Part));
    double.arrive({ theme: 'dark' });
    const page = await open(h(Part), html);
    expect(page.text()).toBe('{"theme":"dark"}');
  });
});

describe('waiting until it is ready', () => {
  const waiting = (double: Double<any>, seen: string[] = []): ReactNode => {
    function Ready(): ReactNode {
      useReady(double.state);
      const [{ theme }] = useSync(double.state);
      seen.push(theme);
      return theme;
    }
    function Fallback(): ReactNode {
      seen.push('waiting');
      return 'waiting';
    }
    return h(Suspense, { fallback: h(Fallback) }, h(Ready));
  };

  test('shows what Suspense has for it, then the value, and no default between', async () => {
    const double = createDouble();
    const seen: string[] = [];
    const page = await open(waiting(double, seen));
    expect(page.text()).toBe('waiting');
    expect(double.listeners()).toBe(0);
    await page.act(() => {
      double.arrive({ theme: 'dark' });
      double.tell({ status: 'synced' });
      double.becomeReady();
    });
    expect(page.text()).toBe('dark');
    expect(seen).not.toContain('light');
  });

  test('ends offline as well: once `ready` is settled, whatever is known', async () => {
    const double = createDouble();
    const page = await open(waiting(double));
    await page.act(double.becomeReady);
    expect(page.text()).toBe('light');
    await page.show(h('div', null, waiting(double)));
    expect(page.text()).toBe('light');
  });

  test('does not suspend at all if something is known', async () => {
    const double = createDouble();
    double.tell({ status: 'local' });
    const seen: string[] = [];
    const page = await open(waiting(double, seen));
    expect(page.text()).toBe('light');
    expect(seen).not.toContain('waiting');
  });

  test('given up leaves no listener', async () => {
    const double = createDouble();
    const page = await open(waiting(double));
    await page.leave();
    await page.act(double.becomeReady);
    expect(double.listeners()).toBe(0);
  });

  test('hides nothing that a server has rendered', async () => {
    const double = createDouble();
    const seen: string[] = [];
    const element = waiting(double, seen);
    const html = renderToString(element);
    expect(html).toContain('light');
    expect(double.opened).toEqual([]);
    const page = await open(element, html);
    expect(page.text()).toBe('light');
    await page.act(() => {
      double.arrive({ theme: 'dark' });
      double.tell({ status: 'synced' });
      double.becomeReady();
    });
    expect(page.text()).toBe('dark');
    expect(seen).not.toContain('waiting');
  });
});

test('the status of an engine is shown while it is mounted', async () => {
  const listeners = new Set<(status: SyncStatus) => void>();
  const sync = {
    on: (_: 'status', listener: (status: SyncStatus) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  function Status(): ReactNode {
    const status = useSyncStatus(sync);
    return status === undefined ? 'unknown' : `${status.pendingChanges} pending`;
  }
  expect(renderToString(h(Status))).toBe('unknown');
  expect(listeners.size).toBe(0);
  const page = await open(h(Status), 'unknown');
  expect(page.text()).toBe('unknown');
  await page.act(() => {
    for (const listener of listeners) listener({ pendingChanges: 2 } as SyncStatus);
  });
  expect(page.text()).toBe('2 pending');
  expect(listeners.size).toBe(1);
  await page.leave();
  expect(listeners.size).toBe(0);
});
