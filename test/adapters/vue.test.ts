/** `nostr-sync/vue`, in apps of Vue, and in effect scopes without a component. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createApp,
  createSSRApp,
  defineComponent,
  effectScope,
  h,
  nextTick,
  ref,
  Suspense,
  watch,
  watchEffect,
  type App,
  type Component,
} from 'vue';
import { renderToString } from 'vue/server-renderer';
import { useReadable, useSync, useSyncStatus } from '../../src/adapters/vue.ts';
import type { SyncStatus } from '../../src/sync/status.ts';
import { createDouble, type Double } from './double.ts';

/** What Vue said. Each test ends with nothing. */
let complaints: unknown[][];
const apps: App[] = [];
beforeEach(() => {
  complaints = [];
  for (const level of ['error', 'warn'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => void complaints.push(words));
});
afterEach(() => {
  for (const app of apps.splice(0)) app.unmount();
  vi.restoreAllMocks();
  document.body.replaceChildren();
  expect(complaints).toEqual([]);
});

const text = (): string => document.body.textContent;

function open(component: Component, html?: string): App {
  const container = document.createElement('main');
  document.body.append(container);
  if (html !== undefined) container.innerHTML = html;
  const app = html === undefined ? createApp(component) : createSSRApp(component);
  app.mount(container);
  apps.push(app);
  return app;
}

const themeOf = ({ state }: Double<any>): Component =>
  defineComponent(() => {
    const { value, meta } = useSync(state);
    return () => h('p', `${value.value.theme} ${meta.value.status}`);
  });

describe('in a component', () => {
  test('a value is shown, and each change of it, and of how it stands', async () => {
    const double = createDouble();
    open(themeOf(double));
    expect(text()).toBe('light loading');
    double.tell({ status: 'synced' });
    double.arrive({ theme: 'dark' });
    await nextTick();
    expect(text()).toBe('dark synced');
  });

  test('what the handle has is there from the first line of `setup` on, and rendered once', async () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    let renders = 0;
    let first: unknown;
    open(
      defineComponent(() => {
        const { value } = useSync(double.state);
        first = value.value.theme;
        return () => h('p', [value.value.theme, void renders++]);
      }),
    );
    await nextTick();
    expect({ first, renders }).toEqual({ first: 'dark', renders: 1 });
  });

  test('it listens from when it is mounted until it is unmounted', () => {
    const double = createDouble();
    const app = open(themeOf(double));
    expect(double.listeners()).toBe(2);
    app.unmount();
    apps.pop();
    expect(double.listeners()).toBe(0);
  });

  test('a part of a value is rendered when it changes, and not with the rest', async () => {
    const double = createDouble();
    let renders = 0;
    open(
      defineComponent(() => {
        const panes = useReadable(double.state, (value) => value.panes);
        return () => h('p', [panes.value.left.join(), void renders++]);
      }),
    );
    double.arrive({ size: 20, panes: { left: ['files'], right: [] } });
    double.tell({ status: 'synced' });
    await nextTick();
    expect(renders).toBe(1);
    double.arrive({ panes: { left: ['files', 'search'], right: [] } });
    await nextTick();
    expect(renders).toBe(2);
    expect(text()).toBe('files,search');
  });

  test('a field is read and written by `v-model`', async () => {
    const double = createDouble();
    open(
      defineComponent(() => {
        const theme = useSync(double.state).field('theme');
        return () =>
          h('input', {
            value: theme.value,
            onInput: (event: Event) => {
              theme.value = (event.target as HTMLInputElement).value as 'dark';
            },
          });
      }),
    );
    const input = document.querySelector('input')!;
    input.value = 'dark';
    input.dispatchEvent(new Event('input'));
    expect(double.edits).toEqual([{ theme: 'dark' }]);
    await nextTick();
    double.arrive({ theme: 'light' });
    await nextTick();
    expect(input.value).toBe('light');
  });

  test('with Suspense, `await state.ready` shows the fallback, then the value', async () => {
    const double = createDouble();
    const Ready = defineComponent({
      async setup() {
        const { value } = useSync(double.state);
        await double.state.ready;
        return () => value.value.theme;
      },
    });
    open(defineComponent(() => () => h(Suspense, null, { default: h(Ready), fallback: () => 'waiting' })));
    expect(text()).toBe('waiting');
    double.arrive({ theme: 'dark' });
    double.becomeReady();
    await vi.waitFor(() => expect(text()).toBe('dark'));
    expect(double.listeners()).toBe(2);
    // What Vue says of Suspense: it is experimental.
    complaints = complaints.filter(([word]) => !String(word).includes('<Suspense> is an experimental'));
  });

  test('given up while it waits, it leaves no listener', async () => {
    const double = createDouble();
    const Ready = defineComponent({
      async setup() {
        const { value } = useSync(double.state);
        await double.state.ready;
        return () => value.value.theme;
      },
    });
    const isShown = ref(true);
    open(
      defineComponent(
        () => () => (isShown.value ? h(Suspense, null, { default: h(Ready) }) : h('p', 'gone')),
      ),
    );
    isShown.value = false;
    await nextTick();
    double.becomeReady();
    await nextTick();
    await nextTick();
    expect(text()).toBe('gone');
    expect(double.listeners()).toBe(0);
    complaints = complaints.filter(([word]) => !String(word).includes('<Suspense> is an experimental'));
  });
});

describe('on a server', () => {
  test('nothing is started', async () => {
    const double = createDouble();
    const html = await renderToString(createSSRApp(themeOf(double)));
    expect(html).toBe('<p>light loading</p>');
    expect(double.opened).toEqual([]);
  });

  test('what it has rendered is taken over without a word, before the value is shown', async () => {
    const double = createDouble();
    const html = await renderToString(createSSRApp(themeOf(double)));
    double.arrive({ theme: 'dark' });
    double.tell({ status: 'synced' });
    open(themeOf(double), html);
    await nextTick();
    expect(text()).toBe('dark synced');
  });
});

describe('in an effect scope without a component', () => {
  test('it listens at once, until the scope ends', () => {
    const double = createDouble();
    const scope = effectScope();
    const { value, meta } = scope.run(() => useSync(double.state))!;
    expect(double.listeners()).toBe(2);
    double.arrive({ theme: 'dark' });
    double.tell({ status: 'local' });
    expect([value.value.theme, meta.value.status]).toEqual(['dark', 'local']);
    scope.stop();
    expect(double.listeners()).toBe(0);
  });

  test('what is set is an edit, `update` too; why one is refused is no uncaught error', async () => {
    const double = createDouble();
    const scope = effectScope();
    const { value, update } = scope.run(() => useSync(double.state))!;
    value.value = { ...value.value, theme: 'dark' };
    await update({ size: 13 });
    expect(double.state.get()).toMatchObject({ theme: 'dark', size: 13 });
    double.refuse(() => true);
    value.value = { ...value.value, theme: 'light' };
    await expect(update({ size: 14 })).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    expect(value.value).toMatchObject({ theme: 'dark', size: 13 });
    scope.stop();
  });

  test('what watches a part runs with its changes alone', () => {
    const double = createDouble();
    const scope = effectScope();
    const seen: unknown[] = [];
    scope.run(() => {
      const theme = useReadable(double.state, (value) => value.theme);
      watch(theme, (now) => seen.push(now), { flush: 'sync' });
    });
    double.arrive({ size: 20 });
    double.arrive({ theme: 'dark' });
    expect(seen).toEqual(['dark']);
    scope.stop();
  });

  test('the status of an engine is told until the scope ends', () => {
    const listeners = new Set<(status: SyncStatus) => void>();
    const sync = {
      on: (_: 'status', listener: (status: SyncStatus) => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const scope = effectScope();
    const seen: unknown[] = [];
    scope.run(() => {
      const status = useSyncStatus(sync);
      watchEffect(() => seen.push(status.value?.pendingChanges), { flush: 'sync' });
    });
    for (const listener of listeners) listener({ pendingChanges: 2 } as SyncStatus);
    expect(seen).toEqual([undefined, 2]);
    scope.stop();
    expect(listeners.size).toBe(0);
  });
});
