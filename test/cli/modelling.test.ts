import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { makeModelled } from '../model/project.js';
import { runCliHere } from '../support/cli.js';

const run = async (...args: string[]) => await runCliHere(args);

test('create-all, check, revision --autogenerate and drift, from a model that a flag names', async () => {
  const { database, directory } = await makeModelled({ 'notes.sql': 'create table notes (id int primary key, patient_id bigint);' });
  const place = ['--connection', database.url, '--migrations', `${directory}/migrations`];
  const model = ['--schema', `${directory}/schema.js,${directory}/notes.sql`];
  const checked = await run('check', ...place, ...model);
  expect(checked).toMatchObject({ code: 78 });
  expect(checked.stdout).toMatch(
    /^Model and migrations do not agree\.\nerror model-differs: .*: table public\.notes is only in the model\n {4}Write the migration/,
  );
  const generated = await run('revision', 'add notes', '--autogenerate', ...place, ...model);
  expect(generated).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Wrote .*_add_notes\.js\n$/) as string });
  expect(await readdir(`${directory}/migrations`)).toHaveLength(3);
  expect(await run('revision', '-m', 'again', '--autogenerate', ...place, ...model)).toMatchObject({
    code: 0,
    stdout: 'Nothing to write: the migrations make what the model declares.\n',
  });
  expect(await run('create-all', '--stamp', '1', ...place, ...model)).toMatchObject({ code: 78, stdout: '' });
  const created = await run('create-all', '--stamp', 'head', ...place, ...model);
  expect(created.stdout).toMatch(/^Made the model in the database ".*"\.\nRecorded: 01_patients\.js, 02_email\.js, .*_add_notes\.js\n$/);
  expect(await run('check', '--json', ...place, ...model)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"ok": true') as string,
  });
  await database.query('alter table notes drop column patient_id');
  expect(await run('drift', ...place)).toEqual({
    code: 78,
    stderr: '',
    stdout: `The schema of "${database.name}" is not as it was left.
column public.notes.patient_id is gone (against the last run)
    expected: bigint
    > alter table public.notes add column patient_id bigint;
`,
  });
});
