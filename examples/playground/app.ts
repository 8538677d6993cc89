/** A page to play with: two devices of a person, two relays, and all that can go wrong. */

import { generateKey } from 'nostr-sync';
import 'nostr-sync/inspector';
import { createDevice, type Device } from './device.ts';
import { createPairing } from './pairing.ts';
import { find } from './dom.ts';
import { createPlayRelay } from './network.ts';
import { createRelayCard } from './relay-card.ts';
import { createSettingsApp } from './settings-app.ts';

const key = generateKey();
const relays = ['north', 'south'].map(createPlayRelay);
const devices = ['laptop', 'phone'].map((name) => createDevice(name, relays, key));

find(document, '.devices').append(...devices.map(createSettingsApp));
createPairing(devices[0]!, devices[1]!, relays);
find(document, '.relays').append(...relays.map(createRelayCard));

const inspector = document.querySelector('nostr-sync-inspector')!;
let inspected = devices[0]!;

function lookInto(device: Device): void {
  inspected = device;
  inspector.sync = device.sync() ?? null;
}

for (const device of devices) {
  const choice = document.createElement('label');
  const radio = document.createElement('input');
  Object.assign(radio, {
    type: 'radio',
    name: 'inspected',
    value: device.name,
    checked: device === inspected,
  });
  radio.addEventListener('change', () => lookInto(device));
  choice.append(radio, ` ${device.name}`);
  find(document, '.inside fieldset').append(choice);
  const again = (): void => {
    if (device === inspected) lookInto(device);
  };
  device.onRun(again, again);
}

// The laptop has been in use for a while.
const note = find(document, '#laptop [name=note]') as HTMLInputElement;
note.value = 'Buy milk';
note.dispatchEvent(new Event('input', { bubbles: true }));
