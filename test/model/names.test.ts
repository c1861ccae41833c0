import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { chooseRenames, type Rename } from '../../src/autogenerate/renames.js';
import { autogenerate } from '../../src/commands/index.js';
import { makeModelled } from './project.js';

// That they lead there and back is what autogenerate proves itself.
test('names that knex would read as paths are made and dropped as they are', async () => {
  const { directory, options } = await makeModelled();
  const file = path.join(directory, 'model.sql');
  const patients = `create table patients (id bigserial primary key, name text not null, email text); create index patients_email on patients (email);`;
  await writeFile(
    file,
    `${patients} create table "a.b" ("f.g" int); create table "c as d" ("*" int, " e " int); create table "Tä ""q""" (i int);`,
  );
  const { migrations } = await autogenerate({ ...options, schema: file }, { message: 'odd names' });
  expect(migrations).toHaveLength(1);
  const text = await readFile(path.join(directory, 'migrations', migrations[0]?.name ?? ''), 'utf8');
  expect(text).toContain(`createTable('Tä "q"'`);
  expect(text).toContain(`knex.raw('DROP TABLE "public"."a.b"')`);
});

const renameTo = (to: string): Rename => ({ kind: 'column', from: 'public.patients.email', to: `public.patients.${to}` });
const possible = [renameTo('mail'), renameTo('post')];

test('a rename that is said twice is one', () => {
  expect(chooseRenames(['patients.email:mail', 'public.patients.email:mail'], possible)).toEqual([renameTo('mail')]);
});

test('one name is not renamed to two', () => {
  expect(() => chooseRenames(['patients.email:mail', 'patients.email:post'], possible)).toThrow(
    expect.objectContaining({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('"patients.email:post" contradicts "patients.email:mail"') as string,
    }),
  );
});
