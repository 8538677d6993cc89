/**
 * `npm run mutants`: the kill list. Plants one fault at a time into the engine's source, in a bundle of its own, and looks
 * who notices: the simulator, or where it cannot, the named tests on a copy of the project. One that survives is a hole
 * in the proof. `--only NAME` plants one, `--seeds N` is the simulator's budget, `--workers W` its threads; `--keep FILE`
 * keeps the history, shrunk, by which the simulator caught it.
 */

import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Each patch is `[file, old text, new text]`; the old text must stand there exactly once. `kept`: a regression that is tried first; `tests`: who is asked before the simulator. */
const MUTANTS = [
  {
    name: 'the stamp is the time',
    patches: [
      [
        'protocol/order.ts',
        'Math.max(stamp, floor + 1), nowSeconds)',
        'floor < 0 ? stamp : stamp, nowSeconds)',
      ],
      [
        'sync/reconcile.ts',
        'if (event.created_at < floor || (event.created_at === floor && !replaces))',
        'if (floor > Number.MAX_SAFE_INTEGER && !replaces)',
      ],
    ],
  },
  {
    name: 'gives up after 3 tries',
    patches: [
      [
        'sync/outbox.ts',
        '        const delayMs = lane.queue.againMs(event, sent);',
        "        if (sent.count >= 3) return void replica.apply(dTag, { type: 'answered', relay, id: event.id, delivery: 'refused' });\n        const delayMs = lane.queue.againMs(event, sent);",
      ],
    ],
  },
  {
    name: 'publish resolves before the flush',
    patches: [
      [
        'sync/writer.ts',
        "const effects = await replica.apply(dTag, { type: 'write', event, device, isRenewal, ...pieces });",
        "const effects = await Promise.race([replica.apply(dTag, { type: 'write', event, device, isRenewal, ...pieces }), new Promise<never[]>((r) => clock.after(0, () => r([])))]);",
      ],
    ],
  },
  {
    name: 'a failed save resolves',
    patches: [
      [
        'sync/replica.ts',
        'for (const job of own) job.reject(error);',
        'for (const job of own) job.resolve([]);',
      ],
    ],
  },
  {
    name: 'no tie-break: the first to arrive stays',
    patches: [['protocol/order.ts', 'a.id === b.id ? 0 : a.id < b.id ? 1 : -1', 'a.id === b.id ? 0 : -1']],
  },
  {
    name: 'the tie-break is the wrong way round',
    patches: [['protocol/order.ts', 'a.id < b.id ? 1 : -1', 'a.id > b.id ? 1 : -1']],
  },
  {
    name: 'done on the first OK',
    patches: [
      [
        'sync/outbox.ts',
        '    if (isOwed(record, url)) {',
        '    if (isOwed(record, url) && record!.own?.acknowledged !== true) {',
      ],
    ],
  },
  {
    name: 'no read-repair',
    patches: [
      ['sync/inbox.ts', 'missing.map(([dTag, id])', 'missing.slice(missing.length).map(([dTag, id])'],
    ],
  },
  {
    name: 'deduplicates before it verifies',
    patches: [
      [
        'sync/inbox.ts',
        '      const check = checkEvent(value, {\n        pubkey,\n        isAsked: (dTag) => asked.has(dTag),',
        "      const unverified = (value as { id?: string } | null)?.id ?? '';\n      if (early.has(unverified)) return 'useless';\n      early.add(unverified);\n      const check = checkEvent(value, {\n        pubkey,\n        isAsked: (dTag) => asked.has(dTag),",
      ],
      [
        'sync/inbox.ts',
        '  const { replica, pubkey, verifier } = ports;',
        '  const { replica, pubkey, verifier } = ports;\n  const early = new Set<string>();',
      ],
    ],
  },
  {
    name: 'a cursor of what was seen last, before it is verified',
    patches: [
      [
        'sync/inbox.ts',
        '      const check = checkEvent(value, {\n        pubkey,\n        isAsked: (dTag) => asked.has(dTag),',
        '      since = Math.max(since, Number((value as { created_at?: number } | null)?.created_at) || 0);\n      const check = checkEvent(value, {\n        pubkey,\n        isAsked: (dTag) => asked.has(dTag),',
      ],
      [
        'sync/inbox.ts',
        '  const { replica, pubkey, verifier } = ports;',
        '  const { replica, pubkey, verifier } = ports;\n  let since = 0;',
      ],
      [
        'sync/inbox.ts',
        'relay.request(request.filters,',
        'relay.request(request.filters.map((filter) => ({ ...filter, since })),',
      ],
    ],
  },
  {
    name: 'the d-tag is the one that was asked for',
    patches: [
      ['protocol/event.ts', 'if (dTag === undefined || !expected.isAsked(dTag))', 'if (dTag === undefined)'],
      [
        'sync/inbox.ts',
        'const { dTag } = check;',
        'const dTag = dTags.includes(check.dTag) ? check.dTag : dTags[0]!;',
      ],
    ],
  },
  {
    name: 'any number of d-tags',
    patches: [['protocol/event.ts', 'return dTags.length === 1 ?', 'return dTags.length >= 1 ?']],
    tests: ['test/protocol/event.test.ts'],
  },
  {
    name: 'no check of the author',
    patches: [['protocol/event.ts', 'if (event.pubkey !== expected.pubkey)', "if (event.pubkey === '')"]],
  },
  {
    name: 'no check of the id',
    patches: [
      ['protocol/event.ts', "if (expected.verifier.hash(event) !== event.id) return rejected('id');", ''],
    ],
  },
  {
    name: 'no check of the signature',
    patches: [
      [
        'protocol/event.ts',
        "if (!expected.verifier.verifySignature(event)) return rejected('signature');",
        '',
      ],
    ],
  },
  {
    name: 'drops what was "replaced" without a look',
    patches: [
      [
        'sync/outbox.ts',
        "          delivery: 'acknowledged',\n          superseded",
        "          delivery: answer.type === 'superseded' ? 'refused' : 'acknowledged',\n          superseded",
      ],
      [
        'sync/outbox.ts',
        "if (answer.type === 'superseded') audit(lane, dTag, 0);\n        else",
        "if (answer.type !== 'superseded')",
      ],
    ],
  },
  {
    name: 'an answer counts for the category, not for the event',
    patches: [
      [
        'sync/reconcile.ts',
        'record: record?.event?.id === id ? apply(record) : record',
        "record: record?.event !== undefined && id !== '' ? apply(record) : record",
      ],
    ],
  },
  {
    name: 'an OK counts whatever relay it came from',
    patches: [
      [
        'relay/connection.ts',
        'const answers = new Map<string, PendingAnswer>();',
        'const answers = ((ports as { answers?: Map<string, PendingAnswer> }).answers ??= new Map<string, PendingAnswer>());',
      ],
    ],
  },
  {
    name: 'a stamp is used again after a socket has carried it',
    patches: [
      [
        'sync/replica.ts',
        '      uncarried.delete(dTag);\n      return get(dTag)?.event;',
        '      return get(dTag)?.event;',
      ],
    ],
  },
  {
    name: 'sends while a newer write is being saved',
    patches: [
      [
        'sync/replica.ts',
        'if (underway.some(isWritten) || queue.some(isWritten)) return undefined;',
        'void isWritten;',
      ],
    ],
  },
  {
    name: 'clearSigner leaves the signer at work',
    patches: [['nostr-sync.ts', '    if (session !== undefined) session.signer = undefined;', '']],
  },
  {
    name: 'a hanging signer is waited for after it was dropped',
    kept: 'signer-hangs-at-close',
    patches: [['sync/signing.ts', 'drops.add(drop);', 'void drop;']],
  },
  {
    name: 'an AUTH without an answer is never tried again',
    kept: 'auth-unanswered',
    patches: [
      [
        'relay/auth.ts',
        'cancelTimer = clock.after(OK_TIMEOUT_MS, () => {',
        'cancelTimer = clock.after(OK_TIMEOUT_MS, () => {\n      if (eventId !== undefined) return;',
      ],
    ],
  },
  {
    name: 'withdraws what a removed relay has',
    kept: 'removed-relay-has-it',
    patches: [
      ['sync/writer.ts', '      !record.own!.acknowledged &&\n', ''],
      ['sync/writer.ts', '[...waiter.asked].every(', 'relays.every('],
    ],
  },
  {
    name: 'rejects and does not withdraw',
    patches: [
      [
        'sync/writer.ts',
        "await replica.apply(waiter.dTag, { type: 'withdraw', id: event.id });",
        'await Promise.resolve(event);',
      ],
    ],
  },
  {
    name: 'says "absent" where no relay answered',
    patches: [
      [
        'sync/reader.ts',
        "if (dTags.some((dTag) => replica.get(dTag)?.event !== undefined)) return 'local';",
        "if (dTags.length > 0) return 'local';",
      ],
    ],
  },
  {
    name: 'a restart forgets what is owed',
    patches: [
      [
        'sync/record.ts',
        'deliveries: new Map(deliveries),',
        "deliveries: new Map(deliveries.map(([url]) => [url, 'confirmed' as const])),",
      ],
    ],
  },
  {
    name: 'an added relay is owed nothing',
    patches: [
      [
        'sync/record.ts',
        "record.deliveries.get(relay) ?? 'pending'",
        "record.deliveries.get(relay) ?? 'confirmed'",
      ],
    ],
  },
  {
    name: 'publishes what the signer did not encrypt',
    patches: [
      [
        'sync/signing.ts',
        'ciphertext.length !== encryptedLength(plaintext) ||\n',
        'encryptedLength(plaintext) < 0 ||\n',
      ],
      ['sync/signing.ts', '!/^A[g-v][A-Za-z0-9+/]+=*$/.test(ciphertext)', 'false'],
    ],
  },
  {
    name: 'believes any event that the signer returns',
    patches: [['sync/signing.ts', '      if (!isOurs) {', '      if (!isOurs && event === undefined) {']],
  },
  {
    name: 'does not reconnect after five failures',
    patches: [
      [
        'relay/connection.ts',
        'cancelTimer = clock.after(backoffMs(failures++, randomBytes), connect);',
        'if (failures < 5) cancelTimer = clock.after(backoffMs(failures++, randomBytes), connect);',
      ],
    ],
    tests: ['test/relay/connection.test.ts'],
  },
  {
    name: 'does not look for dead peers',
    patches: [
      [
        'relay/connection.ts',
        '    armPing();\n    for (const subscription of subscriptions) send(subscription);',
        '    for (const subscription of subscriptions) send(subscription);',
      ],
    ],
    tests: ['test/relay/connection.test.ts'],
  },
  {
    name: 'a tab leaves its wait to reload behind',
    kept: 'tab-closed-before-reload',
    patches: [
      ['sync/tab-network.ts', '      isClosed = true;\n      cancelReload();', '      isClosed = true;'],
    ],
  },
  {
    name: 'a tab that begins to lead does not reload',
    patches: [
      [
        'sync/tab-network.ts',
        '    await reload();\n    if (isClosed) return;\n    local = ports.open();',
        '    if (isClosed) return;\n    local = ports.open();',
      ],
    ],
    tests: ['test/sync/tabs.test.ts'],
  },
  {
    name: 'a conflict is not told',
    patches: [
      [
        'sync/reconcile.ts',
        "if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });",
        '',
      ],
    ],
    tests: ['test/sync/conflict.test.ts'],
  },
  {
    name: 'a stored record is believed unseen',
    patches: [['sync/record.ts', ").type === 'new'\n", ").type !== 'known'\n"]],
    tests: ['test/sync', 'test/store'],
  },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    keep: { type: 'string' },
    seeds: { type: 'string', default: '3000' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});
const LIMIT_MS = 900_000;

/** The source with the patches. Throws where one does not fit: the list must follow the code. */
async function patched({ name, patches }) {
  const sources = new Map();
  for (const [file, from, to] of patches) {
    const path = join(root, 'src', file);
    const text = sources.get(path) ?? (await readFile(path, 'utf8'));
    if (text.split(from).length !== 2)
      throw new Error(`${name}: the patch of ${file} does not fit exactly once`);
    sources.set(
      path,
      text.replace(from, () => to),
    );
  }
  return sources;
}

function run(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 'killed', output });
    });
  });
}

async function bySimulator(sources, kept, folder) {
  const outfile = join(folder, 'main.mjs');
  await build({
    entryPoints: [join(root, 'test/sim/main.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup: ({ onLoad }) =>
          onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) =>
            sources.has(path) ? { contents: sources.get(path), loader: 'ts' } : undefined,
          ),
      },
    ],
  });
  if (kept !== undefined) {
    const replay = await run(
      process.execPath,
      [outfile, '--replay', `test/sim/regressions/${kept}.json`],
      root,
    );
    if (replay.code !== 0) return `${/^ {2}(\S+) at \d+ ms/m.exec(replay.output)?.[1]}, regression ${kept}`;
  }
  const args = [outfile, '--first', '--seeds', values.seeds, '--workers', values.workers];
  const { code, output } = await run(process.execPath, args, root);
  if (code === 0) return undefined;
  const found = [...output.matchAll(/^seed (\d+)/gm)].map(([, seed]) => Number(seed));
  const invariant = /^ {2}(\S+) at \d+ ms/m.exec(output)?.[1];
  if (found.length === 0 && /^never happened/m.test(output)) return undefined;
  if (values.keep !== undefined && found.length > 0)
    await run(process.execPath, [outfile, '--seed', String(Math.min(...found)), '--keep', values.keep], root);
  return found.length === 0 ? `the simulator ends (${code})` : `${invariant}, seed ${Math.min(...found)}`;
}

async function byTests(sources, tests, folder) {
  for (const part of ['src', 'test', 'package.json', 'vitest.config.ts', 'tsconfig.json'])
    await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'dist'));
  for (const [path, text] of sources) await writeFile(path.replace(root, `${folder}/`), text);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { code } = await run(process.execPath, [vitest, 'run', '--project', 'unit', ...tests], folder);
  return code === 0 ? undefined : tests.join(' ');
}

const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) throw new Error('no mutant has this name');
// All of them first: an hour into the run is no time to learn that the code has moved on.
for (const mutant of chosen) await patched(mutant);
let survivors = 0;
for (const mutant of chosen) {
  const folder = await mkdtemp(join(root, 'node_modules/.mutant-'));
  try {
    const sources = await patched(mutant);
    const startedAt = performance.now();
    // The named tests are quicker, and there because the simulator may well see nothing.
    const caughtBy =
      (mutant.tests && (await byTests(sources, mutant.tests, folder))) ??
      (await bySimulator(sources, mutant.kept, folder));
    if (caughtBy === undefined) survivors++;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    process.stdout.write(`| ${mutant.name} | ${caughtBy ?? 'SURVIVES'} | ${seconds} s |\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
}
process.stdout.write(`${chosen.length - survivors} passed, ${survivors} failed\n`);
process.exitCode = survivors === 0 ? 0 : 1;
