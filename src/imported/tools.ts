import { MigrationError, sqlStateOf } from '../errors.js';
import type { Session } from '../session/index.js';
import { qualified } from '../sql.js';

/** What another tool has on record of one migration. */
export interface ForeignRow {
  /** As that tool calls it; of drizzle, which keeps no names, the hash. */
  readonly name: string;
  /** Of the file, in hex, where the tool keeps one. */
  readonly sha256: string | undefined;
  /** It began there and has not ended. */
  readonly isUnfinished: boolean;
}

export interface ForeignTable {
  readonly schema: string | undefined;
  readonly name: string;
}

interface ForeignTool {
  readonly table: ForeignTable;
  /** `all`: a row for each migration, in the order in which they ran. `newest`: one for the newest, of which the others are ancestors. */
  readonly keeps: 'all' | 'newest';
  readonly columns: string;
  readonly where?: string;
  readonly order: string;
}

// Their own sources: prisma-engines (schema-engine/ARCHITECTURE.md), node-pg-migrate 8, umzug 3 with SequelizeStorage, drizzle-orm 0.45, Alembic 1.16.
const tools = {
  alembic: {
    table: { schema: undefined, name: 'alembic_version' },
    keeps: 'newest',
    columns: 'version_num, null, false',
    order: 'version_num',
  },
  prisma: {
    table: { schema: undefined, name: '_prisma_migrations' },
    keeps: 'all',
    columns: 'migration_name, checksum, finished_at is null',
    where: 'rolled_back_at is null',
    order: 'started_at, migration_name',
  },
  'node-pg-migrate': {
    table: { schema: undefined, name: 'pgmigrations' },
    keeps: 'all',
    columns: 'name, null, false',
    order: 'run_on, id',
  },
  umzug: { table: { schema: undefined, name: 'SequelizeMeta' }, keeps: 'all', columns: 'name, null, false', order: 'name' },
  drizzle: {
    table: { schema: 'drizzle', name: '__drizzle_migrations' },
    keeps: 'all',
    columns: 'hash, hash, false',
    order: 'created_at, id',
  },
} as const satisfies Record<string, ForeignTool>;

/** The tools whose history can be taken over. */
export type ForeignToolName = keyof typeof tools;

export const foreignTools = Object.keys(tools) as readonly ForeignToolName[];

/** Where a tool keeps its history, unless it was told otherwise. */
export function tableOf(tool: ForeignToolName, given: string | undefined): ForeignTable {
  if (given === undefined) return tools[tool].table;
  const dot = given.indexOf('.');
  return dot < 0 ? { schema: undefined, name: given } : { schema: given.slice(0, dot), name: given.slice(dot + 1) };
}

export function keepsNewest(tool: ForeignToolName): boolean {
  return tools[tool].keeps === 'newest';
}

/** Its schema and itself, with its partitions or with what it reads as a view, as the server writes names; undefined where there is no such table, or this role may not know. */
export async function readIdentity(session: Session, { schema, name }: ForeignTable): Promise<Identity | undefined> {
  const rows = await session.query<Identity>(
    `with recursive part (whole, oid) as (
       select inhparent, inhrelid from pg_catalog.pg_inherits
       union select r.ev_class, d.refobjid from pg_catalog.pg_rewrite r join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass::oid
             and d.objid = r.oid and d.refclassid = 'pg_catalog.pg_class'::regclass::oid
     ), own (oid) as (select pg_catalog.to_regclass($1)::oid union select part.oid from own join part on part.whole = own.oid)
     select (select pg_catalog.quote_ident(n.nspname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where c.oid = pg_catalog.to_regclass($1)::oid) as schema,
            array(select pg_catalog.format('%I.%I', n.nspname, c.relname) from own join pg_catalog.pg_class c using (oid)
                  join pg_catalog.pg_namespace n on n.oid = c.relnamespace) as tables`,
    [qualified(schema, name)],
  );
  return rows.find((row) => row.schema !== null);
}

export interface Identity {
  readonly schema: string;
  readonly tables: readonly string[];
}

/** Reads the history of another tool, which is never written. Throws EM_IMPORT_REFUSED where there is none, or where this role may not read it. */
export async function readForeign(session: Session, tool: ForeignToolName, table: ForeignTable): Promise<readonly ForeignRow[]> {
  const { columns, order, ...rest }: ForeignTool = tools[tool];
  const where = rest.where === undefined ? '' : ` where ${rest.where}`;
  const from = qualified(table.schema, table.name);
  try {
    const rows = await session.query<{ name: string | null; sha256: string | null; unfinished: boolean }>(
      `select name::text, sha256::text, unfinished from (select ${columns} from ${from}${where} order by ${order}) as own (name, sha256, unfinished)`,
    );
    if (rows.some(({ name }) => !name)) throw noHistory(tool, from);
    return rows.map(({ name, sha256, unfinished }) => ({ name: name ?? '', sha256: sha256 ?? undefined, isUnfinished: unfinished }));
  } catch (error) {
    throw refusalOf(error, tool, from);
  }
}

function refusalOf(error: unknown, tool: ForeignToolName, from: string): unknown {
  const state = sqlStateOf(error);
  const remedy = remedyOf(tool);
  if (state === '42P01' || state === '3F000')
    return new MigrationError('EM_IMPORT_REFUSED', `there is no table ${from}`, { cause: error, remedy });
  if (state === '42501') return new MigrationError('EM_IMPORT_REFUSED', `this role may not read ${from}`, { cause: error, remedy });
  // Other columns, columns of another type, an index.
  if (state !== undefined && /^(22|42)/.test(state)) return noHistory(tool, from, error);
  return error;
}

function noHistory(tool: ForeignToolName, from: string, cause?: unknown): MigrationError {
  return new MigrationError('EM_IMPORT_REFUSED', `${from} is no history of ${tool}`, { cause, remedy: remedyOf(tool) });
}

function remedyOf(tool: ForeignToolName): string {
  return `Name the table in which ${tool} keeps its history with --table (\`table\`), and give this role the right to read it. Nothing was changed.`;
}
