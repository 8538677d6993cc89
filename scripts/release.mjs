/**
 * What goes with a release, into dist-release/ or the folder that is named: the npm packages, the crates' lists of files, an SBOM
 * (CycloneDX) of npm and of cargo, and the licences of all third-party code that users get. Nothing is published, and nothing of it
 * is committed.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const CRATE = join(ROOT, 'crates/nostr-sync');
const PLUGIN = join(ROOT, 'tauri-plugin');
const OUT = resolve(process.argv[2] ?? join(ROOT, 'dist-release'));
const { version: RELEASE } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

function run(program, args, cwd) {
  const { status, stdout, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}`);
  return stdout;
}

/** The texts that a package has of its licence. */
function licenceTexts(folder) {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names
    .filter((name) => /^(licen[cs]e|copying|notice)([.-].*)?$/i.test(name) && !name.endsWith('.js'))
    .map((name) => readFileSync(join(folder, name), 'utf8').trim());
}

/** What npm installs with the package: all that its lockfile does not mark as ours alone. */
function npmPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev, peer, devOptional }]) => path !== '' && !dev && !peer && !devOptional)
    .map(([path, { version, license }]) => ({
      name: path.replace(/^.*node_modules\//, ''),
      version,
      license,
      folder: join(ROOT, path),
    }));
}

/** What cargo compiles into an app with the plugin, on any platform; tests and their tools left out. */
function crates() {
  const { packages, resolve: graph } = JSON.parse(
    run('cargo', ['metadata', '--format-version', '1', '--locked'], PLUGIN),
  );
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const reached = new Set();
  const pending = [graph.root];
  while (pending.length > 0) {
    const id = pending.pop();
    if (reached.has(id)) continue;
    reached.add(id);
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps)
      if (kinds.some(({ kind }) => kind !== 'dev')) pending.push(pkg);
  }
  return packages
    .filter(({ id, source }) => reached.has(id) && source !== null)
    .map(({ name, version, license, manifest_path: manifest }) => ({
      name,
      version,
      license: license ?? 'NOASSERTION',
      folder: dirname(manifest),
    }));
}

/** `type` as in package URLs: `npm` or `cargo`. */
function cycloneDx(type, name, components) {
  const component = (name, version, license) => {
    const purl = `pkg:${type}/${name.replace('@', '%40')}@${version}`;
    const licenses = [{ expression: license.replaceAll('/', ' OR ') }];
    return { type: 'library', name, version, 'bom-ref': purl, purl, licenses };
  };
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: component(name, RELEASE, 'Apache-2.0') },
    components: components.map(({ name, version, license }) => component(name, version, license)),
  };
  return `${JSON.stringify(sbom, undefined, 2)}\n`;
}

/** Each text once, under all the packages that have it. */
function thirdPartyLicences(packages) {
  const namesByText = new Map();
  for (const { name, version, license, folder } of packages) {
    const texts = licenceTexts(folder);
    const own = texts.length > 0 ? texts : ['(The package has no text of its licence.)'];
    for (const text of own)
      namesByText.set(text, [...(namesByText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  return [...namesByText]
    .map(([text, names]) => `${names.join('\n')}\n\n${text}\n`)
    .join(`\n${'-'.repeat(80)}\n\n`);
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const save = (name, text) => writeFileSync(join(OUT, name), text);

for (const folder of [ROOT, PLUGIN]) run('npm', ['pack', '--silent', '--pack-destination', OUT], folder);
const crateFiles = [CRATE, PLUGIN].map((folder) =>
  run('cargo', ['package', '--list', '--allow-dirty'], folder),
);
save('crate-files.txt', crateFiles.join('\n'));
const [fromNpm, fromCargo] = [npmPackages(), crates()];
save('sbom-npm.cdx.json', cycloneDx('npm', 'nostr-sync', fromNpm));
save('sbom-cargo.cdx.json', cycloneDx('cargo', 'tauri-plugin-nostr-sync', fromCargo));
save('THIRD-PARTY-LICENSES-npm.txt', thirdPartyLicences(fromNpm));
save('THIRD-PARTY-LICENSES-cargo.txt', thirdPartyLicences(fromCargo));
console.log(`${OUT}: ${fromNpm.length} packages of npm, ${fromCargo.length} crates`);
for (const name of readdirSync(OUT)) console.log(`  ${name}`);
