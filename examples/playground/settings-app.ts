/** The app on a device: a few settings, the same on all devices of the person. What is about syncing is `settings`, `edit` and `run`. */

import { defineCategory, type NostrSync, type State } from 'nostr-sync';
import type { Device, DeviceFault } from './device.ts';
import { copyOf, find, onSwitch } from './dom.ts';

interface Settings {
  theme: string;
  accent: string;
  /** In px. */
  size: number;
  note: string;
}

const settings = defineCategory<Settings>({
  name: 'settings',
  default: { theme: 'light', accent: 'sea', size: 15, note: '' },
});

export function createSettingsApp(device: Device): HTMLElement {
  const card = copyOf('device');
  const screen = find(card, '.screen');
  const fields = find(card, '.fields') as HTMLFieldSetElement;
  const news = find(card, '.news');
  const field = (name: string): HTMLInputElement => fields.elements.namedItem(name) as HTMLInputElement;
  find(card, 'h2').textContent = device.name;
  card.id = device.name;
  let state: State<Settings> | undefined;
  let stops: (() => void)[] = [];

  function show({ theme, accent, size, note }: Settings): void {
    Object.assign(screen.dataset, { theme, accent });
    screen.style.setProperty('--size', `${size}px`);
    for (const [name, value] of Object.entries({ theme, accent, size, note }))
      // What is being typed is not taken away.
      if (document.activeElement !== field(name)) field(name).value = String(value);
  }

  async function edit(name: string): Promise<void> {
    const value = name === 'size' ? Number(field(name).value) : field(name).value;
    try {
      // One field: what the other device has changed meanwhile stays.
      await state?.update({ [name]: value });
    } catch (error) {
      news.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  function cover(): void {
    const over = device.has('killed') ? 'Not running' : device.has('locked') ? 'Locked' : '';
    find(card, '.over').textContent = over;
    fields.disabled = over !== '';
    // Nothing of a person is on a screen that is locked or off.
    show(over === '' && state !== undefined ? state.get() : settings.initial);
  }

  function run(sync: NostrSync): void {
    state = sync.state(settings);
    cover();
    stops = [
      state.subscribe(show),
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
  screen.addEventListener('input', ({ target }) => void edit((target as HTMLInputElement).name));
  onSwitch(card, (fault, isOn) => {
    device.fault(fault as DeviceFault, isOn);
    cover();
  });
  device.onRun(run, () => {
    for (const stop of stops) stop();
    state = undefined;
    badge('Killed');
    cover();
  });
  return card;
}
