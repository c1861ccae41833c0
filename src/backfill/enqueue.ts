import type { Knex } from 'knex';
import { knexClientOf } from '../config/index.js';
import { messageOf, MigrationError } from '../errors.js';
import { tablesOf } from '../history/index.js';
import { jsonLiteral, literal } from '../sql.js';
import { contextOf, type StepContext } from '../step/index.js';
import { name as readName, sqlOf } from '../table-name.js';
import { change, read } from '../through-knex.js';
import { declaredOf, hashOf, invalid, readDefinition, type Backfill } from './definition.js';
import { refusalOf, renderKeyQuery, type Keyed } from './key.js';
import { renderCreateState } from './state.js';

/** See index.ts. */
export async function enqueue(knex: Knex, name: string, inline?: Backfill): Promise<void> {
  if (typeof (knex as Knex | undefined)?.raw !== 'function')
    throw invalid(String(name), ['the first argument is the knex of the migration']);
  const context = contextOf(knex);
  const definition = inline === undefined ? exportedIn(context, readTheName(name)) : readInline(readTheName(name), inline);
  const tables = context?.tables ?? tablesOf(knexMigrations(knex));
  const queued: Queued = { name, migration: context?.migration ?? null, definition, table: tables.backfills };
  const isSent = context?.run !== 'recorded';
  if (isSent) await refuseWhatCannotRun(knex, queued);
  for (const statement of renderCreateState(tables)) await change(knex, statement);
  if (context?.run !== 'resumed') await change(knex, renderForget(queued));
  await change(knex, renderInsert(queued));
  if (isSent) await refuseTaken(knex, queued);
}

interface Queued {
  readonly name: string;
  readonly migration: string | null;
  readonly definition: Backfill;
  /** Of the backfills; quoted. */
  readonly table: string;
}

function readTheName(name: unknown): string {
  const problems: string[] = [];
  const read = readName(name, { path: 'name', problems });
  if (read === undefined) throw invalid(String(name).slice(0, 80), problems);
  return read;
}

function exportedIn(context: StepContext | undefined, name: string): Backfill {
  const exported = (context?.backfills ?? {}) as Record<string, unknown>;
  if (exported[name] !== undefined) return readDefinition(name, exported[name]);
  const why = context
    ? `the migration does not export it: \`export const backfills = { ${/^\w+$/.test(name) ? name : JSON.stringify(name)}: { table, set } }\``
    : "knex's own migrator does not tell which migration this is: let ensure-migrated apply it, or give the definition as the third argument";
  throw invalid(name, [why]);
}

function readInline(name: string, inline: Backfill): Backfill {
  const definition = readDefinition(name, inline);
  if (definition.apply === undefined) return definition;
  throw invalid(name, [
    `apply: a function that stands in \`up\` cannot be found again by whoever goes on after a crash: export it, \`export const backfills = { ... }\`, and enqueue it by its name`,
  ]);
}

function knexMigrations(knex: Knex): { tableName: string; schemaName: string | undefined } {
  const { tableName = 'knex_migrations', schemaName } = (knexClientOf(knex)?.config.migrations ?? {}) as Knex.MigratorConfig;
  return { tableName, schemaName };
}

// The server reads what will run for hours, here, where a mistake takes the migration back.
async function refuseWhatCannotRun(knex: Knex, { name, definition }: Queued): Promise<void> {
  const { table, where, set, verify, key } = definition;
  const [found] = await read<Keyed>(knex, asKnexReads(renderKeyQuery(sqlOf(table), key)), []);
  const refusal = refusalOf(found, sqlOf(table), key);
  if (refusal !== undefined) throw new MigrationError('EM_BACKFILL_REFUSED', `the backfill "${name}" cannot be enqueued: ${refusal}`);
  const filter = `\nwhere true and (${where ?? 'true'}\n)`; // there always is one, when a batch runs
  const change = set === undefined ? `select t.* from ${sqlOf(table)} t${filter}` : `update ${sqlOf(table)} t set ${set}${filter}`;
  for (const statement of [change, ...(verify === undefined ? [] : [verify])]) await explain(knex, name, statement);
}

async function explain(knex: Knex, name: string, statement: string): Promise<void> {
  try {
    await knex.raw(asKnexReads(`explain ${statement}`));
  } catch (error) {
    throw new MigrationError('EM_BACKFILL_INVALID', `the server does not take what the backfill "${name}" would run: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

// knex makes a parameter of every question mark, also of those in literals.
function asKnexReads(statement: string): string {
  return statement.replaceAll('?', '\\?');
}

// A migration that runs again was taken back in between: what its backfill had come to went with it.
function renderForget({ name, migration, table }: Queued): string {
  return `delete from ${table} where name = ${literal(name)} and migration is not distinct from ${literal(migration)}`;
}

function renderInsert({ name, migration, definition, table }: Queued): string {
  const declared = declaredOf(definition);
  const values = [
    literal(name),
    0,
    literal(migration),
    jsonLiteral(declared),
    literal(hashOf(definition)),
    `pg_catalog.current_setting('search_path')`,
    `'queued'`,
    declared.batchSize,
  ];
  return `insert into ${table} (name, range, migration, definition, hash, search_path, status, batch_size) values (${values.join(', ')}) on conflict (name, range) do nothing`;
}

async function refuseTaken(knex: Knex, { name, migration, definition, table }: Queued): Promise<void> {
  const [row] = await read<{ migration: string | null; hash: string }>(
    knex,
    `select migration, hash from ${table} where name = ? and range = 0`,
    [name],
  );
  if (row && row.migration === migration && row.hash === hashOf(definition)) return;
  const whose = row?.migration ? `the migration ${row.migration}` : 'a migration of knex';
  throw new MigrationError('EM_BACKFILL_REFUSED', `the backfill "${name}" cannot be enqueued: ${whose} has one of this name`);
}
