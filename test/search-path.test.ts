import { beforeAll, describe, expect, test } from 'vitest';
import { downgrade, drift, history, lint, plan, preflight, repair, stamp, status, upgrade } from '../src/commands/index.js';
import {
  addCheck,
  addForeignKey,
  addIndexConcurrently,
  backfill,
  dropIndexConcurrently,
  ensureMigrated,
  setNotNull,
  type Options,
} from '../src/index.js';
import type { Knex } from 'knex';
import { makeDirectory } from './support/directories.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

// An operator that has an exact match in a later schema of the search_path is taken before one of pg_catalog that a value has to be cast for, and so is a
// function of an exact type before one of any type (CVE-2018-1058). These take what pg_catalog has no exact match for, and say so when they are called.
const traps = `do $traps$
declare
  kinds text[] := '{"\\"char\\"",name,int2,int4,int8,oid,regclass,regtype,text,varchar,jsonb,float4,xid,int2[],text[]}';
  trap record;
begin
  for trap in
    select row_number() over () as number, op, l, r, case when op in ('+', '-', '*', '/') then 'int8' when op in ('->', '->>', '#>>', '||') then 'text' else 'bool' end as result
    from unnest('{=,<>,<,>,<=,>=,~,!~,~~,||,->,->>,#>>,?,+,-,*,/}'::text[]) op, unnest(kinds) l, unnest(kinds) r
    where not exists (select from pg_operator where oprname = op and oprleft = l::regtype and oprright = r::regtype)
  loop
    execute format('create function public.trap_%s(%s, %s) returns %s language plpgsql as $f$ begin raise exception %L; end $f$',
      trap.number, trap.l, trap.r, trap.result, format('TRAP: (%s) %s (%s)', trap.l, replace(trap.op, '%', '%%'), trap.r));
    execute format('create operator public.%s (leftarg = %s, rightarg = %s, function = public.trap_%s)', trap.op, trap.l, trap.r, trap.number);
  end loop;
  for trap in
    select name, kind from unnest('{unnest,array_agg,string_agg,jsonb_agg,json_agg,count,max,min,to_jsonb,quote_ident,quote_literal,cardinality,array_length,concat,lower,length,round}'::text[]) name,
      unnest(kinds) kind where not exists (select from pg_proc where proname = name and proargtypes::text = kind::regtype::oid::text)
  loop
    execute format('create function public.%I(%s) returns text language plpgsql as $f$ begin raise exception %L; end $f$', trap.name, trap.kind, format('TRAP: %s(%s)', trap.name, trap.kind));
  end loop;
end $traps$`;

const files = {
  '01_patients.sql': 'create table patients (id bigint generated always as identity primary key, name text not null);',
  '02_email.cjs': `exports.up = (knex) => knex.schema.alterTable('patients', (t) => { t.text('email'); });
    exports.down = (knex) => knex.schema.alterTable('patients', (t) => { t.dropColumn('email'); });`,
  '03_index.cjs': `exports.config = { transaction: false };
    exports.up = (knex) => knex.raw('create index concurrently patients_email on patients (email)');
    exports.down = (knex) => knex.raw('drop index concurrently patients_email');`,
};

describe('operators and functions that somebody has made in a schema of the search_path', () => {
  let database: TestDatabase;
  let options: Options;

  beforeAll(async () => {
    database = await createDatabase();
    await database.query(traps);
    options = { connection: database.url, migrations: await makeDirectory(files), logger: false, rules: { 'history-unmanaged': 'off' } };
  });

  test('are there, and would be called', async () => {
    await expect(database.query(`select from pg_class where oid >= 16384`)).rejects.toThrow('TRAP: (oid) >= (int4)');
    await expect(database.query(`select unnest('{a}'::text[])`)).rejects.toThrow('TRAP: unnest(text[])');
  });

  test('are called by no boot', async () => {
    const rules = { ...options.rules, 'schema-drift': 'error' } as const;
    expect(await ensureMigrated({ ...options, rules })).toMatchObject({ status: 'migrated' });
    expect(await ensureMigrated({ ...options, rules })).toMatchObject({ status: 'in-sync' });
    await database.query('truncate patients');
    expect(await ensureMigrated({ ...options, rules })).toMatchObject({ status: 'in-sync' });
    await database.query('alter table patients add hotfix int');
    await expect(ensureMigrated({ ...options, rules })).rejects.toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      message: expect.stringContaining('column public.patients.hotfix was added') as string,
    });
    await database.query('alter table patients drop hotfix');
  });

  test('are called by no verb that looks', async () => {
    expect(await status(options)).toMatchObject({ inSync: true });
    expect(await drift(options)).toMatchObject({ ok: true });
    expect(await history(options)).toHaveLength(3);
    expect(await preflight(options)).toMatchObject({ ok: true });
    await expect(lint(options)).resolves.toBeDefined();
  });

  test('are called by no verb that migrates', async () => {
    expect(await downgrade(options, { target: { steps: 2 }, yes: true })).toMatchObject({ to: '01_patients.sql' });
    expect(await preflight(options)).toMatchObject({ ok: true });
    await expect(plan(options)).resolves.toMatchObject({ steps: [{}, {}] });
    expect(await upgrade(options)).toMatchObject({ to: '03_index.cjs' });
    expect(await stamp(options, { target: { to: '02_email' }, force: true, reason: 'a test' })).toBeDefined();
    expect(await stamp(options, { target: 'head' })).toBeDefined();
    expect(await repair(options, { action: 'lock', reason: 'a test', yes: true })).toBeDefined();
  });

  test('are called by no safe step, and by no backfill', async () => {
    const outside = { config: { transaction: false } } as const;
    const modules = {
      '01_tables.js': {
        up: async (knex: Knex) => {
          await knex.raw('create table a (id bigint primary key, v int); create table b (id bigint primary key, a bigint)');
        },
      },
      '02_index.js': {
        ...outside,
        up: async (knex: Knex) => await addIndexConcurrently(knex, { table: 'b', name: 'b_a', columns: ['a'] }),
      },
      '03_key.js': {
        ...outside,
        up: async (knex: Knex) =>
          await addForeignKey(knex, { table: 'b', name: 'b_to_a', columns: ['a'], references: { table: 'a', columns: ['id'] } }),
      },
      '04_check.js': {
        ...outside,
        up: async (knex: Knex) => await addCheck(knex, { table: 'a', name: 'a_v', expression: 'v is null or v = v' }),
      },
      '05_null.js': { ...outside, up: async (knex: Knex) => await setNotNull(knex, { table: 'b', column: 'a' }) },
      '06_index.js': { ...outside, up: async (knex: Knex) => await dropIndexConcurrently(knex, { table: 'b', name: 'b_a' }) },
      '07_fill.js': {
        backfills: { fill: { table: 'a', set: 'v = 1', where: 'v is null' } },
        up: async (knex: Knex) => await backfill.enqueue(knex, 'fill'),
      },
    };
    const others: Options = { ...options, migrations: { modules, tableName: 'others' } };
    expect(await upgrade(others, { target: { to: '01_tables' } })).toMatchObject({ status: 'migrated' });
    await database.query('insert into a (id) values (1), (2), (3)');
    expect(await ensureMigrated({ ...others, backfills: 'blocking' })).toMatchObject({ status: 'migrated' });
    expect(await database.query('select from a where v is null')).toEqual([]);
  });

  test('are called for no tenant', async () => {
    await database.query('create schema acme; create schema apex');
    const migrations = await makeDirectory({ '01_notes.sql': 'create table notes (id int primary key);' });
    const tenants: Options = { connection: database.url, migrations, logger: false, tenants: { schemas: ['acme', 'apex'] } };
    expect(await ensureMigrated(tenants)).toMatchObject({ status: 'migrated' });
    expect(await ensureMigrated(tenants)).toMatchObject({ status: 'in-sync' });
  });
});
