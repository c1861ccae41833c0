import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { autogenerate, check, upgrade } from '../../src/commands/index.js';
import { ensureMigrated, type Options } from '../../src/index.js';
import { compareSnapshots } from '../../src/schema/index.js';
import { runCli } from '../support/cli.js';
import { makeModelled } from './project.js';

const views = {
  'migrations/03_views.js': `
    export const up = async (knex) => {
      await knex.raw("comment on table patients is 'who\\nis ill'");
      await knex.raw('create view named as select id, name from patients where email is not null');
      await knex.raw('revoke usage on schema public from public');
      await knex.raw("create function one() returns int language plpgsql as $$ begin\\n  return 1;\\nend $$");
    };
    export const down = async (knex) => await knex.raw('drop view named');`,
};

async function makeSnapshotted(files: Readonly<Record<string, string>> = {}) {
  const made = await makeModelled(files);
  const file = path.join(made.directory, 'schema.lock');
  const options: Options = { ...made.options, schema: { files: `${made.directory}/schema.js`, snapshot: file } };
  return { ...made, file, options, alone: { ...options, schema: { snapshot: file } } satisfies Options };
}

const another = `export default async (knex) => {
  await knex.schema.createTable('patients', (t) => { t.bigIncrements(); t.text('name').notNullable(); t.text('email'); t.index('email', 'patients_email'); t.float('risk'); });
};`;

describe('the snapshot', () => {
  test('has each object once, with what belongs to it, and nothing that every database has', async () => {
    const { file, alone } = await makeSnapshotted(views);
    expect(await check(alone)).toMatchObject({
      ok: false,
      compared: ['migrations', 'snapshot'],
      findings: [{ code: 'snapshot-stale', message: 'the snapshot schema.lock is not there', at: { file } }],
    });
    expect(await check(alone, { snapshot: 'write' })).toMatchObject({ ok: true, findings: [] });
    const text = await readFile(file, 'utf8');
    expect(text.replace(/PostgreSQL \d+/, 'PostgreSQL 15').replace(/(view body public.named)(?:\n {4}\| .*)+/, '$1\n    | body')).toBe(
      snapshot,
    );
    expect(await check(alone)).toMatchObject({ ok: true, findings: [] });

    const elsewhere = text.replace(/PostgreSQL \d+/, 'PostgreSQL 99');
    await writeFile(file, elsewhere);
    await check(alone, { snapshot: 'write' });
    expect(await readFile(file, 'utf8')).toBe(elsewhere); // it says the same
  });

  test('is written by revision --autogenerate and by upgrade, from the files alone, and not by a boot or in production', async () => {
    const { directory, database, file, options } = await makeSnapshotted({ 'another.js': another });
    await upgrade(options, { target: { steps: 1 } });
    await expect(readFile(file)).rejects.toThrow('ENOENT'); // nobody has asked for one
    await check(options, { snapshot: 'write' });
    const first = await readFile(file, 'utf8');
    await database.query('create table of_a_developer (id int)');

    await autogenerate(
      { ...options, schema: { files: path.join(directory, 'another.js'), snapshot: file } },
      { message: 'add risk score' },
    );
    const second = await readFile(file, 'utf8');
    expect(compareSnapshots(first, second)).toEqual(['it lacks column public.patients.risk']);

    await writeFile(file, first);
    await ensureMigrated({ ...options, migrations: path.join(directory, 'migrations') });
    expect(await readFile(file, 'utf8')).toBe(first);
    await writeFile(path.join(directory, 'migrations/99_later.js'), `export const up = (knex) => knex.raw('create table later ()');`);
    await upgrade({ ...options, environment: 'production' });
    expect(await readFile(file, 'utf8')).toBe(first);
    expect(await check(options)).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({
          code: 'snapshot-stale',
          message:
            'the snapshot schema.lock is not what the migrations make: it lacks table public.later; it lacks column public.patients.risk',
        }),
      ]) as unknown,
    });
    await writeFile(path.join(directory, 'migrations/99_more.js'), `export const up = (knex) => knex.raw('drop table later');`);
    expect(await upgrade(options)).toMatchObject({ applied: [{ name: '99_more.js' }], findings: expect.any(Array) as unknown });
    expect(await readFile(file, 'utf8')).toBe(second);
  });

  test('that cannot be written does not take back an upgrade', async () => {
    const { database, options, file } = await makeSnapshotted();
    await writeFile(file, '');
    const role = await database.createRole();
    await database.query(`grant all on schema public to "${role.name}"`);
    const { applied, findings } = await upgrade({ ...options, connection: role.url });
    expect(applied).toHaveLength(2);
    expect(findings).toContainEqual(expect.objectContaining({ code: 'snapshot-unwritten', level: 'warn', at: { file } }));
    expect(await readFile(file, 'utf8')).toBe('');
  });

  test('that cannot even be read is a fault of the configuration, and does not take back an upgrade either', async () => {
    const { options, file } = await makeSnapshotted();
    await mkdir(file);
    await expect(check(options)).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    const { applied, findings } = await upgrade(options);
    expect(applied).toHaveLength(2);
    expect(findings).toContainEqual(expect.objectContaining({ code: 'snapshot-unwritten', level: 'warn', at: { file } }));
    await rm(file, { recursive: true });
  });

  test('on the command line', async () => {
    const { directory, database } = await makeSnapshotted({
      'ensure-migrated.config.js': `export default { schema: { files: './schema.js', snapshot: './schema.lock' }, migrations: './migrations' };`,
    });
    const run = async (...flags: string[]) => await runCli(['check', ...flags], { cwd: directory, env: { DATABASE_URL: database.url } });
    expect(await run()).toMatchObject({
      code: 78,
      stdout: expect.stringContaining('Model, migrations and snapshot do not agree.') as string,
    });
    expect(await run('--write-snapshot')).toMatchObject({
      code: 0,
      stdout: 'The snapshot is what the migrations make: commit it with them.\nModel, migrations and snapshot agree.\n',
    });
    expect(await run()).toMatchObject({ code: 0 });
  });
});

describe('what is compared', () => {
  const text = (major: number, ...lines: string[]) => [`-- t\n-- As PostgreSQL ${major} writes it.\n`, ...lines, ''].join('\n');
  const line = 'table public.a';

  test.each([
    ['the same', text(15, line), text(15, line), []],
    [
      'line ends of another system',
      text(15, line, '  comment a', '    | b', '    | c').replaceAll('\n', '\r\n'),
      text(15, line, '  comment a', '    | b', '    | c'),
      [],
    ],
    ['another definition', text(15, `  column a.b = int`), text(15, '  column a.b = text'), ['it has another definition of column a.b']],
    ['a line of a text', text(15, 'view body v', '  | a'), text(15, 'view body v', '  | b'), ['it has another definition of view body v']],
    ['bodies of another server', text(15, 'view body v', '  | a'), text(16, 'view body v', '  | b'), []],
    [
      'a minor or major version that writes alike',
      text(14, line, 'view body v = a'),
      text(15, line, 'view body v = b'),
      ['it has another definition of view body v'],
    ],
    ['a privilege that came with 17', text(16, 'grant a = ALL'), text(18, 'grant a = MAINTAIN'), []],
    ['a conflict of git', text(15, '<<<<<<< HEAD', line), text(15, line), ['it has <<<<<<< HEAD, which is not made']],
    [
      'names that have an equals sign',
      text(15, 'column "a = b"."c" = int', 'column "a = b".d = int'),
      text(15, 'column "a = b"."c" = text', 'column "a = b".d = int'),
      ['it has another definition of column "a = b"."c"'],
    ],
    ['nothing', '', text(15, line), ['it lacks table public.a']],
  ])('%s', (_what, was, is, found) => {
    expect(compareSnapshots(was, is)).toEqual(found);
  });
});

const snapshot = `-- The schema that the migrations make, for review and for git. Written by ensure-migrated: not SQL, and not to be edited.
-- As PostgreSQL 15 writes it.

view public.named
  column public.named.id = bigint
  column public.named.name = text
  view body public.named
    | body

function public.one()
  | CREATE OR REPLACE FUNCTION public.one()
  |  RETURNS integer
  |  LANGUAGE plpgsql
  | AS $function$ begin
  |   return 1;
  | end $function$
  grant function public.one() to PUBLIC = ALL

table public.patients
  column public.patients.email = text
  column public.patients.id = bigint not null default nextval('public.patients_id_seq'::regclass)
  column public.patients.name = text not null
  constraint patients_pkey on public.patients = PRIMARY KEY (id) by CREATE UNIQUE INDEX patients_pkey ON public.patients USING btree (id)
  index patients_email on public.patients = CREATE INDEX patients_email ON public.patients USING btree (email)
  comment table public.patients
    | who
    | is ill
  sequence public.patients_id_seq = as bigint start 1 increment 1 minvalue 1 maxvalue 9223372036854775807 cache 1 owned by public.patients.id

no grant schema public to PUBLIC
`;
