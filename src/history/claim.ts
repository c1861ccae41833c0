import { hostname } from 'node:os';
import type { Call } from '../call.js';
import { MigrationError, sqlStateOf } from '../errors.js';
import type { Session } from '../session/index.js';
import { renderOwner, type Owner } from './journal.js';
import type { Facts } from './read.js';
import { renderCreateTables, type Tables } from './tables.js';

export interface ClaimRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly facts: Facts;
  /** Whether the transaction is already open (behind a pooler) or the claim commits by itself. */
  readonly scope: 'session' | 'xact';
}

/** The history is ours until it is released: knex's own lock row is set, the owner row says who we are. */
export interface Claim {
  readonly owner: Owner;
  /** The history as it stood when knex could no longer change it. */
  readonly applied: readonly string[];
  /** For the migrations of this run: one more than the highest. */
  readonly batch: number;
}

const foreignPollMs = 500;
// Somebody else is making the same table: unique_violation in the catalog, duplicate_table, duplicate_object. Or it is not there yet.
const racing = /^(23505|42P07|42710)$/;
const missing = /^(42P01|3F000)$/;

/**
 * Sets knex's lock row together with our owner row, in one transaction under LOCK TABLE ... IN EXCLUSIVE MODE, so that a `knex migrate`
 * started meanwhile refuses cleanly. Makes the tables where they are missing, repairs a lock table with no or several rows, reclaims a
 * row whose owner is a dead run of ours (we hold the advisory lock, so it is dead). A row that is set without an owner is knex at work,
 * or dead: waits `timeouts.lockMs`, then throws EM_KNEX_LOCKED.
 */
export async function claimHistory(request: ClaimRequest): Promise<Claim> {
  const { call } = request;
  const started = performance.now();
  for (;;) {
    const seen = await openClaim(request);
    if (seen === 'busy') {
      await refuseAfter(request, started);
    } else if (seen.lockedCount > 0 && seen.owner?.state !== 'active') {
      if (request.scope === 'session') await request.session.send('rollback');
      await refuseAfter(request, started);
      if (request.scope === 'xact') throw await knexLocked(request, started);
    } else {
      if (seen.lockedCount > 0) call.report.warn('lock.reclaimed', { owner: seen.owner });
      if (seen.rowCount > 1) call.report.warn('lock.repaired', { rowCount: seen.rowCount });
      return await commitClaim(request, seen.rowCount);
    }
    await call.wait(foreignPollMs);
  }
}

async function refuseAfter(request: ClaimRequest, started: number): Promise<void> {
  const waitedMs = performance.now() - started;
  if (waitedMs >= request.call.config.timeouts.lockMs) throw await knexLocked(request, started);
  request.call.report.info('lock.knex-waiting', { waitedMs: Math.round(waitedMs), table: request.tables.names.lock });
}

interface Seen {
  readonly rowCount: number;
  readonly lockedCount: number;
  readonly owner: Owner | undefined;
}

// Leaves the transaction open with the lock table locked; `busy` (and rolled back) when knex has it in a transaction of its own.
async function openClaim(request: ClaimRequest): Promise<Seen | 'busy'> {
  const { session, tables, scope } = request;
  const open = scope === 'session' ? `begin isolation level read committed; set local lock_timeout = '1s';` : '';
  const text = `${open} lock table ${tables.lock} in exclusive mode;
    select (select count(*)::int from ${tables.lock}) as "rowCount", (select count(*)::int from ${tables.lock} where is_locked = 1) as "lockedCount",
           (select detail from ${tables.journal} where kind = 'owner') as owner;`;
  if (scope === 'xact') await createTables(request); // a failed LOCK TABLE would take the whole transaction with it
  for (;;) {
    try {
      const { results } = await session.send(text);
      const [row] = (results.at(-1)?.rows ?? []) as { rowCount: number; lockedCount: number; owner: Owner | null }[];
      return { rowCount: row?.rowCount ?? 0, lockedCount: row?.lockedCount ?? 0, owner: row?.owner ?? undefined };
    } catch (error) {
      if (scope === 'xact') throw error;
      await session.send('rollback');
      const state = sqlStateOf(error) ?? '';
      if (state === '55P03') return 'busy';
      if (!missing.test(state)) throw error;
      await createTables(request);
    }
  }
}

async function createTables({ session, tables, call, scope }: ClaimRequest): Promise<void> {
  for (;;) {
    try {
      await session.send(renderCreateTables(tables));
      return;
    } catch (error) {
      if (scope === 'xact' || !racing.test(sqlStateOf(error) ?? '')) throw error;
      await call.wait(50);
    }
  }
}

async function commitClaim({ call, session, tables, facts, scope }: ClaimRequest, rowCount: number): Promise<Claim> {
  const owner: Owner = {
    state: 'active',
    run: call.id,
    pid: facts.backendPid,
    host: hostname(),
    processId: process.pid,
    application: call.config.application.name,
    since: new Date().toISOString(),
  };
  const { lock, history } = tables;
  const { results } = await session.send(
    [
      rowCount === 0 ? `insert into ${lock} (is_locked) values (1);` : `update ${lock} set is_locked = 1;`,
      rowCount > 1 ? `delete from ${lock} where index <> (select min(index) from ${lock});` : '',
      renderOwner(tables, owner),
      `select pg_catalog.array_to_string(pg_catalog.array_agg(name order by id), E'\\n') as names, coalesce(max(batch), 0) + 1 as batch from ${history};`,
      scope === 'session' ? 'commit;' : '',
    ].join('\n'),
  );
  const row = results.find(({ command }) => command === 'SELECT')?.rows[0] as { names: string | null; batch: number };
  return { owner, applied: row.names ? row.names.split('\n') : [], batch: row.batch };
}

/** Clears knex's lock row where it is ours, and says how the run ended. Text for the message that also releases the advisory lock. */
export function renderUnclaim(tables: Tables, owner: Owner): string {
  const ours = `exists (select from ${tables.journal} where kind = 'owner' and run = '${owner.run}')`;
  return `update ${tables.lock} set is_locked = 0 where ${ours};\n${renderOwner(tables, owner)}`;
}

async function knexLocked({ session, tables, facts }: ClaimRequest, started: number): Promise<MigrationError> {
  const others = await session.query<{ pid: number; application: string; host: string | null; state: string | null }>(
    `select pid, application_name as application, client_addr::text as host, state from pg_catalog.pg_stat_activity
     where datname = pg_catalog.current_database() and backend_type = 'client backend' and pid <> pg_catalog.pg_backend_pid()
     order by (state = 'active') desc, xact_start nulls last limit 5`,
  );
  const shown = others.map(
    ({ pid, application, host, state }) => `pid ${pid} (${application || 'no name'}, ${host ?? 'local'}, ${state ?? 'not visible'})`,
  );
  const table = `${tables.schema ?? facts.schema}.${tables.names.lock}`;
  return new MigrationError(
    'EM_KNEX_LOCKED',
    `knex's own lock (${table}.is_locked) was set by somebody else and stayed set for ${Math.round(performance.now() - started)} ms; other sessions here: ${shown.join(', ') || 'none'}`,
    { remedy: `Wait for the other knex run. When none is alive: run \`knex migrate:unlock\`, or \`update ${table} set is_locked = 0\`.` },
  );
}
