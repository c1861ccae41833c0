import { readdir } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { runCommandLine, type Terminal } from '../../src/cli/program.js';
import { makeModelled } from '../model/project.js';
import { expectPrinted } from '../support/json-schemas.js';

/** Runs a command line in this process, on streams that are no terminal. */
async function run(...args: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await runCommandLine(args, { stdin: new PassThrough(), stdout, stderr } as unknown as Terminal);
  const printed = { code, out: String(stdout.read() ?? ''), error: String(stderr.read() ?? '') };
  if (args.includes('--json')) expectPrinted(args[0] ?? '', printed.out);
  return printed;
}

test('create-all, check, revision --autogenerate and drift, from a model that a flag names', async () => {
  const { database, directory } = await makeModelled({ 'notes.sql': 'create table notes (id int primary key, patient_id bigint);' });
  const place = ['--connection', database.url, '--migrations', `${directory}/migrations`];
  const model = ['--schema', `${directory}/schema.js,${directory}/notes.sql`];
  const checked = await run('check', ...place, ...model);
  expect(checked).toMatchObject({ code: 78 });
  expect(checked.out).toMatch(
    /^Model and migrations do not agree\.\nerror model-differs: .*: table public\.notes is only in the model\n {4}Write the migration/,
  );
  const generated = await run('revision', 'add notes', '--autogenerate', ...place, ...model);
  expect(generated).toMatchObject({ code: 0, out: expect.stringMatching(/^Wrote .*_add_notes\.js\n$/) as string });
  expect(await readdir(`${directory}/migrations`)).toHaveLength(3);
  expect(await run('revision', 'again', '--autogenerate', ...place, ...model)).toMatchObject({
    code: 0,
    out: 'Nothing to write: the migrations make what the model declares.\n',
  });
  expect(await run('create-all', '--stamp', '1', ...place, ...model)).toMatchObject({ code: 78, out: '' });
  const created = await run('create-all', '--stamp', 'head', ...place, ...model);
  expect(created.out).toMatch(/^Made the model in the database ".*"\.\nRecorded: 01_patients\.js, 02_email\.js, .*_add_notes\.js\n$/);
  expect(await run('check', '--json', ...place, ...model)).toMatchObject({ code: 0, out: expect.stringContaining('"ok": true') as string });
  await database.query('alter table notes drop column patient_id');
  expect(await run('drift', ...place)).toEqual({
    code: 78,
    error: '',
    out: `The schema of "${database.name}" is not as it was left.
column public.notes.patient_id is gone (against the last run)
    expected: bigint
    > alter table public.notes add column patient_id bigint;
`,
  });
});
