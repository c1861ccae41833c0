import { describe, expect, test } from 'vitest';
import { check, upgrade } from '../../src/commands/index.js';
import { makeDirectory } from '../support/directories.js';
import { makeModelled, migrations, model, relationsOf } from './project.js';

const codesOf = (findings: readonly { code: string; message: string }[]) =>
  findings.map(({ code, message }) => [code, message.replace(/^[^:]+: /, '')]);

describe('check', () => {
  test('tells the corner of the triangle that stands alone, for each object', async () => {
    const { database, options } = await makeModelled({
      'schema.js': model.replace(`t.text('email');`, `t.text('email'); t.float('risk'); t.text('twice'); t.text('three').defaultTo('m');`),
    });
    await upgrade(options);
    await database.query(`alter table patients add column twice text, add column three text default 'd', add column stray int`);
    await database.query('alter table patients alter column name drop not null');
    const checked = await check(options);
    expect(checked).toMatchObject({ ok: false, database: database.name, pending: [] });
    expect(codesOf(checked.findings)).toEqual([
      ['model-differs', 'column public.patients.risk is only in the model'],
      ['corners-differ', 'column public.patients.three is only in the model'],
      ['migrations-differ', 'column public.patients.twice is only in model and database'],
      ['database-differs', 'column public.patients.stray is only in the database'],
      ['database-differs', 'column public.patients.name was changed: was `text not null`, is `text`'],
    ]);
    expect((await check(options)).findings).toEqual(checked.findings);
    expect(await check({ ...options, schema: { files: options.schema as string, exclude: ['public.patients'] } })).toMatchObject({
      ok: true,
    });
  });

  test('holds a database that is behind against the migrations that it has, and none without a history', async () => {
    const { database, options } = await makeModelled();
    expect(await check(options)).toEqual({ ok: true, findings: [], compared: ['model', 'migrations'], database: undefined, pending: [] });
    expect(await relationsOf(database)).toEqual([]);
    await upgrade(options, { target: { to: '01' } });
    expect(await check(options)).toEqual({
      ok: true,
      findings: [],
      compared: ['model', 'migrations', 'database'],
      database: database.name,
      pending: ['02_email.js'],
    });
    await database.query('drop index if exists patients_email; alter table patients drop column name');
    expect(codesOf((await check(options)).findings)).toEqual([
      ['database-differs', 'column public.patients.name is missing in the database'],
    ]);
  });

  test('needs no server: both sides are built on the embedded one', async () => {
    const directory = await makeDirectory({ 'package.json': '{ "type": "module" }', 'schema.js': model, ...migrations });
    const [PGHOST, DATABASE_URL] = [process.env['PGHOST'], process.env['DATABASE_URL']];
    delete process.env['PGHOST'];
    delete process.env['DATABASE_URL'];
    try {
      const options = { migrations: `${directory}/migrations`, schema: `${directory}/schema.js`, logger: false as const };
      expect(await check(options)).toEqual({ ok: true, findings: [], compared: ['model', 'migrations'], database: undefined, pending: [] });
      const other = { ...options, connection: 'postgres://localhost:1/nowhere', schema: await makeSql() };
      expect(await check(other, { embedded: true })).toMatchObject({ ok: false, findings: { length: 4 }, database: undefined });
    } finally {
      if (PGHOST !== undefined) process.env['PGHOST'] = PGHOST;
      if (DATABASE_URL !== undefined) process.env['DATABASE_URL'] = DATABASE_URL;
    }
  });

  test('says which of the two does not run', async () => {
    const { options, directory } = await makeModelled({
      'bad.sql': 'nonsense;',
      'migrations/03_bad.js': 'export const up = (knex) => knex.raw("nonsense");',
    });
    await expect(check(options)).rejects.toMatchObject({ code: 'EM_REPLAY_FAILED' });
    await expect(check({ ...options, migrations: `${directory}/none`, schema: `${directory}/bad.sql` })).rejects.toMatchObject({
      code: 'EM_MODEL_INVALID',
    });
  });
});

async function makeSql(): Promise<string> {
  return `${await makeDirectory({ 'schema.sql': 'create table patients (id bigserial primary key); create table more ();' })}/schema.sql`;
}
