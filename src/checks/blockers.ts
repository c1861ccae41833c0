import { identifier, literal } from '../sql.js';
import type { BuiltInCheck, Found } from './check.js';

/** Is a transaction open, for longer than these seconds, that a migration may have to wait for? Sessions of this database, and prepared transactions. */
export function blockersOlderThan(seconds: number): BuiltInCheck {
  return {
    rule: 'blockers',
    async find({ query, facts }) {
      const blockers = await query<Blocker>(blockersSql, [seconds]);
      const hidden = blockers.filter((blocker) => blocker.kind === 'session' && blocker.ageS === null);
      const found = blockers.flatMap((blocker) => (hidden.includes(blocker) ? [] : describe(blocker)));
      return [...found, ...describeHidden(hidden, facts.user)];
    },
  };
}

interface Blocker {
  readonly kind: 'session' | 'prepared';
  readonly pid: number | null;
  /** application_name, or the name of the prepared transaction. */
  readonly name: string;
  readonly role: string | null;
  readonly state: string | null;
  /** null: not for this role to see. */
  readonly ageS: number | null;
}

// Of sessions of other roles everything but the pid and the names is hidden; that they are in a transaction shows in pg_locks.
const blockersSql = `
  select 'session' as kind, a.pid, coalesce(a.application_name, '') as name, a.usename::text as role, a.state,
         pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp() - a.xact_start))::int as "ageS"
  from pg_catalog.pg_stat_activity a
  where a.datname = pg_catalog.current_database() and a.usename is not null and a.pid <> pg_catalog.pg_backend_pid()
    and coalesce(a.backend_type, 'client backend') = 'client backend'
    and case when a.backend_type is null
        then exists (select from pg_catalog.pg_locks l where l.pid = a.pid and l.locktype = 'virtualxid' and l.mode = 'ExclusiveLock')
        else a.xact_start <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1) end
  union all
  select 'prepared', null, p.gid, p.owner::text, null, pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp() - p.prepared))::int
  from pg_catalog.pg_prepared_xacts p
  where p.database = pg_catalog.current_database() and p.prepared <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1)
  order by "ageS" desc nulls last, pid
  limit 20`;

function describe({ kind, pid, name, role, state, ageS }: Blocker): Found {
  const since = `for ${ageS} s; a migration waits for the locks that it holds`;
  if (kind === 'prepared') {
    const remedy = `Run as "${role}": commit prepared ${literal(name)}; or: rollback prepared ${literal(name)};`;
    return {
      message: `the transaction ${literal(name)} of "${role}" is prepared ${since}, and no session will end it`,
      remedy,
      names: [name],
    };
  }
  const message = `pid ${pid} (${name || 'no application_name'}, "${role}", ${state}) has had a transaction open ${since}`;
  return { message, remedy: `Let it end, or end it: select pg_terminate_backend(${pid});`, names: [name] };
}

function describeHidden(hidden: readonly Blocker[], user: string): Found[] {
  if (hidden.length === 0) return [];
  const shown = hidden.map(({ pid, name, role }) => `pid ${pid} (${name || 'no application_name'}, "${role}")`).join(', ');
  const message = `in a transaction of an age that "${user}" may not see: ${shown}`;
  const remedy = `To have the old ones named, run: grant pg_read_all_stats to ${identifier(user)};`;
  return [{ message, remedy, names: hidden.map(({ name }) => name), level: 'info' }];
}
