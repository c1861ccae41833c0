import { poll } from '../support/boot.js';
import type { TestDatabase } from '../support/servers.js';

/** What is in the database once everybody has gone. */
export interface Look {
  readonly history: readonly string[];
  /** For each migration: how often its `up` stays in the database, less its `down`s. */
  readonly witness: Readonly<Record<string, number>>;
  /** Of the concurrent build. */
  readonly index: 'valid' | 'invalid' | 'none';
  /** What the journal calls unfinished: begun outside a transaction, and not ended. */
  readonly unfinished: readonly string[];
  readonly isLocked: boolean;
  readonly ownerState: string | undefined;
}

const lookSql = `select
  (select coalesce(json_agg(name order by id), '[]') from knex_migrations) as history,
  (select coalesce(json_object_agg(name, n), '{}') from (select name, sum(what) as n from witness group by name) w) as witness,
  coalesce((select case when indisvalid then 'valid' else 'invalid' end from pg_index where indexrelid = to_regclass('items_id')), 'none') as index`;
const journalSql = `select
  (select coalesce(json_agg(migration), '[]') from (select distinct on (migration) migration, detail ->> 'status' as status from knex_migrations_journal
   where kind in ('attempt', 'repair', 'stamp') and migration is not null and detail ->> 'status' <> 'failed' order by migration, id desc) j
   where status in ('started', 'unfinished')) as unfinished,
  (select detail ->> 'state' from knex_migrations_journal where kind = 'owner') as owner`;

/** Waits until the server has noticed every death. A session or a lock that stays is an error of its own. */
export async function untilAllHaveGone(database: TestDatabase): Promise<void> {
  // A pooler keeps its connections, under the name of whoever had them last.
  await poll(async () => {
    const rows = await database.query(
      `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name <> 'test' and backend_type = 'client backend'
         and ((application_name like 'ensure-migrated/%' and application_name <> 'ensure-migrated/pooled') or state <> 'idle')
       union all select pid from pg_locks where locktype = 'advisory' and classid = 1701669223 and database = (select oid from pg_database where datname = current_database())
       union all select 0 from pg_prepared_xacts where database = current_database()`,
    );
    return rows.length === 0 || undefined;
  }, 30_000);
}

/** Looks, once all have gone. */
export async function lookAt(database: TestDatabase): Promise<Look> {
  await untilAllHaveGone(database);
  const there = async (table: string) =>
    (await database.query('select to_regclass($1) is not null as there', [table]))[0]?.['there'] === true;
  const [known, journal] = [await there('knex_migrations'), await there('knex_migrations_journal')];
  const [look] = known ? await database.query(lookSql) : [{ history: [], witness: {}, index: 'none' }];
  const [record] = journal ? await database.query(journalSql) : [{ unfinished: [], owner: undefined }];
  const locks = (await there('knex_migrations_lock')) ? await database.query('select from knex_migrations_lock where is_locked = 1') : [];
  return {
    ...(look as Look),
    unfinished: record?.['unfinished'] as string[],
    ownerState: record?.['owner'] as string,
    isLocked: locks.length > 0,
  };
}

/** Throws where the history and what the migrations have done say two things that no story of ours can explain. */
export function expectConsistent(look: Look, { knexDied }: { readonly knexDied: boolean }): void {
  const wrong = wrongIn(look, knexDied);
  if (wrong.length > 0) throw new Error(`${wrong.join('; ')}: ${JSON.stringify(look)}`);
}

function wrongIn({ history, witness, index, unfinished }: Look, knexDied: boolean): string[] {
  const wrong: string[] = [];
  if (new Set(history).size < history.length) wrong.push('a migration stands twice in the history');
  for (const name of ['1_a.js', '2_b.js', '5_c.js', '4_alone.js']) {
    const [times, applied] = [Number(witness[name] ?? 0), history.includes(name) ? 1 : 0];
    // Where one of a set is outside a transaction knex commits each, and writes its history row afterwards.
    const open = knexDied || (name === '4_alone.js' && unfinished.includes(name)); // outside a transaction, and it died in between
    const most = knexDied ? 2 : 1; // so the next run does it again
    if (open ? times < 0 || times > most : times !== applied) wrong.push(`${name} ran ${times} times, and is recorded ${applied} times`);
  }
  const open = unfinished.includes('3_index.js') || knexDied;
  if (!open && (index === 'valid') !== history.includes('3_index.js')) wrong.push(`the index is ${index}`);
  return wrong;
}
