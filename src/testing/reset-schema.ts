import type { Options } from '../config/index.js';
import { resolveConfig } from '../config/index.js';
import { ensureMigrated } from '../ensure.js';
import { messageOf, MigrationError } from '../errors.js';
import { tablesOf } from '../history/index.js';
import type { Outcome } from '../outcome.js';
import { identifier, literal } from '../sql.js';
import { connectLink, type Link } from './link.js';

/** The options of the boot that makes it anew, and its name once more. */
export interface ResetSchemaOptions extends Options {
  /** The name of the database: said twice, it is meant. */
  readonly confirm: string;
}

/**
 * Drops everything in a database, in one transaction, and migrates it again: for a database of one's own that is no throwaway copy. It keeps
 * the database itself, its settings and its rights, and cluster-wide roles. Takes ACCESS EXCLUSIVE on every table, and waits at most ten seconds
 * for each. Throws EM_RESET_REFUSED, before anything is changed, where NODE_ENV is `production`, where a run with the environment
 * `production` stands in the journal, and where `confirm` is not the name of the database; then what `ensureMigrated` throws.
 */
export async function resetSchema({ confirm, ...options }: ResetSchemaOptions): Promise<Outcome> {
  const config = resolveConfig({ ...options, mode: 'apply' });
  if (process.env['NODE_ENV'] === 'production') throw refused('NODE_ENV is production');
  if (config.environment === 'production') throw refused('the environment is production');
  const link = await connectLink(await config.connection()).catch((cause: unknown) => {
    throw new MigrationError('EM_CONNECT_REJECTED', `cannot connect to PostgreSQL: ${messageOf(cause)}`, { cause });
  });
  try {
    await refuseOther(link, confirm);
    await refuseProduction(link, tablesOf(config.migrations).names.journal);
    await link.query(await renderDrops(link));
  } finally {
    await link.close();
  }
  return await ensureMigrated({ ...options, mode: 'apply' });
}

function refused(why: string): MigrationError {
  return new MigrationError('EM_RESET_REFUSED', `everything in the database would be dropped, and ${why}`);
}

async function refuseOther(link: Link, confirm: string): Promise<void> {
  const [row] = await link.query<{ name: string; isStandby: boolean }>(
    'select pg_catalog.current_database() as name, pg_catalog.pg_is_in_recovery() as "isStandby"',
  );
  if (row?.name !== confirm) throw refused(`it is "${row?.name}", while \`confirm\` is "${confirm}"`);
  if (row.isStandby) throw refused('the server is a standby');
}

// Every journal of that name, whichever schema it is in: a search_path must not hide one.
async function refuseProduction(link: Link, journal: string): Promise<void> {
  const tables = await link.query<{ name: string }>(
    `select pg_catalog.format('%I.%I', n.nspname, c.relname) as name from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relname = $1 and c.relkind = 'r'`,
    [journal],
  );
  for (const { name } of tables) {
    const runs = await link.query(`select from ${name} where detail ->> 'environment' = 'production' limit 1`).catch((error: unknown) => {
      throw refused(`its journal ${name} cannot be read: ${messageOf(error)}`);
    });
    if (runs.length > 0) throw refused(`its journal ${name} says that it has been migrated in production`);
  }
}

const schemasSql = `select n.nspname as name, pg_catalog.pg_get_userbyid(n.nspowner) as owner,
    (select json_agg(json_build_object('grantee', g.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable))
     from pg_catalog.aclexplode(n.nspacl) a left join pg_catalog.pg_roles g on g.oid = a.grantee) as grants
  from pg_catalog.pg_namespace n where n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_namespace'::regclass::oid and d.objid = n.oid and d.deptype = 'e')`;

// What stands in no schema. An extension takes its own schemas along.
const elsewhereSql = `select 'drop event trigger ' || pg_catalog.quote_ident(evtname) || ';' as drop from pg_catalog.pg_event_trigger e
    where not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_event_trigger'::regclass::oid and d.objid = e.oid and d.deptype = 'e')
  union all select 'drop publication ' || pg_catalog.quote_ident(pubname) || ';' from pg_catalog.pg_publication
  union all select 'drop extension ' || pg_catalog.quote_ident(extname) || ' cascade;' from pg_catalog.pg_extension where extname <> 'plpgsql'
  union all select 'drop foreign data wrapper ' || pg_catalog.quote_ident(fdwname) || ' cascade;' from pg_catalog.pg_foreign_data_wrapper f
    where not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_foreign_data_wrapper'::regclass::oid and d.objid = f.oid and d.deptype = 'e')
  union all select 'select pg_catalog.lo_unlink(' || oid || ');' from pg_catalog.pg_largeobject_metadata`;

interface Schema {
  readonly name: string;
  readonly owner: string;
  readonly grants: readonly { readonly grantee: string | null; readonly privilege: string; readonly grantable: boolean }[] | null;
}

async function renderDrops(link: Link): Promise<string> {
  const elsewhere = await link.query<{ drop: string }>(elsewhereSql);
  const schemas = await link.query<Schema>(schemasSql);
  const drops = schemas.map(({ name }) => `drop schema ${identifier(name)} cascade;`);
  const kept = schemas.filter(({ name }) => name === 'public');
  return [
    `begin; set local lock_timeout to '10s'; set local client_min_messages to warning;`,
    ...elsewhere.map((row) => row.drop),
    ...drops,
    ...kept.flatMap(renderPublic),
    'commit',
  ].join('\n');
}

// As it was: who owns it and who may create in it differs from version to version.
function renderPublic({ name, owner, grants }: Schema): string[] {
  return [
    `create schema ${identifier(name)} authorization ${identifier(owner)};`,
    `comment on schema ${identifier(name)} is ${literal('standard public schema')};`,
    ...(grants ?? []).map(({ grantee, privilege, grantable }) => {
      const to = grantee === null ? 'public' : identifier(grantee);
      return `grant ${privilege} on schema ${identifier(name)} to ${to}${grantable ? ' with grant option' : ''};`;
    }),
  ];
}
