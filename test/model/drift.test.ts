import { describe, expect, test } from 'vitest';
import { drift, upgrade } from '../../src/commands/index.js';
import { linesOf } from '../autogenerate/project.js';
import { makeModelled } from './project.js';
import { expectPrinted } from '../support/json-schemas.js';

const changes = [
  'alter table patients add column stray int',
  'alter table patients alter column name drop not null',
  `alter table patients alter column email type varchar(80), alter column email set default 'none'`,
  'drop index patients_email',
  'alter table patients add constraint named check (name is not null)',
  'create table left_over (id int)',
  'create table tmp_one (id int)',
];

describe('drift', () => {
  test('names each object, what was expected, what is there, and what would mend it; the statements do', async () => {
    const { database, options } = await makeModelled();
    await upgrade(options);
    expect(await drift(options, { replay: true })).toEqual({
      ok: true,
      database: database.name,
      since: expect.any(Date) as Date,
      objects: [],
    });
    const before = await linesOf(database);
    for (const change of changes) await database.query(change);
    const found = await drift(options, { ignore: ['public.tmp_*'] });
    expectPrinted('drift', found);
    expect(found.ok).toBe(false);
    const told = found.objects.map(({ against, identity, expected, actual }) => [against, identity, expected, actual]);
    expect(told).toEqual([
      ['run', 'patients_email on public.patients', 'CREATE INDEX patients_email ON public.patients USING btree (email)', undefined],
      ['run', 'public.patients.stray', undefined, 'integer'],
      ['run', 'named on public.patients', undefined, 'CHECK ((name IS NOT NULL))'],
      ['run', 'public.left_over', undefined, ''],
      ['run', 'public.patients.email', 'text', `character varying(80) default 'none'::character varying`],
      ['run', 'public.patients.name', 'text not null', 'text'],
    ]);
    for (const { mend } of found.objects) await database.query(mend ?? 'no statement');
    await database.query('drop table tmp_one');
    expect(await linesOf(database)).toEqual(before);
    expect(await drift(options)).toMatchObject({ ok: true });
  });

  test('compares with the migrations where no run has stored a shape, when asked', async () => {
    const { database, options } = await makeModelled();
    await upgrade(options);
    await database.query(`delete from knex_migrations_journal where kind = 'schema'; drop index patients_email`);
    expect(await drift(options)).toMatchObject({ ok: true, since: undefined });
    const { ok, objects } = await drift(options, { replay: true });
    expect({ ok, objects }).toMatchObject({
      ok: false,
      objects: [{ against: 'migrations', identity: 'patients_email on public.patients' }],
    });
    await database.query(objects[0]?.mend ?? 'no statement');
    expect(await drift(options, { replay: true })).toMatchObject({ ok: true });
  });
});
