import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ensureMigrated } from '../src/index.js';
import { makeDirectory } from './support/directories.js';
import { loadedBy } from './support/loaded.js';
import { root } from './support/majors.js';
import { createDatabase } from './support/servers.js';

interface Manifest {
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

const kilobytes = (files: readonly string[]) => files.reduce((sum, file) => sum + statSync(path.join(root, 'dist', file)).size, 0) / 1024;

test('an up-to-date boot loads pg and a bounded part of our own code', async () => {
  const { url } = await createDatabase();
  const migrations = await makeDirectory({ '0001_a.sql': 'create table a ();\n' });
  await ensureMigrated({ connection: url, migrations, logger: false });
  const { packages, own } = await loadedBy(`await ensureMigrated(${JSON.stringify({ connection: url, migrations })})`);
  expect(packages).toEqual(['pg']);
  expect(own.length).toBeLessThanOrEqual(budget.boot.files);
  expect(kilobytes(own)).toBeLessThanOrEqual(budget.boot.kilobytes);
});

test('what is installed with the package is little, runs no script when it is installed, and is under a permissive licence', () => {
  const installed = productionPackages();
  expect(installed.size).toBeLessThanOrEqual(budget.packages);
  for (const [name, { license, scripts = {} }] of installed) {
    expect([name, permissive.has(license ?? 'none') ? 'permissive' : license]).toEqual([name, 'permissive']);
    const running = Object.keys(scripts).filter((script) => ['preinstall', 'install', 'postinstall'].includes(script));
    expect([name, running]).toEqual([name, []]);
    expect([name, existsSync(path.join(root, 'node_modules', name, 'binding.gyp'))]).toEqual([name, false]); // npm would build it
  }
});

// Raise these knowingly: each file is read and parsed at each boot, each package is downloaded by everybody.
const budget = { boot: { files: 70, kilobytes: 245 }, packages: 43 };

const permissive = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD']);

/** The dependencies of this package and theirs, as they stand at the top of node_modules. */
function productionPackages(): ReadonlyMap<string, Manifest> {
  const found = new Map<string, Manifest>();
  const wanted = Object.keys(readManifest(root).dependencies ?? {});
  for (const name of wanted) {
    if (found.has(name)) continue;
    const manifest = readManifest(path.join(root, 'node_modules', name));
    found.set(name, manifest);
    wanted.push(...Object.keys(manifest.dependencies ?? {}));
  }
  return found;
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as Manifest;
}
