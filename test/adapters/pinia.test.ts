/** `nostr-sync/pinia`: stores and categories. */

import { createPinia, defineStore, setActivePinia, type Pinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { computed, createApp, createSSRApp, defineComponent, h, nextTick, ref, Suspense, watch } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { syncStores } from '../../src/adapters/pinia.ts';
import { createDouble, DEFAULTS, type Double, type Settings } from './double.ts';

interface Ui {
  theme: 'light' | 'dark';
  size: number;
  panes: { left: string[]; right: string[] };
  nickname: string | undefined;
  isMenuOpen: boolean;
}
const KEYS = ['theme', 'size', 'panes', 'nickname'] as const;
/** Ids of stores are also names of stores in one Pinia. */
const uiStore = (id = 'ui') =>
  defineStore(id, {
    state: () => ({ ...structuredClone(DEFAULTS), nickname: undefined, isMenuOpen: false }) as unknown as Ui,
    actions: {
      toggle() {
        this.theme = this.theme === 'dark' ? 'light' : 'dark';
      },
    },
  });

let complaints: unknown[][];
beforeEach(() => {
  complaints = [];
  for (const level of ['error', 'warn'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => void complaints.push(words));
});
afterEach(() => {
  vi.restoreAllMocks();
  document.body.replaceChildren();
  expect(complaints).toEqual([]);
});

/** A Pinia in use by an app, as plugins ask for. */
function piniaOf({ state }: Double<Settings>, ...ids: string[]): Pinia {
  const pinia = createPinia();
  const names = ids.length > 0 ? ids : ['ui'];
  pinia.use(syncStores(Object.fromEntries(names.map((id) => [id, { state, keys: KEYS }]))));
  createApp({ render: () => null }).use(pinia);
  setActivePinia(pinia);
  return pinia;
}

describe('a store', () => {
  test('shows what the category has, at once and with each change', () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const ui = uiStore()(piniaOf(double));
    expect(ui.theme).toBe('dark');
    double.arrive({ size: 20, panes: { left: [], right: ['files'] }, nickname: 'Al' });
    expect(ui.$state).toEqual({
      theme: 'dark',
      size: 20,
      panes: { left: [], right: ['files'] },
      nickname: 'Al',
      isMenuOpen: false,
    });
    expect(double.edits).toEqual([]);
  });

  test('is edited by assignments, by actions, in place and by `$patch`: the fields that change, and no other', async () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    ui.size = 13;
    await nextTick();
    ui.toggle();
    await nextTick();
    ui.panes.left.push('search');
    ui.isMenuOpen = true;
    await nextTick();
    ui.$patch({ theme: 'light', size: 14, isMenuOpen: false });
    await nextTick();
    expect(double.edits).toEqual([
      { size: 13 },
      { theme: 'dark' },
      { panes: { left: ['files', 'search'], right: [] } },
      { theme: 'light', size: 14 },
    ]);
  });

  test('changed several times in one turn is edited once: no step between is', async () => {
    const double = createDouble();
    double.arrive({ panes: { left: ['a', 'b', 'c'], right: [] } });
    const ui = uiStore()(piniaOf(double));
    ui.panes.left.reverse();
    ui.panes.left.splice(0, 1);
    ui.size += 1;
    ui.toggle();
    ui.size += 1;
    await nextTick();
    expect(double.edits).toEqual([{ theme: 'dark', size: 14, panes: { left: ['b', 'a'], right: [] } }]);
  });

  test('loses nothing that is assigned in the turn of a `$patch`', async () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    ui.$patch({ size: 13 });
    ui.toggle();
    await nextTick();
    expect(double.edits).toEqual([{ theme: 'dark', size: 13 }]);
    double.arrive({ size: 14 });
    ui.toggle();
    await nextTick();
    expect(double.edits[1]).toEqual({ theme: 'light' });
  });

  test('loses nothing of a turn in which another device writes as well', async () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    ui.size = 13;
    double.arrive({ theme: 'dark', size: 40, nickname: 'Al' });
    await nextTick();
    expect(double.edits).toEqual([{ size: 13 }]);
    for (const value of [ui, double.state.get()])
      expect(value).toMatchObject({ theme: 'dark', size: 13, nickname: 'Al' });
  });

  test('changed in place does not reach into what the category has', async () => {
    const double = createDouble();
    double.arrive({ panes: { left: ['files'], right: [] } });
    const { panes } = double.state.get();
    const ui = uiStore()(piniaOf(double));
    ui.panes.left.push('search');
    ui.panes.right.push('files');
    await nextTick();
    expect(panes).toEqual({ left: ['files'], right: [] });
    expect(double.state.get().panes).toEqual({ left: ['files', 'search'], right: ['files'] });
  });

  test('keeps nothing of what another device has taken out of a field', () => {
    const double = createDouble<any>({ ...DEFAULTS, panes: { left: [], right: [] } });
    const ui = uiStore()(piniaOf(double));
    double.arrive({ panes: { left: ['files'] } });
    expect(ui.panes).toEqual({ left: ['files'] });
  });

  test('gives a field back by `undefined`', async () => {
    const double = createDouble();
    double.arrive({ nickname: 'Al' });
    const ui = uiStore()(piniaOf(double));
    ui.nickname = undefined;
    await nextTick();
    expect(double.edits).toEqual([{ nickname: undefined }]);
    expect('nickname' in double.state.get()).toBe(false);
  });

  test('shows no longer what the category does not take', async () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    double.refuse(({ size }) => size! > 40);
    ui.size = 99;
    await vi.waitFor(() => expect(ui.size).toBe(12));
    ui.size = 14;
    await nextTick();
    expect(double.edits).toEqual([{ size: 14 }]);
  });

  test('and another one on the same category: each edit is made once, and both show it', async () => {
    const double = createDouble();
    const pinia = piniaOf(double, 'one', 'other');
    const [one, other] = [uiStore('one')(pinia), uiStore('other')(pinia)];
    one.toggle();
    await nextTick();
    other.panes.left.push('search');
    await nextTick();
    expect(double.edits).toEqual([{ theme: 'dark' }, { panes: { left: ['files', 'search'], right: [] } }]);
    for (const store of [one, other])
      expect(store).toMatchObject({ theme: 'dark', panes: { left: ['files', 'search'] } });
  });

  test('counts what is changed in answer to another device', async () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    watch(
      () => ui.theme,
      (theme) => {
        if (theme === 'dark') ui.size = 14;
      },
      { flush: 'sync' },
    );
    double.arrive({ theme: 'dark', nickname: 'Al' });
    await nextTick();
    expect(double.edits).toEqual([{ size: 14 }]);
    expect(double.state.get()).toMatchObject({ theme: 'dark', size: 14, nickname: 'Al' });
  });

  test('that is no option of the plugin is left alone', async () => {
    const double = createDouble();
    const ui = uiStore('elsewhere')(piniaOf(double));
    ui.toggle();
    await nextTick();
    expect(double.opened).toEqual([]);
  });

  test('ends with `$dispose`', () => {
    const double = createDouble();
    const ui = uiStore()(piniaOf(double));
    expect(double.listeners()).toBe(1);
    ui.$dispose();
    expect(double.listeners()).toBe(0);
  });

  test('that is made by a function is no other', async () => {
    const double = createDouble();
    const useUi = defineStore('ui', () => {
      const [theme, size, panes, nickname] = [
        ref(DEFAULTS.theme),
        ref(12),
        ref<any>({ left: ['files'], right: [] }),
        ref<string>(),
      ];
      return { theme, size, panes, nickname, isDark: computed(() => theme.value === 'dark') };
    });
    const ui = useUi(piniaOf(double));
    double.arrive({ theme: 'dark' });
    expect(ui.isDark).toBe(true);
    ui.panes.left.pop();
    await nextTick();
    expect(double.edits).toEqual([{ panes: { left: [], right: [] } }]);
  });
});

describe('in components', () => {
  /** An app and its Pinia, as a page and a server make them. */
  function appOf({ state }: Double<Settings>, create: typeof createApp, component = theme) {
    const pinia = createPinia();
    pinia.use(syncStores({ ui: { state, keys: ['theme', 'size'] } }));
    return { app: create(component).use(pinia), pinia };
  }
  const theme = defineComponent(() => {
    const ui = uiStore()();
    return () => h('p', ui.theme);
  });
  const container = (html = ''): HTMLElement => {
    const main = document.createElement('main');
    main.innerHTML = html;
    document.body.append(main);
    return main;
  };

  test('nothing is started on a server, and what it has rendered is taken over without a word', async () => {
    const double = createDouble();
    const { app: remote, pinia } = appOf(double, createSSRApp);
    const html = await renderToString(remote);
    expect(html).toBe('<p>light</p>');
    expect(double.opened).toEqual([]);

    double.arrive({ theme: 'dark' });
    const here = appOf(double, createSSRApp);
    here.pinia.state.value = JSON.parse(JSON.stringify(pinia.state.value));
    here.app.mount(container(html));
    await nextTick();
    expect(document.body.textContent).toBe('dark');
    expect(double.edits).toEqual([]);
  });

  test('the store lasts longer than the first component that uses it', async () => {
    const double = createDouble();
    const isShown = ref(true);
    const { app } = appOf(
      double,
      createApp,
      defineComponent(() => () => (isShown.value ? h(theme) : h('p', 'gone'))),
    );
    app.mount(container());
    isShown.value = false;
    await nextTick();
    double.arrive({ theme: 'dark' });
    uiStore()().size = 13;
    await nextTick();
    expect(double.edits).toEqual([{ size: 13 }]);
    isShown.value = true;
    await nextTick();
    expect(document.body.textContent).toBe('dark');
    app.unmount();
  });

  test('the store starts also if the first component that uses it is given up before it is mounted', async () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const slow = defineComponent({
      async setup() {
        uiStore()();
        await new Promise(() => undefined);
        return () => null;
      },
    });
    const isSlow = ref(true);
    const { app } = appOf(
      double,
      createApp,
      defineComponent(() => () => (isSlow.value ? h(Suspense, null, { default: h(slow) }) : h(theme))),
    );
    vi.spyOn(console, 'info').mockImplementation(() => undefined);
    app.mount(container());
    isSlow.value = false;
    await nextTick();
    await nextTick();
    expect(document.body.textContent).toBe('dark');
    expect(double.listeners()).toBe(1);
    app.unmount();
  });
});
