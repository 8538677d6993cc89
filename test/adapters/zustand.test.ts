/** `nostr-sync/zustand`: stores and categories. */

import { createElement as h, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { describe, expect, test, vi } from 'vitest';
import * as zustand from 'zustand';
import * as vanilla from 'zustand/vanilla';
import { bind, synced } from '../../src/adapters/zustand.ts';
import { createDouble, DEFAULTS, type Double, type Settings } from './double.ts';
import { open } from './react-page.ts';

interface Ui extends Pick<Settings, 'theme' | 'size' | 'panes'> {
  readonly isMenuOpen: boolean;
  readonly toggle: () => void;
}
// Zustand 4 had them as defaults first.
const createStore = ((vanilla as any).createStore ?? (vanilla as any).default) as typeof vanilla.createStore;
const createHook = ((zustand as any).create ?? (zustand as any).default) as typeof zustand.create;

const KEYS = ['theme', 'size', 'panes'] as const;
const uiOf = (set: (change: Partial<Ui>) => void, get: () => Ui): Ui => ({
  ...DEFAULTS,
  isMenuOpen: false,
  toggle: () => set({ theme: get().theme === 'dark' ? 'light' : 'dark' }),
});
const uiStore = () => createStore<Ui>()((set, get) => uiOf(set, get));
const syncedStore = ({ state }: Double<Settings>) => createStore(synced(uiOf, state, KEYS));

describe('a store that is bound', () => {
  test('shows what the category has, at once and with each change; what is as it was stays the same object', () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const store = uiStore();
    bind(store, double.state, KEYS);
    expect(store.getState().theme).toBe('dark');
    const { panes } = store.getState();
    double.arrive({ size: 20 });
    expect(store.getState()).toMatchObject({ theme: 'dark', size: 20, isMenuOpen: false });
    expect(store.getState().panes).toBe(panes);
    expect(double.edits).toEqual([]);
  });

  test('is edited by its actions: the fields that they change, and no other', () => {
    const double = createDouble();
    const store = uiStore();
    bind(store, double.state, KEYS);
    store.getState().toggle();
    store.setState({ isMenuOpen: true });
    store.setState({ size: 13, isMenuOpen: false });
    expect(double.edits).toEqual([{ theme: 'dark' }, { size: 13 }]);
  });

  test('shows no longer what the category does not take', async () => {
    const double = createDouble();
    const store = uiStore();
    bind(store, double.state, KEYS);
    double.refuse(({ size }) => size! > 40);
    store.setState({ size: 99 });
    await vi.waitFor(() => expect(store.getState().size).toBe(12));
    store.setState({ size: 14 });
    expect(double.edits).toEqual([{ size: 14 }]);
  });

  test('hears no more once the binding has ended', () => {
    const double = createDouble();
    const store = uiStore();
    const end = bind(store, double.state, KEYS);
    expect(double.listeners()).toBe(1);
    end();
    expect(double.listeners()).toBe(0);
    store.getState().toggle();
    expect(double.edits).toEqual([]);
  });

  test('and another one on the same category: each edit is made once, and both show it', () => {
    const double = createDouble();
    const stores = [uiStore(), uiStore()] as const;
    for (const store of stores) bind(store, double.state, KEYS);
    stores[0].getState().toggle();
    stores[1].setState({ size: 13, panes: { left: [], right: ['files'] } });
    expect(double.edits).toEqual([{ theme: 'dark' }, { size: 13, panes: { left: [], right: ['files'] } }]);
    for (const store of stores)
      expect(store.getState()).toMatchObject({ theme: 'dark', size: 13, panes: { right: ['files'] } });
  });

  test('counts what its own listeners change in answer to another device, and to an edit', () => {
    const double = createDouble();
    const store = uiStore();
    // Dark is at least 14; sizes are even. This listener comes before ours.
    store.subscribe(({ theme, size }) => {
      if (theme === 'dark' && size < 14) store.setState({ size: 14 });
      else if (size % 2 === 1) store.setState({ size: size + 1 });
    });
    bind(store, double.state, KEYS);
    double.arrive({ theme: 'dark' });
    expect(double.edits).toEqual([{ size: 14 }]);
    store.setState({ size: 15 });
    expect(double.edits).toEqual([{ size: 14 }, { size: 16 }]);
    expect(double.state.get()).toMatchObject({ theme: 'dark', size: 16 });
  });
});

describe('a store that is made by `synced`', () => {
  test('starts nothing until it has a subscriber; then it shows what the category has', () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const store = syncedStore(double);
    expect(store.getState()).toMatchObject({ theme: 'light', isMenuOpen: false });
    store.setState({ isMenuOpen: true });
    expect(double.opened).toEqual([]);
    const stop = store.subscribe(() => undefined);
    expect(store.getState()).toMatchObject({ theme: 'dark', isMenuOpen: true });
    expect(double.listeners()).toBe(1);
    // The store lasts longer than those who look at it.
    stop();
    double.arrive({ theme: 'light' });
    expect(store.getState().theme).toBe('light');
    expect(double.edits).toEqual([]);
  });

  test('is started by an edit as well, which changes nothing else', () => {
    const double = createDouble();
    double.arrive({ size: 20 });
    const store = syncedStore(double);
    store.getState().toggle();
    expect(double.edits).toEqual([{ theme: 'dark' }]);
    expect(store.getState()).toMatchObject({ theme: 'dark', size: 20 });
  });

  test('shows defaults of the category, not those of its own', () => {
    const dark: Settings = { ...DEFAULTS, theme: 'dark' };
    const double = createDouble(dark);
    expect(syncedStore(double).getState().theme).toBe('dark');
  });

  test('takes what other middlewares give to `subscribe`', () => {
    const double = createDouble();
    const given: unknown[][] = [];
    const creator = synced(uiOf, double.state, KEYS);
    const store = createStore<Ui>()((set, get, api, ...rest: []) => {
      const { subscribe } = api;
      api.subscribe = (...args) => {
        given.push(args);
        return subscribe(...args);
      };
      return creator(set, get, api, ...rest);
    });
    (store.subscribe as any)(() => undefined, 'more');
    expect(given.at(-1)).toEqual([expect.any(Function), 'more']);
  });
});

describe('in React', () => {
  test('a component shows it under StrictMode, also what a server has rendered, without a word', async () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const useUi = createHook(synced(uiOf, double.state, KEYS));
    let renders = 0;
    function Theme(): ReactNode {
      const theme = useUi((ui) => ui.theme);
      renders += 1;
      return theme;
    }
    const html = renderToString(h(Theme));
    expect(html).toBe('light');
    expect(double.opened).toEqual([]);
    const page = await open(h(Theme), html);
    expect(page.text()).toBe('dark');
    renders = 0;
    await page.act(() => double.arrive({ size: 20 }));
    expect(renders).toBe(0);
    await page.act(() => useUi.getState().toggle());
    expect(page.text()).toBe('light');
    expect(double.edits).toEqual([{ theme: 'light' }]);
  });
});
