/** What a relay holds, as it sees it. */

import type { RelayFault, PlayRelay } from './network.ts';
import { copyOf, find, onSwitch } from './dom.ts';

const LOOK_MS = 250;

export function createRelayCard({ name, relay, fault, wipe }: PlayRelay): HTMLElement {
  const card = copyOf('relay');
  card.id = name;
  find(card, 'h2').textContent = name;
  onSwitch(card, (which, isOn) => fault(which as RelayFault, isOn));
  find(card, 'button').addEventListener('click', wipe);
  let shown = '';

  function look(): void {
    const events = relay.events();
    const devices = relay.connections();
    const state = JSON.stringify([events, devices]);
    if (state === shown) return;
    shown = state;
    find(card, '.badge').textContent = devices === 1 ? '1 device' : `${devices} devices`;
    find(card, '.events').replaceChildren(...events.map(lineOf));
    if (events.length === 0) find(card, '.events').append(document.createElement('li'));
  }

  setInterval(look, LOOK_MS);
  look();
  return card;
}

function lineOf({
  created_at,
  content,
  tags,
}: ReturnType<PlayRelay['relay']['events']>[number]): HTMLElement {
  const tag = (of: string): string => tags.find(([kind]) => kind === of)?.[1] ?? '';
  const date = new Date(created_at * 1_000);
  const time = element('time', date.toLocaleTimeString());
  time.setAttribute('datetime', date.toISOString());
  return element(
    'li',
    element('b', tag('d')),
    element('small', `by ${tag('device_id')}, `, time, `, ${content.length} characters`),
    element('code', content),
  );
}

function element(name: string, ...inside: readonly (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  made.append(...inside);
  return made;
}
