/** The app on a device: a few settings, the same on all devices of the person. What is about syncing is in `show` and `edit`. */

import type { NostrSync } from 'nostr-sync';
import type { Categories, Device, DeviceFault, Settings } from './device.ts';
import { copyOf, find, onSwitch } from './dom.ts';

const DEFAULTS: Required<Settings> = { theme: 'light', accent: 'sea', size: 15, note: '' };

export function createSettingsApp(device: Device): HTMLElement {
  const card = copyOf('device');
  const screen = find(card, '.screen');
  const fields = find(card, '.fields') as HTMLFieldSetElement;
  const news = find(card, '.news');
  const field = (name: string): HTMLInputElement => fields.elements.namedItem(name) as HTMLInputElement;
  find(card, 'h2').textContent = device.name;
  card.id = device.name;
  let stops: (() => void)[] = [];

  function show(settings: Settings): void {
    const { theme, accent, size, note } = { ...DEFAULTS, ...settings };
    Object.assign(screen.dataset, { theme, accent });
    screen.style.setProperty('--size', `${size}px`);
    for (const [name, value] of Object.entries({ theme, accent, size, note }))
      // What is being typed is not taken away.
      if (document.activeElement !== field(name)) field(name).value = String(value);
  }

  async function refresh(): Promise<void> {
    const value = await device
      .sync()
      ?.fetch('settings')
      .catch(() => null);
    if (value && !device.has('locked')) show(value.payload);
  }

  async function edit(name: string): Promise<void> {
    const value = name === 'size' ? Number(field(name).value) : field(name).value;
    try {
      // Of the newest value one field: what the other device has changed meanwhile stays.
      await device.sync()?.update('settings', (now) => {
        const next: Settings = { ...now, [name]: value };
        show(next);
        return next;
      });
    } catch (error) {
      news.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  function cover(): void {
    const over = device.has('killed') ? 'Not running' : device.has('locked') ? 'Locked' : '';
    find(card, '.over').textContent = over;
    fields.disabled = over !== '';
    // Nothing of a person is on a locked screen.
    if (over !== '') show({});
  }

  function run(sync: NostrSync<Categories>): void {
    cover();
    stops = [
      sync.subscribe(['settings'], ({ payload }) => {
        if (!device.has('locked')) show(payload ?? {});
      }),
      // Also what the app has not written itself: "Restore" in the inspector.
      sync.on('delivery', () => void refresh()),
      sync.on('status', ({ online, pendingChanges, connectedRelayCount }) => {
        const where = !online ? 'Offline' : connectedRelayCount === 0 ? 'No relay' : 'In sync';
        badge(pendingChanges > 0 ? `${where === 'In sync' ? 'Sending' : where}, 1 change waits` : where);
      }),
      sync.on('merged', ({ clashes }) => {
        news.textContent =
          clashes.length === 0
            ? 'Merged with what the other device had changed.'
            : `Merged. Both had changed ${clashes.map(({ path }) => path.join('.')).join(', ')}: the newer one is shown.`;
      }),
      sync.on('error', ({ message }) => (news.textContent = message)),
    ];
  }

  function badge(text: string): void {
    const badge = find(card, '.badge');
    badge.textContent = text;
    badge.dataset['state'] = text === 'In sync' ? 'good' : 'waits';
  }

  screen.addEventListener('submit', (event) => event.preventDefault());
  screen.addEventListener('change', ({ target }) => void edit((target as HTMLInputElement).name));
  onSwitch(card, (fault, isOn) => {
    device.fault(fault as DeviceFault, isOn);
    cover();
    if (!isOn && fault === 'locked') void refresh();
  });
  device.onRun(run, () => {
    for (const stop of stops) stop();
    badge('Killed');
    cover();
  });
  return card;
}
