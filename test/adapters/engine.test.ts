/** The bindings over real engines, in virtual time: devices, a relay, and pages and stores on each of them. */

import { createPinia, defineStore } from 'pinia';
import { createElement as h, Suspense, type ReactNode } from 'react';
import { renderToString as renderReact } from 'react-dom/server';
import { describe, expect, test } from 'vitest';
import { createApp, createSSRApp, defineComponent, h as hVue } from 'vue';
import { renderToString as renderVue } from 'vue/server-renderer';
import * as vanilla from 'zustand/vanilla';
import { syncStores } from '../../src/adapters/pinia.ts';
import { useReadable, useReady, useSync, useSyncStatus } from '../../src/adapters/react.ts';
import { useSync as useSyncInVue } from '../../src/adapters/vue.ts';
import { synced } from '../../src/adapters/zustand.ts';
import { defineCategory, memoryStore, type State } from '../../src/node.ts';
import { world, type World } from '../sync/devices.ts';
import { DEFAULTS, type Settings } from './double.ts';
import { open, type Page } from './react-page.ts';

const createStore = ((vanilla as any).createStore ?? (vanilla as any).default) as typeof vanilla.createStore;
const settingsOf = (name = 'settings') => defineCategory<Settings>({ name, default: DEFAULTS });

/** Lets seconds pass for devices, and what follows for a page. */
async function pass({ clock }: World, page?: Page, ms = 4_000): Promise<void> {
  const step = (): Promise<void> => clock.advance(100);
  for (let passed = 0; passed < ms; passed += 100) {
    if (page === undefined) await step();
    else await page.act(step);
  }
}
/** Events that devices have sent. */
const writes = ({ relays }: World): number =>
  relays
    .flatMap(({ frames }) => frames)
    .filter(({ direction, frame }) => direction === 'in' && (frame as unknown[])[0] === 'EVENT').length;

function Theme({ state }: { readonly state: State<Settings> }): ReactNode {
  const [{ theme, size }, update, { status }] = useSync(state);
  return h('button', { onClick: () => void update({ size: size + 1 }) }, `${theme} ${size} ${status}`);
}

describe('pages of two devices', () => {
  test('show what either edits, and how it stands', async () => {
    const here = world({});
    const [mine, theirs] = [here.device(), here.device()].map((device) => device.state(settingsOf()));
    const [desk, phone] = [await open(h(Theme, { state: mine! })), await open(h(Theme, { state: theirs! }))];
    const both = async (): Promise<string[]> => {
      await desk.act(() => pass(here, phone));
      return [desk.text(), phone.text()];
    };
    expect(await both()).toEqual(['light 12 synced', 'light 12 synced']);
    await desk.act(() => document.querySelectorAll('button')[0]!.click());
    expect(desk.text()).toBe('light 13 pending');
    await phone.act(() => void theirs!.update({ theme: 'dark' }));
    expect(await both()).toEqual(['dark 13 synced', 'dark 13 synced']);
  });

  test('render a part when it changes, and not with the rest', async () => {
    const here = world({});
    const [mine, theirs] = [here.device(), here.device()].map((device) => device.state(settingsOf()));
    let renders = 0;
    function Panes(): ReactNode {
      renders += 0.5;
      return useReadable(mine!, ({ panes }) => panes).left.join();
    }
    const page = await open(h(Panes));
    await pass(here, page);
    renders = 0;
    void theirs!.update({ size: 20 });
    await pass(here, page);
    expect([mine!.get().size, renders]).toEqual([20, 0]);
    void theirs!.update({ panes: { left: ['search'], right: [] } });
    await pass(here, page);
    expect([page.text(), renders]).toEqual(['search', 1]);
  });

  test('wait three seconds for a relay that says nothing, and show what there is', async () => {
    const here = world({});
    here.relays[0]!.misbehave({ silent: true });
    const state = here.device().state(settingsOf());
    function Ready(): ReactNode {
      useReady(state);
      return useReadable(state).theme;
    }
    const page = await open(h(Suspense, { fallback: 'waiting' }, h(Ready)));
    expect(page.text()).toBe('waiting');
    await pass(here, page, 3_200);
    expect(page.text()).toBe('light');
  });

  test('show the status of the engine', async () => {
    const here = world({});
    const device = here.device();
    function Status(): ReactNode {
      return String(useSyncStatus(device)?.connectedRelayCount);
    }
    const page = await open(h(Status));
    await pass(here, page);
    expect(page.text()).toBe('1');
  });
});

describe('stores of two devices', () => {
  interface Ui extends Pick<Settings, 'theme' | 'size'> {
    readonly isMenuOpen: boolean;
  }
  const KEYS = ['theme', 'size'] as const;

  test('of two kinds: each edit is one write, both show it, and then all is quiet', async () => {
    const here = world({});
    const [mine, theirs] = [here.device(), here.device()].map((device) => device.state(settingsOf()));
    const zustand = createStore(
      synced((): Ui => ({ theme: 'light', size: 12, isMenuOpen: false }), mine!, KEYS),
    );
    zustand.subscribe(() => undefined);
    const pinia = createPinia();
    pinia.use(syncStores({ ui: { state: theirs!, keys: KEYS } }));
    createApp({ render: () => null }).use(pinia);
    const ui = defineStore('ui', { state: () => ({ theme: 'light' as Settings['theme'], size: 12 }) })(pinia);
    await pass(here);
    expect(writes(here)).toBe(0);

    zustand.setState({ theme: 'dark' });
    await pass(here);
    expect([ui.theme, writes(here)]).toEqual(['dark', 1]);
    for (let size = 13; size < 63; size++) {
      ui.size = size;
      await here.clock.advance(10);
    }
    await pass(here);
    expect(zustand.getState()).toMatchObject({ theme: 'dark', size: 62, isMenuOpen: false });
    expect(writes(here)).toBe(2);

    // At the same time, of different fields.
    zustand.setState({ theme: 'light' });
    ui.size = 12;
    await pass(here, undefined, 10_000);
    for (const shown of [zustand.getState(), ui.$state])
      expect(shown).toMatchObject({ theme: 'light', size: 12 });
    const sent = writes(here);
    await pass(here, undefined, 60_000);
    expect(writes(here)).toBe(sent);
  });
});

describe('on a server', () => {
  test('rendering opens no engine: its store and its relays are not touched', async () => {
    const touched: string[] = [];
    const store = new Proxy(memoryStore(), {
      get: (target, name) => {
        touched.push(String(name));
        return target[name as keyof typeof target];
      },
    });
    const here = world({});
    const device = here.device({ store, relays: [] });
    await pass(here);
    touched.splice(0);

    const state = device.state(settingsOf());
    function Ready(): ReactNode {
      useReady(state);
      useSyncStatus(device);
      return h(Theme, { state });
    }
    expect(renderReact(h(Suspense, null, h(Ready)))).toContain('light 12 loading');
    const vue = defineComponent(() => {
      const { value, meta } = useSyncInVue(state);
      return () => hVue('p', `${value.value.theme} ${meta.value.status}`);
    });
    expect(await renderVue(createSSRApp(vue))).toBe('<p>light loading</p>');
    expect(createStore(synced(() => ({ ...DEFAULTS }), state, ['theme'])).getState().theme).toBe('light');
    await pass(here);
    expect(touched).toEqual([]);
  });

  test('what it has rendered is taken over by a device that knows more, without a word', async () => {
    const here = world({});
    const [mine, theirs] = [here.device(), here.device()].map((device) => device.state(settingsOf()));
    const html = renderReact(h(Theme, { state: mine! }));
    void theirs!.update({ theme: 'dark' });
    const stop = mine!.subscribe(() => undefined);
    await pass(here);
    expect(mine!.get().theme).toBe('dark');
    const page = await open(h(Theme, { state: mine! }), html);
    await pass(here, page);
    expect(page.text()).toBe('dark 12 synced');
    stop();
  });
});
