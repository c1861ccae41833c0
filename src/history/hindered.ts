import { isMigrationError, MigrationError, sqlStateOf } from '../errors.js';
import { describeSessions, type Session } from '../session/index.js';
import { identifier } from '../sql.js';
import { ownTables, type Tables } from './tables.js';

/** Whose tables are meant, and how they are reached. */
export interface Reading {
  readonly session: Session;
  readonly tables: Tables;
}

interface Run extends Reading {
  readonly isClaimed: boolean;
  readonly scope: 'session' | 'xact';
}

/**
 * What has ended a run, which may be about other tables too, as an error that tells what to do: EM_BLOCKED, also where the watch has taken back a statement of ours that waited for one of these;
 * EM_LOCK_LOST where they are gone.
 */
export async function asHindered(run: Run, error: unknown): Promise<unknown> {
  const { session } = run;
  const state = sqlStateOf(error) ?? sqlStateOf((error as Error | undefined)?.cause);
  if (session.wire.lost || state === undefined) return error;
  if (sqlStateOf(error) === lockTimedOut) return await blockedBy(run, error);
  if (sqlStateOf(error) === cancelled) return await cancelledBy(run, error);
  return gone.test(state) && (await areGone(run, error).catch(() => false)) ? historyGone(run, error) : error;
}

const lockTimedOut = '55P03';
const cancelled = '57014';
const gone = /^(42P01|3F000)$/;

/** Somebody has locked a table of the history: EM_BLOCKED with who that is. Takes the transaction back where one has failed. */
export async function blockedBy({ session, tables }: Reading, cause: unknown): Promise<MigrationError> {
  const waited = `waited ${session.lockPatienceMs} ms for a table of the history, ${tables.history} or one beside it`;
  const by = await holdersOf({ session, tables }).catch(() => undefined); // the way there may be shut by the same session
  const named = by === undefined ? 'sessions that could not be named' : by || noLonger;
  return new MigrationError('EM_BLOCKED', `${waited}; blocked by ${named}`, { cause });
}

// Without patience and without somebody who holds a table it was not ours: an operator's.
async function cancelledBy({ session, tables }: Reading, error: unknown): Promise<unknown> {
  const by = await holdersOf({ session, tables }).catch(() => '');
  if (by === '' && session.lockPatienceMs > 1) return error;
  const waited = `gave up waiting for a table of the history, ${tables.history} or one beside it`;
  return new MigrationError('EM_BLOCKED', `${waited}; blocked by ${by || noLonger}`, { cause: error });
}

const noLonger = 'a session that is gone by now';

// The claim makes them, and they go with their schema. What a pooled run has made goes with its transaction: of a migration that has failed there it tells nothing.
async function areGone({ session, tables, isClaimed, scope }: Run, error: unknown): Promise<boolean> {
  const wereThere = isMigrationError(error) ? error.code === 'EM_HISTORY_INVALID' || (isClaimed && scope === 'session') : isClaimed;
  if (session.wire.status !== 'I') await session.send('rollback');
  const [row] = await session.query<{ gone: boolean }>(
    'select pg_catalog.to_regnamespace($1) is null or ($2 and pg_catalog.to_regclass($3) is null) as gone',
    [identifier(tables.schema ?? ''), wereThere, tables.history],
  );
  return row?.gone === true;
}

function historyGone({ tables }: Reading, cause: unknown): MigrationError {
  return new MigrationError(
    'EM_LOCK_LOST',
    `the tables of the history, ${tables.history} and those beside it, were dropped, or their schema was, while this run was at work`,
    {
      cause,
      remedy: "Where the schema is to be there, make it again (a tenant's: createTenant), then start the service again.",
    },
  );
}

interface Holders {
  readonly pids: readonly number[];
  readonly prepared: readonly string[];
}

// Nobody: ''. Who has it in the strongest mode, or waits for that: all that comes later waits behind that one, and so behind those who hold it up.
async function holdersOf({ session, tables }: Reading): Promise<string> {
  if (session.wire.status !== 'I') await session.send('rollback');
  const [holders] = await session.query<Holders>(
    `with strong as (
       select l.pid, l.virtualtransaction from pg_catalog.pg_locks l
       where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
         and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
         and l.relation in (select pg_catalog.to_regclass(name)::oid from pg_catalog.unnest($1::text[]) name)
     )
     select array(select pid from strong where pid is not null
                  union select b from strong, pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) b where pid is not null and b > 0) as pids,
            array(select p.gid || ' of ' || p.owner from pg_catalog.pg_prepared_xacts p join pg_catalog.pg_locks t
                  on t.locktype = 'transactionid' and t.transactionid = p.transaction and t.pid is null
                  where t.virtualtransaction in (select virtualtransaction from strong where pid is null)) as prepared`,
    [ownTables(tables)],
  );
  const { pids = [], prepared = [] } = holders ?? {};
  const sessions = pids.length > 0 ? [await describeSessions(session, pids)] : [];
  return [...sessions, ...prepared.map((name) => `the prepared transaction ${name}`)].join(', ');
}
