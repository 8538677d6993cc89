/**
 * `npm run docs:api`: pages about everything that the package exports, made of the docstrings, into `dist-api/`. Fails on a link that leads nowhere,
 * on what is exported without a word, and on a type that an export speaks of and that cannot be imported. `-- --check` writes no pages.
 */

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Application, Converter, ReflectionKind } from 'typedoc';

const PARTS = [
  ...['AnyRules', 'RuleOf', 'RulesByField', 'Value', 'Sides', 'Place'].map(
    (name) => `src/merge/rule.ts:${name}`,
  ),
  ...['NameOf', 'ResultOf', 'ValueOf'].map((name) => `src/sync/events.ts:${name}`),
  'src/sync/merging/merging.ts:CreateMerging',
  'src/state/category.ts:WithSchema',
  'src/keys/identity.ts:CarryingOver',
  'src/adapters/editable.ts:Editable',
  'src/adapters/status-source.ts:StatusSource',
  'src/adapters/pinia.ts:Fields',
  'src/adapters/zustand.ts:Store',
];
const ROOT = join(import.meta.dirname, '..');
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** The sources of every entry, and how an app imports them. One for browsers and Node has both. */
const entries = new Map();
for (const [path, target] of Object.entries(exports)) {
  if (typeof target === 'string') continue;
  const conditions = new Set(
    Object.entries(target)
      .filter(([condition]) => condition !== 'types')
      .map(([, file]) => file.default ?? file),
  );
  for (const file of conditions) {
    const source = file.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
    const where = conditions.size === 1 ? '' : source.includes('browser') ? ' (browsers)' : ' (Node)';
    entries.set(join(ROOT, source), path.replace('.', 'nostr-sync') + where);
  }
}

const app = await Application.bootstrap({
  name: 'nostr-sync',
  tsconfig: join(ROOT, 'tsconfig.build.json'),
  entryPoints: [...entries.keys()],
  readme: 'none',
  excludePrivate: true,
  excludeInternal: true,
  disableGit: true,
  sourceLinkTemplate: 'https://github.com/nostr-sync/nostr-sync/blob/main/{path}#L{line}',
  validation: { invalidLink: true, notExported: true, notDocumented: true, rewrittenLink: true },
  requiredToBeDocumented: ['Class', 'Function', 'Interface', 'TypeAlias', 'Variable'],
  // How types of the package are made: no app names them.
  intentionallyNotExported: PARTS,
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
});
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, reflection) => {
  if (!reflection.kindOf(ReflectionKind.Module)) return;
  const source = reflection.sources?.[0]?.fullFileName;
  reflection.name = entries.get(source) ?? reflection.name;
});

const project = await app.convert();
if (project === undefined) process.exit(1);
app.validate(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
const count = project.getReflectionsByKind(
  ReflectionKind.Class |
    ReflectionKind.Interface |
    ReflectionKind.Function |
    ReflectionKind.TypeAlias |
    ReflectionKind.Variable,
).length;
if (!process.argv.includes('--check')) {
  const to = join(ROOT, 'dist-api');
  await app.generateDocs(project, to);
  console.log(
    `${count} exports of ${entries.size} entries: ${relative(process.cwd(), join(to, 'index.html'))}`,
  );
} else console.log(`${count} exports of ${entries.size} entries have their words, and no link is broken`);
