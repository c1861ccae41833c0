import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { ensureMigrated } from '../../src/index.js';
import { lockNamespace, wakeChannel } from '../../src/lock.js';
import { makeDirectory } from '../support/directories.js';
import type { TestDatabase } from '../support/servers.js';
import { Actor, quiet, type Seen } from './actor.js';
import { after, type Move } from './moves.js';
import { isAlone, type State } from './state.js';

const fileOf = (migration: string): string => `${isAlone(migration) ? '2' : '1'}_${migration}.js`;

/** Plays what the model plays with the real library on a real server, message by message, and compares after each. */
export class Replay {
  private constructor(
    private readonly database: TestDatabase,
    private readonly directory: string,
    private readonly observer: pg.Client,
    private readonly channel: string,
  ) {}

  static async prepare(database: TestDatabase, migrations: string): Promise<Replay> {
    const directory = await makeDirectory(Object.fromEntries([...migrations].map((each) => [fileOf(each), moduleOf(each)])));
    await database.query('create table effects (name text, what int)');
    await ensureMigrated({ ...quiet, connection: database.url, migrations: directory });
    const key = createHash('sha256').update('public.knex_migrations').digest().readInt32BE(0);
    return new Replay(database, directory, await database.connect(), wakeChannel({ namespace: lockNamespace, key }));
  }

  /** Throws where reality and the model part. */
  async play(first: State, trace: readonly Move[]): Promise<void> {
    await this.observer.query(resetSql(first));
    const cast = await Promise.all(first.processes.map(async (each) => await Actor.start(each, this.database.url, this.directory)));
    try {
      await this.follow(trace, { state: first, cast });
    } finally {
      await Promise.all(cast.map(async (actor) => await actor[Symbol.asyncDispose]()));
    }
  }

  private async follow(trace: readonly Move[], { state, cast }: { state: State; readonly cast: readonly Actor[] }): Promise<void> {
    for (const [index, move] of trace.entries()) {
      state = after(state, move);
      await this.move(move, cast);
      await this.expectSame(state, cast).catch((error: unknown) => {
        throw new Error(`${trace.slice(0, index + 1).join(', ')}: ${String((error as Error).message)}`, { cause: error });
      });
    }
  }

  private async move(move: Move, cast: readonly Actor[]): Promise<void> {
    const [what, run] = move.split(' ');
    const actor = cast[Number(run) - 1];
    if (actor !== undefined && what !== 'sever') return await this.awake(actor.act(what as 'hear'));
    const severed = actor === undefined ? cast.filter(({ pid }) => pid > 0) : [actor];
    await this.observer.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [severed.map(({ pid }) => pid)]);
    for (const each of severed) await each.settle();
  }

  // Who has not got the lock sleeps until somebody calls, or for up to half a second.
  private async awake(acting: Promise<void>): Promise<void> {
    let isOver = false;
    const acted = acting.finally(() => (isOver = true));
    while (!isOver) {
      await Promise.race([acted, sleep(10)]);
      if (!isOver) await this.observer.query(`notify ${this.channel}`);
    }
    await acted;
  }

  private async expectSame(state: State, cast: readonly Actor[]): Promise<void> {
    const expected = JSON.stringify(shownBy(state));
    let found = '';
    // That a session has ended the server tells a moment later.
    for (const until = performance.now() + 1_000; performance.now() < until;) {
      const [row] = (await this.observer.query<Seen>(seenSql)).rows;
      found = JSON.stringify({ ...row, processes: cast.map((actor) => actor.shown(row as Seen)), sessions: undefined });
      if (found === expected) return;
    }
    throw new Error(`the model shows ${expected}, the database ${found}`);
  }
}

function moduleOf(migration: string): string {
  const mark = (what: number) => `async (knex) => { await knex.raw("insert into effects values ('${migration}', ${what})"); }`;
  return `exports.config = { transaction: ${!isAlone(migration)} };\nexports.up = ${mark(1)};\nexports.down = ${mark(-1)};\n`;
}

const runOf = (text: string): string => `coalesce(substr(${text}, 2)::int, 0)`;
const seenSql = `with owner as (select detail from knex_migrations_journal where kind = 'owner'), lock as (select xmin from knex_migrations_lock where is_locked = 1)
  select (select coalesce(string_agg(substr(name, 3, 1), '' order by id), '') from knex_migrations) as history,
    (select coalesce(json_object_agg(name, n order by name), '{}') from (select name, sum(what) as n from effects group by name having sum(what) <> 0) e) as effects,
    (select coalesce(json_object_agg(substr(migration, 3, 1), json_build_array(detail ->> 'status', detail ->> 'direction', exists (
        select from knex_migrations_journal s where s.kind = 'statement' and s.migration = w.migration and s.id > coalesce((
          select max(id) from knex_migrations_journal d where d.migration = w.migration and d.kind = 'attempt' and d.detail ->> 'status' in ('done', 'undone')), 0)
          and not exists (select from knex_migrations_journal f where f.run = s.run and f.kind = s.kind and f.id >= s.id and f.detail ? 'failed')))), '{}')
     from (select distinct on (migration) migration, detail from knex_migrations_journal where kind = 'attempt' and migration like '2%' order by migration, id desc) w) as journal,
    (select json_build_array(detail ->> 'state', ${runOf(`detail ->> 'application'`)}) from owner) as owner,
    (select coalesce(max(case when xmin::text = (select detail ->> 'flag' from owner) then ${runOf(`(select detail ->> 'application' from owner)`)} else -1 end), 0) from lock) as flag,
    (select coalesce(max(${runOf(`split_part(application_name, '/', 2)`)}), 0) from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and classid = 1701669223 and database = (select oid from pg_database where datname = current_database())) as holder,
    (select coalesce(json_object_agg(application_name, state), '{}') from pg_stat_activity
     where datname = current_database() and application_name ~ '^ensure-migrated/p[0-9]$') as sessions`;

function shownBy({ history, effects, journal, owner, flag, holder, processes }: State): Seen {
  return {
    history,
    effects: Object.fromEntries(
      Object.entries(effects)
        .sort()
        .filter(([, times]) => times !== 0),
    ),
    journal: Object.fromEntries(
      Object.entries(journal).flatMap(([name, { status, way, sent }]) => (status === 'none' ? [] : [[name, [status, way, sent]]])),
    ),
    owner: [owner.state, owner.run],
    flag: flag === 0 || flag === owner.run ? flag : -1,
    holder,
    processes: processes.map(({ client, backend, at, transaction }) => ({ client, backend, at, isOpen: transaction !== '' })),
  };
}

function resetSql({ history }: State): string {
  const rows = [...history].map(
    (each) => `insert into knex_migrations (name, batch) values ('${fileOf(each)}', 1); insert into effects values ('${each}', 1);`,
  );
  const owner = JSON.stringify({
    state: 'clear',
    run: '00000000-0000-0000-0000-000000000000',
    application: 'p0',
    host: 'none',
    pid: 0,
    processId: 0,
    since: '2020-01-01T00:00:00Z',
  });
  return `truncate knex_migrations, knex_migrations_journal, effects; update knex_migrations_lock set is_locked = 0; ${rows.join(' ')}
    insert into knex_migrations_journal (run, kind, detail) values ('00000000-0000-0000-0000-000000000000', 'owner', '${owner}')`;
}
