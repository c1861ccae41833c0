import { renderBaseline, type BaselineScripts } from './baseline-script.js';
import type { Call } from './call.js';
import { dumpSchema, ToolError, type SchemaDump } from './client-tools/index.js';
import type { Connect } from './config/index.js';
import { messageOf, MigrationError } from './errors.js';
import { schemaOf, type Facts, type Tables } from './history/index.js';
import type { Session } from './session/index.js';
import { identifier, qualified } from './sql.js';

export interface BaselineDump {
  readonly call: Call;
  readonly session: Session;
  /** Leads pg_dump to the database of the session. */
  readonly source: Connect;
  /** Left out, with their sequences. */
  readonly tables: Tables;
  readonly facts: Facts;
  /** For what is said of the dump. */
  readonly file: string;
  /** Those of other tables; default `left out`. */
  readonly rows?: SchemaDump['rows'];
  /** The comment at the top of the migration. */
  readonly title?: string | undefined;
}

/**
 * Dumps the schema of a database as a migration, without the tables of the history; undefined where there is none. Reads only; pg_dump takes
 * ACCESS SHARE on every table and waits `timeouts.lockMs` for it. Throws EM_PLAN_REFUSED where no pg_dump fits the server, or it fails.
 */
export async function dumpBaseline({
  call,
  session,
  source,
  tables,
  facts,
  file,
  rows,
  title,
}: BaselineDump): Promise<BaselineScripts | undefined> {
  const schema = schemaOf(tables, facts);
  const bookkeeping = Object.values(tables.names).map((name) => qualified(schema, name));
  const excluded = await readBookkeeping(session, bookkeeping);
  const dump = await runDump({
    call,
    source,
    serverVersion: facts.serverVersion,
    rows,
    args: [...dumpArgs, ...excluded.map((name) => `--exclude-table=${name}`)],
  });
  const [{ kept } = { kept: undefined }] = await session.query<{ kept: string | undefined }>('select pg_catalog.quote_ident($1) as kept', [
    schema,
  ]);
  return await renderBaseline(dump, { file, keptSchema: kept, title });
}

const dumpArgs = ['--no-owner', '--no-subscriptions', '--no-security-labels', '--clean', '--if-exists'];

async function runDump(dump: SchemaDump): Promise<string> {
  try {
    return await dumpSchema(dump);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const remedy = `${error.remedy ?? 'Mend what pg_dump says.'} Nothing was changed.`;
    throw new MigrationError('EM_PLAN_REFUSED', `the schema cannot be dumped: ${messageOf(error)}`, { remedy, cause: error });
  }
}

// knex makes its tables when it only lists the migrations. pg_dump does not leave out a sequence with its table.
async function readBookkeeping(session: Session, tables: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ schema: string; name: string }>(
    `select n.nspname as schema, c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.oid = any ($1::text[]::pg_catalog.regclass[]::oid[]) or c.oid in (
       select objid from pg_catalog.pg_depend where classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid and deptype in ('a', 'i')
       and refobjid = any ($1::text[]::pg_catalog.regclass[]::oid[])) and c.relkind = 'S'`,
    [await existing(session, tables)],
  );
  return rows.map(({ schema, name }) => `${identifier(schema)}.${identifier(name)}`);
}

async function existing(session: Session, tables: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    'select name from pg_catalog.unnest($1::text[]) as name where pg_catalog.to_regclass(name) is not null',
    [tables],
  );
  return rows.map(({ name }) => name);
}
