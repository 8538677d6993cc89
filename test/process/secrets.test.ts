/**
 * Where others can look while the command handles secrets: the list of processes, with their environments, read all the time; what it prints;
 * every file of the user's folder but the ones that were asked for; what relays see. `test/keys/canary.test.ts` and
 * `test/pair/canary.test.ts` look the same way at the library, `test/browser/second-device.test.ts` at a page.
 */

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { appendFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { nsecDecode } from '../../src/node.ts';
import { computer, relay, type Computer, type Outcome } from '../cli/support.ts';
import { atTerminal, type Terminal } from '../cli/terminal.ts';
import { tracesOf } from '../support/traces.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PASSPHRASE = 'canary-in-the-pit-81d2e7';
const LOOK_MS = 15;

interface LookOut {
  /** All that was seen, each once. */
  seen(): string;
  /** Since when there was one: command lines that begin with Node and the command. */
  commands(): number;
  close(): Promise<void>;
}

/** Reads the command lines and environments of all processes of this user: of those that have come since, all the time. */
function lookOut(): LookOut {
  const seen = new Set<string>();
  const before = new Set<string>(readdirSync('/proc'));
  let isOver = false;
  const read = async (path: string): Promise<void> => {
    const text = await readFile(path, 'latin1').catch(() => '');
    if (text !== '') seen.add(text);
  };
  const looking = (async () => {
    while (!isOver) {
      const names = await readdir('/proc');
      const pids = names.filter((name) => /^\d+$/.test(name) && !before.has(name));
      await Promise.all(pids.flatMap((pid) => [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`)]));
      await delay(LOOK_MS);
    }
  })();
  return {
    seen: () => [...seen].join('\n'),
    commands: () => [...seen].filter((text) => text.includes(`\0${MAIN}\0`)).length,
    close: async () => {
      isOver = true;
      await looking;
    },
  };
}

/** Every file below the folder, by its path; but for these. */
async function filesIn(folder: string, but: readonly string[] = []): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || but.includes(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    found[path] = await readFile(path, 'latin1');
  }
  return found;
}

const terminal = (at: Computer, url: string, ...args: string[]): Terminal =>
  atTerminal([process.execPath, MAIN, ...args], { cwd: at.folder, env: { NOSTR_SYNC_RELAYS: url } });

/** What a command has printed, and how a person answered it. */
type Told = Record<string, string>;

const textOf = ({ stdout, stderr }: Outcome): string => `${stdout}\n${stderr}`;

test('the look-out sees what stands in a command line or an environment for a fifth of a second', async () => {
  const look = lookOut();
  const [argument, variable] = ['canary-argument-5f1', 'canary-variable-9c4'];
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 200)', argument], {
    env: { SECRET: variable },
  });
  await new Promise((resolve) => child.once('exit', resolve));
  await look.close();
  expect(look.seen()).toContain(argument);
  expect(look.seen()).toContain(variable);
});

/** The key as words and as an ncryptsec, out and in again, with mistakes on the way. */
async function recovery(laptop: Computer, url: string, told: Told) {
  const made = await laptop.run(['keygen', '--key-file', 'sync.key']);
  told['keygen'] = textOf(made);
  told['keygen, into a pipe'] = textOf(await laptop.run(['keygen', '--stdout']));
  expect(told['keygen, into a pipe']).not.toContain('nsec1');
  const nsec = (await readFile(join(laptop.folder, 'sync.key'), 'utf8')).trim();
  const use = ['--key-file', 'sync.key'];
  // On a screen, which is what it is for.
  const shown = terminal(laptop, url, 'key', 'words', ...use);
  const [words = ''] = await shown.shows(/(?:[a-z]+ ){23}[a-z]+/);
  expect(await shown.exit).toBe(0);
  told['key words, to a file'] = textOf(await laptop.run(['key', 'words', ...use, '--output', 'words.txt']));
  told['key words, into a pipe'] = textOf(await laptop.run(['key', 'words', ...use]));
  const encrypting = terminal(laptop, url, 'key', 'encrypt', ...use, '--output', 'sync.ncryptsec');
  for (const question of [/Passphrase: /, /The same again: /]) {
    await encrypting.shows(question);
    encrypting.type(`${PASSPHRASE}\r`);
  }
  expect(await encrypting.exit).toBe(0);
  told['key encrypt'] = encrypting.screen();
  const ncryptsec = (await readFile(join(laptop.folder, 'sync.ncryptsec'), 'utf8')).trim();
  const importing = terminal(laptop, url, 'key', 'import', '--key-file', 'typed.key');
  await importing.shows(/24 words, ncryptsec or nsec: /);
  importing.type(`${ncryptsec}\r`);
  await importing.shows(/Passphrase: /);
  importing.type(`${PASSPHRASE}\r`);
  expect(await importing.exit).toBe(0);
  // What was typed in the open is on the screen.
  told['key import, typed'] = importing.screen().replace(ncryptsec, '');
  const inputs = {
    right: `${ncryptsec}\n${PASSPHRASE}\n`,
    'wrong passphrase': `${ncryptsec}\n${PASSPHRASE}!\n`,
    words: `${words}\n`,
    'wrong word': `${words.split(' ').with(5, 'canaryzz').join(' ')}\n`,
    'wrong order': `${words.split(' ').toReversed().join(' ')}\n`,
    nsec: `${nsec}\n`,
    'cut nsec': `${nsec.slice(0, -1)}\n`,
  };
  for (const [i, [what, input]] of Object.entries(inputs).entries()) {
    const args = ['key', 'import', '--key-file', `copy-${i}.key`];
    told[`key import, ${what}`] = textOf(await laptop.run(args, { input }));
  }
  for (const args of [
    ['key', 'import', words],
    ['join', '7KQ4-M2XW-9RXR'],
  ])
    expect((await laptop.run(args)).exit).toBe(2);
  return { key: Buffer.from(nsecDecode(nsec)).toString('hex'), words, ncryptsec };
}

const secretOf = (link: string): string => /secret=([0-9a-f]{64})/.exec(link)![1]!;

/** Two people at terminals, of whom one mistypes the digits, and does it again. */
async function typedPairing(laptop: Computer, phone: Computer, url: string, told: Told) {
  const secrets: string[] = [];
  const digits: string[] = [];
  for (const [i, carrier] of ['wrong', 'link', 'code'].entries()) {
    const pair = terminal(laptop, url, 'pair', '--key-file', 'sync.key');
    const [, link = ''] = await pair.shows(/link {2}(nostrpair:\S+)/);
    const [, code = ''] = await pair.shows(/code {2}(\S+)/);
    const joining = terminal(phone, url, 'join', '--key-file', `phone-${i}.key`);
    await joining.shows(/Link or code of the other device: /);
    joining.type(`${carrier === 'code' ? code : link}\n`);
    const [, first = '', last = ''] = await joining.shows(/Type these digits .*(\d{3}) (\d{3})/);
    await pair.shows(/Six digits on the other device: /);
    const typed = carrier === 'wrong' ? (last === '000' ? '001' : '000') : last;
    pair.type(`${first}${typed}\n`);
    if (carrier !== 'wrong') {
      await joining.shows(/Join\? \[y\/N\] /);
      joining.type('y\n');
    }
    expect(await pair.exit).toBe(carrier === 'wrong' ? 1 : 0);
    expect(await joining.exit).toBe(carrier === 'wrong' ? 1 : 0);
    secrets.push(secretOf(link), code, code.replaceAll('-', ''));
    digits.push(`${first}${last}`);
    const shown = [link, code];
    for (const [who, { screen }] of Object.entries({ pair, joining }))
      told[`${who}, ${carrier}`] = shown.reduce((text, one) => text.replaceAll(one, ''), screen());
  }
  return { secrets, digits };
}

/** Two programs, by a file. */
async function pairingOfPrograms(laptop: Computer, phone: Computer, told: Told) {
  const pair = laptop.shell(
    'mkfifo digits; nostr-sync pair --json --key-file sync.key --output invitation 0<>digits',
  );
  const file = join(laptop.folder, 'invitation');
  await expect
    .poll(async () => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 })
    .toMatch(/\n[0-9A-Z-]{14}\n$/);
  const [link = '', code = ''] = (await readFile(file, 'utf8')).split('\n');
  const args = ['join', '--json', '--key-file', 'program.key', '--name', 'phone', '--input', file];
  const joining = phone.start(args, { input: 'y\n' });
  const { digits } = JSON.parse(await joining.line()) as { readonly digits: string };
  await appendFile(join(laptop.folder, 'digits'), `${digits}\n`);
  const ended = { pair: await pair.ended, joining: await joining.ended };
  for (const [who, outcome] of Object.entries(ended)) {
    expect(outcome.exit).toBe(0);
    told[`${who}, as a program`] = textOf(outcome);
  }
  return { secrets: [secretOf(link), code, code.replaceAll('-', '')], digits: [digits] };
}

test(
  'keys, words, passphrases, links, codes and digits are in no process list, nor printed, nor in a file or frame',
  { timeout: 300_000 },
  async () => {
    const { url, relay: running } = await relay();
    const laptop = await computer({ NOSTR_SYNC_RELAYS: url });
    const phone = await computer({ NOSTR_SYNC_RELAYS: url });
    const told: Told = {};
    const look = lookOut();
    const { key, words, ncryptsec } = await recovery(laptop, url, told);
    const publish = ['publish', 'notes', '--key-file', 'sync.key'];
    told['publish'] = textOf(await laptop.run(publish, { input: '"of the laptop"' }));
    const typed = await typedPairing(laptop, phone, url, told);
    const programs = await pairingOfPrograms(laptop, phone, told);
    told['fetch'] = textOf(await phone.run(['fetch', 'notes', '--key-file', 'program.key']));
    expect(told['fetch']).toContain('of the laptop');
    await look.close();
    expect(look.commands()).toBeGreaterThan(15);
    // It looked while each of those ran that handles a secret.
    for (const args of ['keygen', 'key words', 'key encrypt', 'key import', 'pair', 'join'])
      expect(look.seen(), args).toContain(`\0${MAIN}\0${args.replaceAll(' ', '\0')}\0`);

    const list = words.split(' ');
    const traces = tracesOf({
      keys: [key],
      texts: [
        ...[PASSPHRASE, ncryptsec, ...typed.secrets, ...programs.secrets],
        ...list.slice(1).map((word, i) => `${list[i]} ${word}`),
        ...list.slice(1).map((word, i) => `${list[i]}\0${word}`),
      ],
    });
    // What was refused as an argument was in the list all the same: the user had put it there.
    const processes = look.seen().replaceAll(list.join(' '), '');
    const wanted = /\.key$|^(words\.txt|sync\.ncryptsec|invitation)$/;
    const kept: Record<string, string> = {};
    for (const { folder } of [laptop, phone]) {
      const names = (await readdir(folder)).filter((name) => wanted.test(name));
      for (const name of names) expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600);
      Object.assign(kept, await filesIn(folder, names));
    }
    expect(Object.keys(kept).length).toBeGreaterThan(1);
    const frames = JSON.stringify(running.frames);
    for (const [where, text] of Object.entries({ ...told, ...kept, processes, frames }))
      expect(traces.exec(text)?.[0], where).toBeUndefined();
    // Shown on one screen and typed on the other, and nowhere else.
    const digits = new RegExp(`\\b(${[...typed.digits, ...programs.digits].join('|')})\\b`);
    for (const [where, text] of Object.entries({ ...kept, processes, frames }))
      expect(digits.exec(text)?.[0], where).toBeUndefined();
  },
);
