import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from './support/majors.js';

// Lowest first. A file imports only from lower floors; units of one floor do not know each other. A folder is one unit: from outside,
// only its index.ts may be imported (a single check, or verb, may be asked for alone). Types count too. The list may grow with the code; the direction stays.
const floors = [
  'finding sql lock-mode statement-options embedded-binaries counted own-package',
  'outcome catalog-sum',
  'errors',
  'config import-file project',
  'table-name through-knex',
  'log ddl embedded-guard',
  'call',
  'session source embedded config-file fleet',
  'history step scratch revision client-tools squashed imported',
  'journal-rows',
  'claim lock watch answers init capture lint trace backfill',
  'state lint-files',
  'read-state plan checks schema',
  'loss gate apply adopt backup drift script verify wait-for-head likeness stamping baseline-script',
  'run-call baseline-dump lint-plan trace-agreement model triangle',
  'pooler workplace background replicas',
  'under-lock with-replicas',
  'last-run boot-backfills tenants',
  'upgrade downgrade repair preflight',
  'migrate linted-steps streams',
  'replay',
  'proof baseline-file captured-steps autogenerate replayed squash',
  'stamp schema-copy snapshot',
  'create-all',
  'traced-steps',
  'ensure probe commands backfills',
  'create-tenant databases sites',
  'ensure-all',
  'index cli testing',
].map((floor) => floor.split(' '));

// What only some units may reach at run time (the types of a package are free). `lazy`: it costs boot time, so it is loaded on first use.
const doors: readonly Door[] = [
  { to: ['pg'], only: ['session', 'testing'] },
  { to: ['knex'], only: ['step', 'config-file'], lazy: true },
  { to: ['pino'], only: ['log'], lazy: true },
  { to: ['p-retry'], only: ['session'], lazy: true },
  { to: ['libpg-query'], only: ['source'], lazy: true },
  { to: ['node:child_process'], only: ['client-tools', 'embedded', 'embedded-binaries', 'embedded-guard', 'testing'] },
  { to: ['pgsql-deparser'], only: ['lint'], lazy: true },
  { to: ['@supabase/pg-delta/extract', '@supabase/pg-delta/plan'], only: ['autogenerate'], lazy: true },
  { to: ['commander'], only: ['cli'] },
  { to: ['ora'], only: ['cli'], lazy: true },
  { to: ['process.env', 'node:process'], only: ['config', 'cli', 'testing'] },
  { to: ['process.exit', 'process.argv', 'process.reallyExit'], only: ['cli'] },
  { to: ['node:fs', 'node:fs/promises'], except: ['state', 'plan', 'apply', 'lock'] },
];

interface Door {
  readonly to: readonly string[];
  readonly only?: readonly string[];
  readonly except?: readonly string[];
  readonly lazy?: boolean;
}

interface Import {
  /** `session/index.ts` for a file of ours, else what the import names; `process.env` for the use of a global. */
  readonly of: string;
  readonly typeOnly: boolean;
  /** By import(), when the line is reached. */
  readonly lazy: boolean;
}

interface SourceFile {
  readonly name: string;
  readonly unit: string;
  readonly imports: readonly Import[];
}

const src = path.join(root, 'src');
const files: readonly SourceFile[] = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readSource(name.replaceAll(path.sep, '/'), readFileSync(path.join(src, name), 'utf8')));

describe('the layout of src/', () => {
  test('every file stands on a floor', () => {
    expect(files.filter(({ unit }) => floorOf(unit) < 0).map(({ name }) => name)).toEqual([]);
  });
  test('docs/architecture.md has it as it is, floor by floor', () => {
    const page = readFileSync(path.join(root, 'docs/architecture.md'), 'utf8');
    const told = [...page.matchAll(/^\| `src\/([\w-]+)(?:\/|\.ts)` \| \S/gm)].map(([, unit]) => unit);
    expect(told).toEqual(floors.flat());
  });
  test('imports go down', () => {
    expect(upward(files)).toEqual([]);
  });
  test('a room is entered by its index.ts', () => {
    expect(throughTheWall(files)).toEqual([]);
  });
  test('there are no circles', () => {
    expect(circles(files)).toEqual([]);
  });
  test('packages, files, processes and the environment are reached by their doors', () => {
    expect(doors.flatMap((door) => besideThe(door, files))).toEqual([]);
  });
  test('the packages that are imported are those of package.json that everybody gets, and each of them is', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, object>;
    const imported = new Set(files.flatMap(({ imports }) => imports.flatMap(({ of }) => packageOf(of) ?? [])));
    expect([...imported].filter((name) => !(name in { ...dependencies, ...peerDependencies }))).toEqual([]);
    expect(Object.keys({ ...dependencies }).filter((name) => !imported.has(name))).toEqual([]);
  });
  test('what a boot in sync does not need is loaded only when it is needed', () => {
    expect(
      eager('index.ts', files).filter((name) => /^(migrate|plan|apply|verify|checks|watch|backfill|databases|fleet)\b/.test(name)),
    ).toEqual([]);
  });
  // Raise these knowingly. test/budget.test.ts measures the boot itself, and the packages.
  test.each([
    ['index.ts', 70],
    ['commands/index.ts', 420],
    ['testing/index.ts', 210],
    ['testing/vitest.ts', 98], // in each worker
    ['cli/main.ts', 108], // and then the verb that is asked for
  ])('an import of %s loads no more than %i files', (name, most) => {
    expect(eager(name, files).length).toBeLessThanOrEqual(most);
  });
});

describe('these rules see', () => {
  const judged = (name: string, text: string): SourceFile[] => [readSource(name, text)];

  test.each([
    ['a value', `import { startLease } from './state.js';`],
    ['a type', `import type { State } from './state.js';`],
    ['a type in place', `let state: import('./state.js').State;`],
    ['a re-export', `export * from './state.js';`],
    ['a late import', `await import('./state.js');`],
  ])('%s from a higher floor', (_what, text) => {
    expect(upward(judged('sql.ts', text))).toEqual(['sql.ts -> state.ts']);
  });
  test('an import of a neighbour on the same floor', () => {
    expect(upward(judged('source/index.ts', `import '../session/index.js';`))).toEqual(['source/index.ts -> session/index.ts']);
  });
  test('a file inside a folder', () => {
    expect(throughTheWall(judged('state.ts', `import '../src/session/wire.js';`))).toEqual(['state.ts -> session/wire.ts']);
  });
  test('a circle in a folder', () => {
    const [one, two] = [readSource('session/one.ts', `import './two.js';`), readSource('session/two.ts', `export * from './one.js';`)];
    expect(circles([one, two])).toEqual(['session/one.ts -> session/two.ts -> session/one.ts']);
  });
  test.each([
    [`import pg from 'pg';`, 'state.ts reaches pg'],
    [`import { readFile } from 'node:fs/promises';`, 'state.ts reaches node:fs/promises'],
    [`const url = process.env.DATABASE_URL;`, 'state.ts reaches process.env'],
    [`process.exit(1);`, 'state.ts reaches process.exit'],
    [`import { type Pool } from 'pg';`, 'state.ts reaches pg'], // verbatimModuleSyntax leaves `import 'pg'` of it
  ])('%s', (text, complaint) => {
    expect(doors.flatMap((door) => besideThe(door, judged('state.ts', text)))).toEqual([complaint]);
  });
  test('a package that is loaded too early', () => {
    expect(doors.flatMap((door) => besideThe(door, [readSource('log.ts', `import { pino } from 'pino';`)]))).toEqual([
      'log.ts loads pino at once',
    ]);
  });
  test('nothing in an import of types', () => {
    expect(doors.flatMap((door) => besideThe(door, [readSource('state.ts', `import type { Knex } from 'knex';`)]))).toEqual([]);
  });
});

function floorOf(unit: string): number {
  return floors.findIndex((floor) => floor.includes(unit));
}

function unitOf(name: string): string {
  return (name.split('/')[0] ?? '').replace(/\.ts$/, '');
}

function ours(file: SourceFile): Import[] {
  return file.imports.filter(({ of }) => of.endsWith('.ts'));
}

function upward(all: readonly SourceFile[]): string[] {
  return all.flatMap((file) =>
    ours(file)
      .filter(({ of }) => unitOf(of) !== file.unit && floorOf(file.unit) >= 0 && floorOf(unitOf(of)) >= floorOf(file.unit))
      .map(({ of }) => `${file.name} -> ${of}`),
  );
}

function throughTheWall(all: readonly SourceFile[]): string[] {
  return all.flatMap((file) =>
    ours(file)
      .filter(({ of }) => unitOf(of) !== file.unit && of.includes('/') && !/^((checks|commands)\/.*|[^/]+\/index)\.ts$/.test(of))
      .map(({ of }) => `${file.name} -> ${of}`),
  );
}

// Types may refer to each other inside a folder; between folders the floors forbid that too.
function circles(all: readonly SourceFile[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) return void found.push([...trail.slice(trail.indexOf(name)), name].join(' -> '));
    if (done.has(name)) return;
    for (const { of, typeOnly } of importsOf(name, all)) if (!typeOnly) visit(of, [...trail, name]);
    done.add(name);
  };
  for (const { name } of all) visit(name, []);
  return found;
}

function importsOf(name: string, all: readonly SourceFile[]): Import[] {
  return all.filter((file) => file.name === name).flatMap(ours);
}

function besideThe({ to, only, except = [], lazy = false }: Door, all: readonly SourceFile[]): string[] {
  return all.flatMap((file) => {
    const reached = file.imports.filter(({ of, typeOnly }) => to.includes(of) && !typeOnly);
    if (only?.includes(file.unit) === false || except.includes(file.unit)) return reached.map(({ of }) => `${file.name} reaches ${of}`);
    return reached.filter((each) => lazy && !each.lazy).map(({ of }) => `${file.name} loads ${of} at once`);
  });
}

/** The files that are loaded with `name`. */
function eager(name: string, all: readonly SourceFile[], loaded = new Set<string>()): string[] {
  if (loaded.has(name)) return [];
  loaded.add(name);
  for (const { of, typeOnly, lazy } of importsOf(name, all)) if (!typeOnly && !lazy) eager(of, all, loaded);
  return [...loaded];
}

function readSource(name: string, text: string): SourceFile {
  const imports: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean, lazy: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    imports.push({ of: resolve(name, specifier.text), typeOnly, lazy });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword, false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false, true);
    else if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'process')
      imports.push({ of: `process.${node.name.text}`, typeOnly: false, lazy: false });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
  return { name, unit: unitOf(name), imports };
}

/** Undefined for a file of ours, a part of Node, a global. */
function packageOf(specifier: string): string | undefined {
  return isBuiltin(specifier) || /^process\.|\.ts$/.test(specifier) ? undefined : /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const absolute = path.posix.resolve('/src', path.posix.dirname(from), specifier);
  return absolute.replace(/^\/src\//, '').replace(/\.js$/, '.ts');
}
