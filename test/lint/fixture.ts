import { readFileSync } from 'node:fs';
import path from 'node:path';
import type pg from 'pg';
import { expect, vi } from 'vitest';
import { resolveConfig, type LintSettings, type Options } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { lintSteps, type LintedStep, type LintStep } from '../../src/lint/index.js';
import { root } from '../support/majors.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

/** A migration of an example: its statements, and whether it runs in a transaction. */
export interface ExampleMigration {
  readonly transaction: boolean;
  readonly statements: readonly string[];
}

/** `-- next migration` between them, `-- transaction: false` in one; a statement ends with its line. */
export function migrationsIn(sql: string): ExampleMigration[] {
  return sql
    .split(/^-- next migration\n/m)
    .map((text) => ({ transaction: !text.includes('-- transaction: false'), statements: statementsIn(text) }));
}

function statementsIn(text: string): string[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('-- '));
  return lines
    .join('\n')
    .split(/;\n(?=\S|$)/)
    .map((each) => each.trim().replace(/;$/, ''))
    .filter((each) => each !== '');
}

export interface LintInput {
  /** Undefined: without a database. */
  readonly client: pg.Client | undefined;
  readonly migrations: readonly ExampleMigration[];
  readonly options?: Pick<Options, 'rules' | 'lint'>;
  readonly safe?: Readonly<Record<string, string>>;
  readonly released?: 'together' | 'apart';
}

export async function lintExample({ client, migrations, options, safe, released = 'together' }: LintInput): Promise<readonly LintedStep[]> {
  const { rules, lint } = resolveConfig({ connection: 'postgres://unused/unused', lint: { smallTableRows: 1000 }, ...options });
  const query =
    client && (async <Row>(text: string, values?: readonly unknown[]) => (await client.query(text, [...(values ?? [])])).rows as Row[]);
  const steps = migrations.map(({ transaction, statements }, index): LintStep => {
    const unread = statements.map((sql, message) => ({ sql, text: sql, place: `/m/0${index + 1}.js:${message + 1}`, message }));
    return { name: `0${index + 1}.js`, file: `/m/0${index + 1}.js`, transaction, safe, statements: unread };
  });
  return (await lintSteps({ config: { rules, lint: lint as LintSettings }, query, steps, released, transaction: 'each' })).steps;
}

export function findingsIn(linted: readonly LintedStep[]): Finding[] {
  return linted.flatMap(({ findings }) => findings);
}

/** The tables of the examples, with the rows that make two of them large. */
export async function createExampleDatabase(options: { major?: number } = {}): Promise<TestDatabase> {
  const database = await createDatabase(options);
  const page = readFileSync(path.join(root, 'docs/lint.md'), 'utf8');
  const [, tables = ''] = /All examples[^]*?```sql\n([^]*?)```/.exec(page) ?? [];
  await database.query(`${tables}
    insert into customers select g, 'name', 'a@b.c', 'ch' from generate_series(1, 2000) g;
    insert into orders select g, g, 'note', 'open', 1.5, 1, now(), '{}' from generate_series(1, 2000) g;
    insert into countries values ('ch', 'Switzerland');
    analyze customers; analyze orders; analyze countries`);
  return database;
}

/**
 * Runs migrations one after the other and tells which locks each took on tables that were there, and what it did to them: `...; ...` for two
 * migrations. The last one is rolled back, if it can be.
 */
export async function traceExamples(database: TestDatabase, migrations: readonly ExampleMigration[]): Promise<string> {
  const client = await database.connect();
  const seen: string[] = [];
  for (const migration of migrations) {
    seen.push(await (migration.transaction ? traceTransaction(client, migration) : traceStandalone(database, client, migration)));
  }
  return seen.filter((each) => each !== '').join('; ');
}

async function traceTransaction(client: pg.Client, { statements }: ExampleMigration): Promise<string> {
  await client.query('begin');
  const before = await snapshot(client); // within the transaction: the counts of scans start anew with one, now and then
  try {
    for (const sql of statements) await client.query(sql);
    const taken = await takenSince(client, before);
    await client.query('commit');
    return taken;
  } catch (error) {
    await client.query('rollback');
    return `fails with ${(error as { code?: string }).code}`;
  }
}

// Outside a transaction the locks are gone with the statement: one that waits for another session's lock shows which it wants.
async function traceStandalone(database: TestDatabase, client: pg.Client, { statements }: ExampleMigration): Promise<string> {
  const seen: string[] = [];
  for (const sql of statements) {
    const concurrently = /concurrently/i.test(sql);
    seen.push(
      concurrently ? await traceWaiting(database, client, sql) : await traceTransaction(client, { transaction: true, statements: [sql] }),
    );
  }
  return seen.filter((each) => each !== '').join('; ');
}

async function traceWaiting(database: TestDatabase, client: pg.Client, sql: string): Promise<string> {
  const before = await snapshot(client);
  const table = namedIn(sql, [...before.values()]);
  const holder = await database.connect();
  await holder.query(`begin; lock table ${table?.name} in share update exclusive mode`);
  let failed: string | undefined;
  const running = client.query(sql).catch((error: unknown) => (failed = (error as { code?: string }).code));
  const mode = await vi.waitFor(async () => {
    const { rows } = await holder.query<{ mode: string }>(
      `select mode from pg_locks where not granted and relation = '${table?.name}'::regclass`,
    );
    return rows[0]?.mode ?? failed ?? expect.fail('nobody waits yet');
  });
  await holder.query('rollback');
  await holder.end();
  await running;
  if (failed !== undefined) return `fails with ${failed}`;
  const work = table && workOn(table, (await snapshot(client)).get(table.oid));
  return `${wordsOf(mode)} on ${table?.name}${work ? ` (${work})` : ''}`;
}

// The first that is named, or one of whose indexes is.
function namedIn(sql: string, tables: readonly Table[]): Table | undefined {
  const words = sql.split(/\W+/);
  const place = ({ name, indexes }: Table) =>
    words.findIndex((word) => [name, ...indexes.map((each) => each.split(' ')[0])].includes(word));
  return [...tables].filter((table) => place(table) >= 0).sort((a, b) => place(a) - place(b))[0];
}

interface Table {
  readonly oid: number;
  readonly name: string;
  readonly file: number;
  readonly isEmpty: boolean;
  readonly indexes: readonly string[];
  readonly scans: number;
}

const snapshotSql = `select c.oid::int, c.relname as name, coalesce(pg_relation_filenode(c.oid), 0)::int as file,
    coalesce(pg_stat_get_xact_numscans(c.oid), 0)::int as scans,
    coalesce(pg_relation_size(c.oid), 0) = 0 as "isEmpty",
    array(select concat(ic.relname, ' ', pg_relation_filenode(ic.oid)) from pg_index i join pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid) as indexes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

/** The tables that are there, before something is traced. */
export async function snapshot(client: pg.Client): Promise<Map<number, Table>> {
  const { rows } = await client.query<Table>(snapshotSql);
  return new Map(rows.map((row) => [row.oid, row]));
}

const strong = ['ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'];

/** The strong locks on tables that were there, which the open transaction has taken, and the work it has done. */
export async function takenSince(client: pg.Client, before: ReadonlyMap<number, Table>): Promise<string> {
  const { rows } = await client.query<{ oid: number; mode: string }>(
    `select relation::int as oid, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and granted`,
  );
  const after = await snapshot(client);
  const seen = [...before.values()].flatMap((table) => {
    const modes = rows.filter(({ oid }) => oid === table.oid).map(({ mode }) => strong.indexOf(mode));
    const strongest = Math.max(-1, ...modes);
    const work = workOn(table, after.get(table.oid));
    return strongest < 0 ? [] : [`${wordsOf(strong[strongest] ?? '')} on ${table.name}${work ? ` (${work})` : ''}`];
  });
  return seen.sort().join(', ');
}

function workOn(before: Table, after: Table | undefined): string | undefined {
  if (after === undefined) return undefined;
  if (after.file !== before.file) return after.isEmpty && !before.isEmpty ? undefined : 'rewrite'; // TRUNCATE only begins a new file
  if (filesOf(after).some((file) => !filesOf(before).includes(file))) return 'index';
  return after.scans > before.scans ? 'scan' : undefined;
}

// A new file is a new index, whatever its name; a partitioned index has none.
function filesOf({ indexes }: Table): string[] {
  return indexes.flatMap((index) => index.split(' ')[1] || []);
}

function wordsOf(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replace(/\B[A-Z]/g, ' $&')
    .toUpperCase();
}
