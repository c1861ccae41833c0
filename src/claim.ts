import { hostname } from 'node:os';
import type { Call } from './call.js';
import { MigrationError, sqlStateOf } from './errors.js';
import { aboutHistory, joinedNames, renderCreateTables, splitNames, type Facts, type Owner, type Tables } from './history/index.js';
import { renderOwner } from './journal-rows.js';
import { describeSessions, type Session } from './session/index.js';
import { jsonLiteral, literal } from './sql.js';

export interface ClaimRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  readonly facts: Facts;
  /** Whether the transaction is already open (behind a pooler) or the claim commits by itself. */
  readonly scope: 'session' | 'xact';
  /** What was unsound when the run began: kept with the owner row, also of a run that dies before its first migration. */
  readonly before?: unknown;
}

/** The history is ours until it is released: knex's own lock row is set, the owner row says who we are. */
export interface Claim {
  readonly owner: ClaimOwner;
  /** The history as it stood when knex could no longer change it. */
  readonly applied: readonly string[];
  /** For the migrations of this run: one more than the highest. */
  readonly batch: number;
}

/** The owner row of a claim that holds. */
type ClaimOwner = Owner & { readonly flag: string };

const foreignPollMs = 500;
const reportEveryMs = 5_000;
// Somebody else is making the same table: unique_violation in the catalog, duplicate_table, duplicate_object. Or it is not there yet.
const racing = /^(23505|42P07|42710)$/;
const missing = /^(42P01|3F000)$/;

/**
 * Sets knex's lock row together with our owner row, in one transaction under LOCK TABLE ... IN EXCLUSIVE MODE, so that a `knex migrate`
 * started meanwhile refuses cleanly. Makes the tables where they are missing, repairs a lock table with no or several rows, reclaims a
 * row whose owner is a dead run of ours (we hold the advisory lock, so it is dead). A row that somebody else has set is knex at work,
 * or dead: waits `timeouts.lockMs`, then throws EM_KNEX_LOCKED. Behind a pooler the wait costs the transaction, and our own lock with it:
 * throws {@link LockGivenUp} once something has moved. Throws EM_HISTORY_INVALID for tables that are not as these, before anything of it is committed.
 */
export async function claimHistory(request: ClaimRequest): Promise<Claim> {
  return await aboutHistory(request, claim(request));
}

async function claim(request: ClaimRequest): Promise<Claim> {
  const { call, session, scope } = request;
  const wait = new KnexWait(request);
  for (;;) {
    const seen = await openClaim(request);
    if (seen !== 'busy' && (seen.lockedCount === 0 || isOurs(seen))) {
      if (seen.lockedCount > 0 && seen.owner?.run !== call.id) call.report.warn('lock.reclaimed', { owner: seen.owner });
      if (seen.rowCount > 1) call.report.warn('lock.repaired', { rowCount: seen.rowCount });
      return await commitClaim(request, seen.rowCount);
    }
    if (session.wire.status !== 'I') await session.send('rollback');
    if (scope === 'xact') {
      await untilMoved(request, wait, seen === 'busy' ? seen : seen.flag);
      throw new LockGivenUp();
    }
    await wait.turn();
  }
}

/** Whether a history is not the one that was read before: knex does not wait for our lock. */
export function isOther(before: readonly string[], now: readonly string[]): boolean {
  return before.join('\n') !== now.join('\n');
}

/** Knex was waited for without the advisory lock: that is to be taken again, and all that was read under it is old. */
export class LockGivenUp extends Error {}

function isOurs({ owner, flag }: Seen): boolean {
  return owner?.state === 'active' && owner.flag === flag;
}

// Nothing is held meanwhile. Another run of ours may set the row too: then its flag is another one.
async function untilMoved(request: ClaimRequest, wait: KnexWait, flag: string | null): Promise<void> {
  do {
    await wait.turn();
  } while ((await readFlag(request)) === flag);
}

async function readFlag({ session, tables: { lock } }: ClaimRequest): Promise<string | null> {
  try {
    const { results } = await session.send(
      `${beginBounded} lock table ${lock} in exclusive mode; select (select xmin::text from ${lock} where is_locked = 1 limit 1) as flag; rollback;`,
    );
    const row = results.find(({ command }) => command === 'SELECT')?.rows[0] as Pick<Seen, 'flag'> | undefined;
    return row?.flag ?? null;
  } catch (error) {
    await session.send('rollback');
    if (sqlStateOf(error) !== '55P03') throw error;
    return 'busy';
  }
}

const beginBounded = `begin isolation level read committed; set local lock_timeout = '1s';`;

// Told when it begins, and then rarely.
class KnexWait {
  private readonly startedAt = performance.now();
  private reportedAt = -Infinity;

  constructor(private readonly request: ClaimRequest) {}

  async turn(): Promise<void> {
    const { call, tables } = this.request;
    const now = performance.now();
    const waitedMs = Math.round(now - this.startedAt);
    if (waitedMs >= call.config.timeouts.lockMs) throw await knexLocked(this.request, waitedMs);
    if (now - this.reportedAt >= reportEveryMs) {
      this.reportedAt = now;
      call.report.info('lock.knex-waiting', { waitedMs, table: tables.names.lock });
    }
    await call.wait(foreignPollMs);
  }
}

interface Seen {
  readonly rowCount: number;
  readonly lockedCount: number;
  /** xmin of a row that is set. */
  readonly flag: string | null;
  readonly owner: Owner | null;
}

// Leaves the transaction open with the lock table locked; `busy` (and rolled back) when knex has it in a transaction of its own.
async function openClaim(request: ClaimRequest): Promise<Seen | 'busy'> {
  const { session, tables, scope } = request;
  const [before, after] =
    scope === 'session' ? [beginBounded, ''] : [`set local lock_timeout = '1s';`, 'set local lock_timeout to default;'];
  const text = `${before} lock table ${tables.lock} in exclusive mode; ${after}
    select (select count(*)::int from ${tables.lock}) as "rowCount", (select count(*)::int from ${tables.lock} where is_locked = 1) as "lockedCount",
           (select xmin::text from ${tables.lock} where is_locked = 1 limit 1) as flag, (select detail from ${tables.journal} where kind = 'owner') as owner;`;
  if (scope === 'xact') await createTables(request); // a failed LOCK TABLE would take the whole transaction with it
  for (;;) {
    try {
      const { results } = await session.send(text);
      return results.at(-1)?.rows[0] as Seen;
    } catch (error) {
      const state = sqlStateOf(error) ?? '';
      if (scope === 'xact' && state !== '55P03') throw error;
      await session.send('rollback');
      if (state === '55P03') return 'busy';
      if (!missing.test(state)) throw error;
      await createTables(request);
    }
  }
}

async function createTables({ session, tables, call, scope }: ClaimRequest): Promise<void> {
  for (;;) {
    try {
      await session.send(`${session.renderOwn()}\n${renderCreateTables(tables)}`);
      return;
    } catch (error) {
      if (scope === 'xact' || !racing.test(sqlStateOf(error) ?? '')) throw error;
      await call.wait(50);
    }
  }
}

async function commitClaim({ call, session, tables, facts, scope, before }: ClaimRequest, rowCount: number): Promise<Claim> {
  const owner: Owner = {
    state: 'active',
    run: call.id,
    pid: facts.backendPid,
    host: hostname(),
    processId: process.pid,
    application: call.config.application.name,
    since: new Date().toISOString(),
    before,
  };
  const { lock, history } = tables;
  const { results } = await session.send(
    [
      rowCount === 0 ? `insert into ${lock} (is_locked) values (1);` : `update ${lock} set is_locked = 1;`,
      rowCount > 1 ? `delete from ${lock} where index <> (select min(index) from ${lock});` : '',
      renderOwner(tables, owner),
      `update ${tables.journal} set detail = detail || pg_catalog.jsonb_build_object('flag', (select xmin::text from ${lock})) where kind = 'owner';`,
      `select (select xmin::text from ${lock}) as flag, ${joinedNames} as names, coalesce(max(batch), 0) + 1 as batch from ${history};`,
      scope === 'session' ? 'commit;' : '',
    ].join('\n'),
  );
  const row = results.find(({ command }) => command === 'SELECT')?.rows[0] as { flag: string; names: string | null; batch: number };
  return { owner: { ...owner, flag: row.flag }, applied: splitNames(row.names), batch: row.batch };
}

/** Raises SQLSTATE EMKNX when knex's lock row is not as this run wrote it: somebody has run `knex migrate:unlock`. One statement. */
export function renderClaimed({ lock }: Tables, { flag }: ClaimOwner): string {
  const body = `begin perform from ${lock} where is_locked = 1 and xmin::text = ${literal(flag)};
    if not found then raise sqlstate 'EMKNX' using message = 'knex migrate:unlock'; end if; end`;
  return `do ${literal(body)};`;
}

/**
 * Clears knex's lock row and leaves `end` as the owner row, where both are still ours: a run that has lost the advisory lock may have a
 * successor, and knex may be at work after a `knex migrate:unlock`. Text for the message that also releases the lock.
 */
export function renderUnclaim(tables: Tables, { run, flag }: ClaimOwner, end: Owner): string {
  const ours = `kind = 'owner' and run = ${literal(run)}`;
  const detail = `${end.state === 'failed' ? 'detail || ' : ''}${jsonLiteral(end)}`; // the row says at which migration it failed
  return `update ${tables.lock} set is_locked = 0 where xmin::text = ${literal(flag)} and exists (select from ${tables.journal} where ${ours});
    update ${tables.journal} set at = clock_timestamp(), run = ${literal(end.run)}, detail = ${detail} where ${ours};`;
}

async function knexLocked({ session, tables: { lock } }: ClaimRequest, waitedMs: number): Promise<MigrationError> {
  const holders = await session.query<{ pid: number }>(
    `select distinct pid from pg_catalog.pg_locks where locktype = 'relation' and granted and pid <> pg_catalog.pg_backend_pid() and mode <> 'AccessShareLock'
     and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) and relation = pg_catalog.to_regclass($1)::oid`,
    [lock],
  );
  const what = `knex's own lock (${lock}.is_locked) was set by somebody else and stayed set for ${waitedMs} ms`;
  if (holders.length === 0) {
    const remedy = `Wait for the other knex run. When none is alive: run \`ensure-migrated repair lock\`, or \`knex migrate:unlock\`, or \`update ${lock} set is_locked = 0\`.`;
    return new MigrationError('EM_KNEX_LOCKED', `${what}; other sessions here: ${await readOthers(session)}`, { remedy });
  }
  const by = await describeSessions(
    session,
    holders.map(({ pid }) => pid),
  );
  return new MigrationError('EM_KNEX_LOCKED', `${what}, in a transaction that is still open: ${by}`, {
    remedy: 'Wait for that transaction, or end its session: `select pg_terminate_backend(<pid>)`.',
  });
}

async function readOthers(session: Session): Promise<string> {
  const others = await session.query<{ pid: number; application: string; host: string | null; state: string | null }>(
    `select pid, application_name as application, pg_catalog.host(client_addr) as host, state from pg_catalog.pg_stat_activity
     where datname = pg_catalog.current_database() and coalesce(backend_type, 'client backend') = 'client backend' and usename is not null and pid <> pg_catalog.pg_backend_pid()
     order by (state = 'active') desc, xact_start nulls last limit 5`,
  );
  const shown = others.map(
    ({ pid, application, host, state }) => `pid ${pid} (${application || 'no name'}, ${host ?? 'local'}, ${state ?? 'not visible'})`,
  );
  return shown.join(', ') || 'none';
}
