/** The id of this device: made once, kept in the store, and left to another device that has it as well. */

import { uuid } from '../crypto/uuid.ts';
import { NostrSyncError } from '../errors.ts';
import { isDeviceId } from '../options.ts';
import { categoryOf, type Address } from '../protocol/address.ts';
import type { NostrEvent } from '../protocol/event.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { Store } from '../store/store.ts';
import type { Emitter } from '../sync/events.ts';

export interface DeviceId {
  /** `undefined` until it was loaded. */
  current(): string | undefined;
  load(): Promise<void>;
  /** Another device has this one's id. Under one id, vectors cannot tell whose writes were seen: so this device takes a new one. */
  leave(dTag: Address, event: NostrEvent): Promise<void>;
}

/** `given`: by the app. */
export function createDeviceId(
  given: string | undefined,
  ports: { readonly store: Store; readonly randomBytes: RandomBytes; readonly emitter: Emitter },
): DeviceId {
  const { store, randomBytes } = ports;
  let deviceId: string | undefined;
  /** The engine's own id; or the one that took the place of an id which the app gives. */
  const deviceIdKey = given === undefined ? 'device-id' : `device-id/${given}`;

  /** Resolves with the id that is in the store then: another tab may have kept one meanwhile. */
  async function keep(next: string): Promise<string> {
    const former = deviceId;
    let kept = next;
    await store.update([deviceIdKey], (current) => {
      const other = current.get(deviceIdKey);
      kept = isDeviceId(other) && other !== former ? other : next;
      return new Map([[deviceIdKey, kept]]);
    });
    return kept;
  }

  return {
    current: () => deviceId,
    load: async () => {
      const stored = await store.get(deviceIdKey);
      if (isDeviceId(stored)) deviceId = stored;
      else deviceId = given ?? (await keep(uuid(randomBytes(16))));
    },
    leave: async (dTag, event) => {
      const former = deviceId!;
      const made = uuid(randomBytes(16));
      const suffixed = `${given}-${made}`;
      const next = given !== undefined && isDeviceId(suffixed) ? suffixed : made;
      deviceId = await keep(next);
      if (deviceId !== next) return;
      const category = categoryOf(dTag);
      const message = `Another device has the id of this one, which took a new one: seen in ${JSON.stringify(category)}`;
      const details = { category, eventId: event.id, formerDeviceId: former, deviceId };
      ports.emitter.emit('error', new NostrSyncError('DEVICE_ID_TAKEN', message, { details }));
    },
  };
}
