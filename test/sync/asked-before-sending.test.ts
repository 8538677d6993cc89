/** What a relay has is asked before it is sent what takes its place, on each connection. */

import { expect, test } from 'vitest';
import { change, MERGE, start, together, valuesOf } from './apart.ts';
import { world } from './devices.ts';

test.each([
  ['that is subscribed to', true],
  ['that is not', false],
])(
  'after a restart as well, in a category %s: what a destroyed device had delivered is merged',
  async (_, isSubscribed) => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    phone!.way.cut();
    await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'replicated' }));
    await at.clock.advance(2_000);
    await at.settle(phone!.device.update('settings', change({ font: 14 }), { waitFor: 'saved' }));
    await Promise.all([laptop!.device.close(), phone!.device.close()]);
    // While its store is opened, the relay is connected already.
    const again = isSubscribed
      ? start(at, 'phone', MERGE, phone!.store)
      : { ...phone!, device: at.device({ ...MERGE, deviceId: 'phone', store: phone!.store }) };
    await at.clock.advance(60_000);
    expect(await valuesOf(at, [again])).toEqual([{ theme: 'dark', font: 14 }]);
  },
);
