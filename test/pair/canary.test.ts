/** Neither key, nor invitation, nor code leaves the pairing: not to relays, not into errors, log lines or inspected objects. */

import { inspect } from 'node:util';
import { expect, test, vi } from 'vitest';
import { hexToBytes } from '@noble/hashes/utils.js';
import { parseCode } from '../../src/pair/code.ts';
import { tracesOf } from '../support/traces.ts';
import { failure, KEY, paired, world } from './harness.ts';

test('key, session secret and code are in no frame, error, log line or inspected object, whether it succeeds or not', async () => {
  const output: unknown[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => (output.push(chunk), true)),
  );
  const seen: Record<string, string> = {};
  const secrets: string[] = [];
  const errors: unknown[] = [];
  try {
    const here = world({ auth: 'both' });
    for (const way of ['success', 'wrong digits', 'other app', 'cancelled', 'expired'] as const) {
      const invitation = await here.during(here.invite({ carrier: 'code' }));
      secrets.push(/secret=([0-9a-f]{64})/.exec(invitation.uri)![1]!);
      secrets.push(invitation.code!, parseCode(invitation.code!));
      if (way === 'success') {
        await paired(here, invitation, invitation.code);
        continue;
      }
      const namespace = way === 'other app' ? 'other-app' : 'my-app';
      const joining = here.join(invitation.uri, { namespace });
      const digits = await here.during(joining.digits);
      seen[`joining, ${way}`] = inspect(joining, { depth: 9, showHidden: true });
      if (way === 'wrong digits')
        errors.push(
          await failure(here.during(invitation.confirm(digits === '000000' ? '1'.repeat(6) : '0'.repeat(6)))),
        );
      if (way === 'other app') await here.during(invitation.confirm(digits));
      if (way === 'cancelled') invitation.cancel();
      await here.clock.advance(301_000);
      errors.push(await failure(joining.inviter), await failure(invitation.done));
    }
    const code = secrets[1]!;
    for (const wrong of [
      code.slice(1),
      `${code.slice(0, -1)}!`,
      `nostrpair://${secrets[0]}?secret=${secrets[0]}0`,
    ])
      errors.push(await failure(Promise.resolve().then(() => here.join(wrong))));
    const key = hexToBytes(KEY);
    for (const options of [{ key: key.slice(1) }, { key: KEY as never }, { key, pubkey: '0'.repeat(64) }])
      errors.push(await failure(here.invite(options)));
    expect(errors).toHaveLength(15);
    seen['frames'] = JSON.stringify(Object.values(here.relays).map(({ frames }) => frames));
    await here.expectNothingLeft();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  seen['errors'] = inspect(errors, { depth: 9, showHidden: true });
  seen['output'] = output.map(String).join('\n');
  const traces = tracesOf({ keys: [KEY], texts: secrets });
  for (const [where, text] of Object.entries(seen)) expect(traces.exec(text)?.[0], where).toBeUndefined();
});
