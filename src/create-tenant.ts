import { readTenantName, resolveConfig, type Options } from './config/index.js';
import { ensureMigrated } from './ensure.js';
import { MigrationError, sqlStateOf } from './errors.js';
import type { Outcome } from './outcome.js';
import { openDatabase, runCall } from './run-call.js';
import type { Session } from './session/index.js';
import { identifier } from './sql.js';

/**
 * Makes the schema of a tenant where it is not there, and brings it to head, whatever `mode` says. The other tenants of the options are not looked at, and are not
 * waited for. Any number of processes may call it at once, for the same name too. The options are those of {@link ensureMigrated}; it locks, waits and throws as
 * that does for one tenant. A schema that was made stays when a migration fails: the same call goes on there. Needs the right to create
 * schemas in the database; throws EM_CONFIG_INVALID for a name that is none, and for options that cannot be
 * together with tenants.
 */
export async function createTenant(name: string, options: Options = {}): Promise<Outcome> {
  refuseName(name);
  resolveConfig({ ...options, mode: 'apply', tenants: { schemas: [name] } }); // what cannot be together with tenants is refused here, too
  const { optionsOf } = await import('./tenants/index.js'); // who has no tenants does not load it
  const own: Options = { ...optionsOf(options, name), mode: 'apply' };
  await runCall(own, async (call) => {
    await using opened = await openDatabase(call, 'alone');
    if (!opened.history.facts.inRecovery) await makeSchema(opened.session, name); // a standby is refused below
  });
  return await ensureMigrated(own);
}

function refuseName(name: unknown): void {
  const problems: string[] = [];
  readTenantName(name, { path: 'name', problems });
  if (problems.length > 0) throw new MigrationError('EM_CONFIG_INVALID', ['the tenant cannot be created:', ...problems].join('\n  '));
}

async function makeSchema(session: Session, name: string): Promise<void> {
  // Asked first: the server wants the right to create it from who says `if not exists`, also where it is there.
  if ((await session.query('select from pg_catalog.pg_namespace where nspname = $1', [name])).length > 0) return;
  try {
    await session.query(`create schema if not exists ${identifier(name)}`);
  } catch (error) {
    // 23505 in the catalog, 42P06: somebody else has made it at the same moment.
    if (!/^(23505|42P06)$/.test(sqlStateOf(error) ?? '')) throw error;
  }
}
