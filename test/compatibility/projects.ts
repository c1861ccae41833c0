import { execFileSync } from 'node:child_process';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundledProject, commonJsProject } from '../support/bundle.js';
import type { Files } from '../support/directories.js';

/** Something that boots. */
export interface Project {
  readonly kind: string;
  readonly directory: string;
  /** What Node runs in it. */
  readonly main: string;
  /** A server goes on running when it is ready. */
  readonly ends: 'by itself' | 'when told to';
}

/** Makes a project of each kind in the place. A bundle is copied to `bundles`, in reach of no node_modules but its own. */
export async function makeProjects(place: string, bundles: string): Promise<Project[]> {
  const files = bundledProject();
  const made = async (kind: string, of: Files, command: readonly string[]): Promise<string> => {
    const directory = await write(path.join(place, kind), of);
    if (command.length > 0) execFileSync('npx', command, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
    return directory;
  };
  const alone = async (kind: string, from: string): Promise<string> => {
    const directory = path.join(bundles, kind);
    await cp(from, directory, { recursive: true, verbatimSymlinks: true });
    return directory;
  };
  const esm = await made('esbuild-esm', files, ['node', 'build.js']);
  const cjs = await made('esbuild-cjs', commonJsProject(), ['node', 'build.js']);
  const webpack = await made('webpack', files, ['webpack']);
  const next = await made('next', { ...files, ...pages }, ['next', 'build']);
  const compiled = await made('typescript', { ...files, ...typescript }, ['node', '../node_modules/typescript-6/bin/tsc']);
  const ends = 'by itself';
  return [
    { kind: 'ES modules', directory: await made('esm', files, []), main: 'main.js', ends },
    { kind: 'CommonJS', directory: await made('cjs', commonJs(files), []), main: 'main.js', ends },
    { kind: 'TypeScript, compiled', directory: compiled, main: 'dist/main.js', ends },
    { kind: 'knex 3.0.1, pg 8.11.0', directory: await made('oldest/app', files, []), main: 'main.js', ends },
    { kind: 'pg 8.15.6', directory: await made('between/app', files, []), main: 'main.js', ends },
    { kind: 'esbuild, ES module', directory: await alone('esm', path.join(esm, 'dist')), main: 'main.mjs', ends },
    { kind: 'esbuild, CommonJS', directory: await alone('cjs', path.join(cjs, 'dist')), main: 'main.cjs', ends },
    { kind: 'webpack', directory: await alone('webpack', path.join(webpack, 'dist')), main: 'main.cjs', ends },
    {
      kind: 'Next.js, standalone',
      directory: await alone('next', path.join(next, '.next/standalone')),
      main: 'next/server.js', // below the directory of the lockfile
      ends: 'when told to',
    },
  ];
}

const pages: Files = {
  'app/layout.js': `export default function Layout({ children }) { return <html><body>{children}</body></html>; }\n`,
  'app/page.js': `export default function Page() { return <p>ready</p>; }\n`,
};

const typescript: Files = {
  'main.ts': `import { ensureMigrated, type Outcome } from 'ensure-migrated';
import { modules } from './migrations/index.js';

const outcome: Outcome = await ensureMigrated({ migrations: { modules } });
console.log(\`ready: \${outcome.status}\`);
`,
  'tsconfig.json': JSON.stringify({
    compilerOptions: { module: 'nodenext', target: 'es2022', strict: true, allowJs: true, outDir: 'dist', rootDir: '.', types: ['node'] },
    files: ['main.ts'],
  }),
};

// From a directory, as most of them are.
function commonJs(files: Files): Files {
  const migrations = Object.entries(files).filter(([name]) => /^migrations\/\d/.test(name));
  const exported = migrations.map(([name, text]) => [
    name,
    text.replace('export async function up', 'exports.up = async function').replaceAll(/export const (\w+)/g, 'exports.$1'),
  ]);
  const main = `const { ensureMigrated } = require('ensure-migrated');
ensureMigrated().then(({ status }) => console.log(\`ready: \${status}\`));
`;
  return { 'package.json': '{ "private": true }', 'main.js': main, ...(Object.fromEntries(exported) as Files) };
}

async function write(directory: string, files: Files): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), text);
  }
  return directory;
}
