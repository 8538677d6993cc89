/** What the engine tells windows is what Rust code is told: the same fields, under the same names, there or not in the same cases. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { createNostrSync } from '../../src/node.ts';

const ROOT = join(import.meta.dirname, '../..');
const MODELS = readFileSync(join(ROOT, 'crates/nostr-sync/src/models.rs'), 'utf8');
const API = join(ROOT, 'src/api.ts');

/**
 * `'required'`: always there. `'nullable'`: there, and perhaps `null`. `'optional'`: perhaps not there. Words: it is one of these.
 */
type Presence = readonly ['required' | 'nullable' | 'optional', ...words: string[]];
type Fields = Readonly<Record<string, Presence>>;

const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function bodyOf(kind: 'struct' | 'enum', name: string): string {
  const found = new RegExp(`\\npub ${kind} ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(MODELS);
  if (found === null) throw new Error(`models.rs has no ${kind} ${name}`);
  return found[1]!;
}

/** The words of an enum without data, as they are in JSON. */
function wordsOf(type: string): readonly string[] {
  if (!new RegExp(`"kebab-case"\\)\\]\\npub enum ${type} `).test(MODELS)) return [];
  const variants = [...bodyOf('enum', type).matchAll(/^ {4}(\w+),$/gm)];
  return variants.map(([, name]) => name!.replaceAll(/\B[A-Z]/g, '-$&').toLowerCase()).toSorted();
}

function fieldsOfRust(struct: string): Fields {
  const isRenamed = new RegExp(`camelCase"\\)\\]\\npub struct ${struct} `).test(MODELS);
  const fields = [
    ...bodyOf('struct', struct).matchAll(/(?: {4}#\[serde\((.*)\)\]\n)? {4}pub (\w+): (.+),\n?/g),
  ];
  return Object.fromEntries(
    fields.map(([, serde = '', name, type]) => {
      const [, inner] = /^Option<(.*)>$/.exec(type!) ?? [];
      const whenAbsent = inner === undefined ? 'required' : 'nullable';
      const presence = serde.includes('skip_serializing_if') ? 'optional' : whenAbsent;
      return [isRenamed ? camelCase(name!) : name!, [presence, ...wordsOf(inner ?? type!)]];
    }),
  );
}

const program = ts.createProgram([API], {
  ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: true, types: [] },
  ...{ target: ts.ScriptTarget.ES2023, lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'] },
  ...{ module: ts.ModuleKind.NodeNext, allowImportingTsExtensions: true },
});
const checker = program.getTypeChecker();
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(API)!)!);

function fieldsOfTypeScript(name: string): Fields {
  const alias = exported.find((symbol) => symbol.name === name);
  if (alias === undefined) throw new Error(`nostr-sync exports no ${name}`);
  const type = checker.getDeclaredTypeOfSymbol(checker.getAliasedSymbol(alias));
  return Object.fromEntries(
    checker.getPropertiesOfType(type).map((property): [string, Presence] => {
      const ofProperty = checker.getTypeOfSymbol(property);
      const parts = ofProperty.isUnion() ? ofProperty.types : [ofProperty];
      // What holds any JSON holds `null` as well.
      const isAny = parts.some(({ flags }) => flags & (ts.TypeFlags.Unknown | ts.TypeFlags.TypeParameter));
      const isNullable = !isAny && parts.some(({ flags }) => flags & ts.TypeFlags.Null);
      const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
      const words = parts.flatMap((part) => (part.isStringLiteral() ? [part.value] : []));
      return [
        property.name,
        [isOptional ? 'optional' : isNullable ? 'nullable' : 'required', ...words.toSorted()],
      ];
    }),
  );
}

/** What Rust is not told: a field, or a word of one. */
const NOT_IN_RUST: Readonly<Record<string, readonly string[]>> = {
  // What a function of the app threw stays where it runs.
  Clash: ['error'],
};

/** What Rust gives as text, and TypeScript as one of some words. */
const AS_TEXT: Readonly<Record<string, readonly string[]>> = {
  RelayInfo: ['state', 'auth'],
  Clash: ['reason'],
};

test.each([
  ['FetchResult', 'FetchResult'],
  ['Receipt', 'Receipt'],
  ['VersionInfo', 'VersionInfo'],
  ['CategoryRow', 'CategoryRow'],
  ['Clash', 'MergeClash'],
  ['Conflict', 'Conflict'],
  ['MergedValues', 'MergedValues'],
  ['RelayInfo', 'RelayInfo'],
  ['SyncStatus', 'SyncStatus'],
  ['EventTemplate', 'EventTemplate'],
])('%s of Rust has the fields of %s, and there is the same in both', (struct, name) => {
  const isTold = (one: string): boolean => NOT_IN_RUST[struct]?.includes(one) !== true;
  const told = Object.entries(fieldsOfTypeScript(name)).filter(([field]) => isTold(field));
  const ofTypeScript = Object.fromEntries(
    told.map(([field, [presence, ...words]]) => [
      field,
      AS_TEXT[struct]?.includes(field) === true ? [presence] : [presence, ...words.filter(isTold)],
    ]),
  );
  expect(fieldsOfRust(struct)).toEqual(ofTypeScript);
});

test('an engine tells these fields of RelayInfo and SyncStatus, and no others', async () => {
  const sync = createNostrSync({ relays: ['wss://relay.example.invalid'] });
  const [relays, status] = [await sync.getRelays(), await sync.getStatus()];
  await sync.close();
  expect(Object.keys(fieldsOfRust('RelayInfo')).toSorted()).toEqual(Object.keys(relays[0]!).toSorted());
  expect(Object.keys(fieldsOfRust('SyncStatus')).toSorted()).toEqual(Object.keys(status).toSorted());
});
