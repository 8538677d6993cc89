/** strfry, by the configuration and the write policy of `examples/relay-strfry`. Where it is: STRFRY_PATH. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { startRelayProcess, type RelayProcess } from '../relay-process.ts';

/** No registry has it: whoever has built it says where it is. */
export const STRFRY: string | undefined = process.env['STRFRY_PATH'];

const EXAMPLE = join(import.meta.dirname, '../../../examples/relay-strfry');

/** It tells nobody that it listens: so that is tried until it does. What it is itself takes the place of the shell, so that a kill meets it. */
const SCRIPT = `
  (until (: <"/dev/tcp/127.0.0.1/$3"); do kill -0 $$ || exit; sleep 0.05; done; echo "$3") 2>/dev/null &
  exec "$1" --config "$2" relay`;

export interface Strfry extends RelayProcess {
  /** Paths. */
  readonly config: string;
  readonly db: string;
}

/** What differs where everybody is shown everything: for the router of another relay, say. */
export const OPEN: Readonly<Record<string, string>> = {
  'restrictedReadKinds = "30078"': 'restrictedReadKinds = ""',
  'negentropy {\n        enabled = false': 'negentropy {\n        enabled = true',
};

/** `changes`: what else of the example is replaced, and by what. */
export async function startStrfry(
  changes: Readonly<Record<string, string>> = {},
  db?: string,
): Promise<Strfry> {
  const port = await freePort();
  const paths = { config: '', db: '' };
  const running = await startRelayProcess((folder) => {
    paths.config = join(folder, '../strfry.conf');
    paths.db = db ?? folder;
    const all = {
      './strfry-db/': `${paths.db}/`,
      // It wants more open files than a test may have.
      'port = 7777': `port = ${port}\n    nofiles = 0`,
      'wss://relay.example.com': `ws://127.0.0.1:${port}`,
      './write-policy.mjs': join(EXAMPLE, 'write-policy.mjs'),
      ...changes,
    };
    let text = readFileSync(join(EXAMPLE, 'strfry.conf'), 'utf8');
    for (const [old, now] of Object.entries(all)) {
      if (!text.includes(old)) throw new Error(`The example has no ${old}`);
      text = text.replace(old, now);
    }
    writeFileSync(paths.config, text);
    return ['bash', '-c', SCRIPT, 'strfry', STRFRY!, paths.config, String(port)];
  });
  return { ...running, ...paths };
}
