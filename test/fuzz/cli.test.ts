/**
 * The built command with arguments, standard input, environment and key files that SEED has changed: COMMANDS runs (120). It ends
 * with an exit code of its own, tells errors in the form that was asked for, and shows no key and no stack.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { computer, KEY, relay, type Outcome } from '../cli/support.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { junkText, mutateText, strangeText } from './mutate.ts';

const COMMANDS = numberFrom('COMMANDS', 120);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
/** These run until they are interrupted. */
const LASTING = ['watch', 'relay'];

const CALLS = [
  ['publish', 'settings', '{"theme":"dark"}'],
  ['publish', 'settings', '-', '--wait', 'saved'],
  ['publish', 'settings', '[1]', '--expiration', '4000000000'],
  ['fetch', 'settings'],
  ['sync', 'settings', 'notes'],
  ['remove', 'settings'],
  ['pubkey'],
  ['keygen', 'new.key'],
  ['status'],
  ['flush'],
  ['doctor'],
  ['watch', 'settings'],
  ['relay', '--port', '0'],
  ['--help'],
  ['--version'],
  ['publish', '--help'],
];

/** No argument and no variable can hold a NUL. */
const withoutNul = (text: string): string => text.replaceAll('\u0000', '');

function change(random: Random, text: string): string {
  const drawn = random.next();
  if (drawn < 0.85) return text;
  return withoutNul(
    drawn < 0.92 ? mutateText(random, text) : drawn < 0.96 ? strangeText(random) : junkText(random),
  );
}

function changedArgs(random: Random): string[] {
  const args = random.pick(CALLS).map((arg) => change(random, arg));
  if (random.chance(0.2)) args.splice(random.below(args.length + 1), 1);
  if (random.chance(0.2)) args.splice(random.below(args.length + 1), 0, withoutNul(strangeText(random)));
  if (random.chance(0.5)) args.push('--json');
  if (random.chance(0.2)) args.push('--namespace', withoutNul(strangeText(random)));
  // A path in a folder that is nobody's: what is drawn must not be written beside the computer.
  if (random.chance(0.1)) args.push('--store', change(random, 'store').replaceAll(/[./]/g, '_'));
  return args.map((arg) => arg.slice(0, 10_000));
}

test(
  `${COMMANDS} commands, SEED=${SEED}: an exit code of its own, a typed error, no key, no stack`,
  { timeout: 60_000 + COMMANDS * 8_000 },
  async () => {
    const random = createRandom(SEED);
    const { url } = await relay();
    const exits = new Map<number | string, number>();
    for (let n = 0; n < COMMANDS; n++) {
      const { folder, start } = await computer();
      const keyFile = join(folder, 'the.key');
      const key = random.chance(0.8) ? KEY : change(random, KEY);
      await writeFile(keyFile, random.chance(0.9) ? `${key}\n` : random.bytes(random.below(200)), {
        mode: 0o600,
      });
      const args = changedArgs(random);
      const env = {
        NOSTR_SYNC_RELAYS: random.chance(0.8) ? url : change(random, url),
        ...(random.chance(0.5) ? { NOSTR_SYNC_KEY: withoutNul(key) } : { NOSTR_SYNC_KEY_FILE: keyFile }),
        ...(random.chance(0.1) && { NOSTR_SYNC_NAMESPACE: withoutNul(strangeText(random)) }),
      };
      const input = random.chance(0.5) ? '{"theme":"dark"}' : change(random, '{"theme":"dark"}');
      const running = start(args, { env, input });
      const patience = LASTING.some((name) => args.includes(name)) ? 3_000 : 14_000;
      let timer: NodeJS.Timeout | undefined;
      const outcome: Outcome = await Promise.race([
        running.ended,
        new Promise<Outcome>((resolve) => {
          timer = setTimeout(() => void running.interrupt().then(resolve), patience);
        }),
      ]);
      clearTimeout(timer);
      const why = `SEED=${SEED}, command ${n}: ${JSON.stringify({ args, env, input, outcome })}`;
      expect([0, 1, 2, 3, 4], why).toContain(outcome.exit);
      exits.set(outcome.exit, (exits.get(outcome.exit) ?? 0) + 1);
      expect(outcome.stderr, why).not.toMatch(/^\s+at .*:\d+:\d+|node:internal|INTERNAL|UnhandledPromise/m);
      if (!args.includes('keygen')) expect(outcome.stdout + outcome.stderr, why).not.toContain(KEY);
      // Without a command there is the help, also for programs.
      const isHelp = outcome.stderr.startsWith('Usage:');
      if (args.includes('--json') && outcome.exit !== 0 && outcome.stderr !== '' && !isHelp) {
        for (const line of outcome.stderr.trim().split('\n'))
          expect(JSON.parse(line), why).toMatchObject({
            error: { code: expect.any(String), message: expect.any(String) },
          });
      }
    }
    console.info(`commands: SEED=${SEED} exits ${JSON.stringify(Object.fromEntries(exits))}`);
    if (COMMANDS >= 100)
      for (const exit of [0, 2]) expect(exits.get(exit) ?? 0, `exit ${exit}`).toBeGreaterThan(0);
  },
);
