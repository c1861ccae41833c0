import { readdir, readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { judgeConversions } from '../../src/autogenerate/conversions.js';
import type { Rename } from '../../src/autogenerate/index.js';
import { chooseRenames } from '../../src/autogenerate/renames.js';
import { autogenerate, downgrade, upgrade } from '../../src/commands/index.js';
import { ensureMigrated } from '../../src/index.js';
import type { Line } from '../../src/schema/index.js';
import { poll } from '../support/boot.js';
import { makeInstalled } from '../support/directories.js';
import { runCode, startCode } from '../support/process.js';
import { linesOf, makeProject } from './project.js';

const filesIn = async (directory: string) => (await readdir(`${directory}/migrations`)).filter((name) => !name.includes('_start')).sort();
const textsOf = async (files: readonly string[]) => await Promise.all(files.map(async (file) => await readFile(file, 'utf8')));
const failing = async (work: Promise<unknown>) => (await work.catch((error: unknown) => error)) as Error;

describe('a drop with an add of the same shape', () => {
  const before = `create table patients (id bigserial primary key, email text, n int); create index patients_email on patients (email);`;
  const after = `create table clients (id bigserial primary key, email text, n int); create index clients_email on clients (email);`;
  const columns = before.replaceAll('email', 'mail').replace('patients_mail', 'patients_email');

  test('is a rename where a person says so: nothing is lost, also of what bears the name', async () => {
    const { database, options } = await makeProject(before, after);
    await upgrade(options);
    await database.query(`insert into patients (email) values ('a@b')`);
    const asked: unknown[] = [];
    const { migrations } = await autogenerate(options, {
      message: 'Call patients clients',
      extension: 'js',
      confirmRename: async (rename) => asked.push(rename) > 0,
    });
    expect(asked).toEqual([{ kind: 'table', from: 'public.patients', to: 'public.clients' }]);
    expect((await textsOf(migrations[0]?.files ?? [])).join()).toContain("await knex.schema.renameTable('patients', 'clients');");
    await upgrade(options);
    expect(await database.query('insert into clients (email) values ($1) returning id', ['c'])).toEqual([{ id: '2' }]);
    await downgrade(options, { target: { steps: 1 }, yes: true });
    expect(await database.query('select email from patients order by id')).toEqual([{ email: 'a@b' }, { email: 'c' }]);
  });

  test('is decided by words, and never guessed: else it is data loss, as is a type that rounds, and has to be allowed', async () => {
    const more = (n: string, c: string) => `create table rounded (n ${n}); create table cut (c ${c});`;
    const { database, directory, options } = await makeProject(
      before + more('numeric(10,2)', 'varchar(80)'),
      columns + more('int', 'varchar(5)'),
    );
    await upgrade(options);
    await database.query(`insert into patients (email) values ('a@b')`);
    await database.query(`insert into cut values ('longer than five')`);
    const refused = await failing(autogenerate(options, { message: 'Call email mail', renames: ['patients.email:mail'] }));
    expect(refused).toMatchObject({ code: 'EM_PLAN_REFUSED' });
    expect(refused.message).toMatch(/destroy what is stored there:\n[^\n]*USING "n"::integer\n {2}[^\n]*give --allow-data-loss/);
    expect(await filesIn(directory)).toEqual([]);
    const { migrations } = await autogenerate(options, {
      message: 'Call email mail',
      extension: 'sql',
      renames: ['patients.email:mail'],
      allowDataLoss: true,
    });
    const texts = (await textsOf(migrations.flatMap(({ files }) => files.filter((file) => file.endsWith('.up.sql'))))).join();
    expect(texts).toContain(
      '-- lint: rename-column: "patients"."email" becomes "mail": code that still uses the old name fails\n\nALTER TABLE public.patients RENAME COLUMN email TO mail;\n',
    );
    expect(texts).toMatch(
      /-- Data loss: what is stored there is gone for good\.\nALTER TABLE "public"\."rounded" ALTER COLUMN "n" TYPE integer/,
    );
    expect(texts).toContain('ALTER TABLE "public"."cut" ALTER COLUMN "c" TYPE character varying(5);'); // no cast, which would cut in silence
    await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await database.query('select c from cut')).toEqual([{ c: 'longer than five' }]);
  });

  test('is asked once for a new name that two may have had, and what was not it is lost', async () => {
    const { directory, options } = await makeProject('create table p (email text, phone text);', 'create table p (mail text);');
    const asked: Rename[] = [];
    const confirmRename = async (rename: Rename) => asked.push(rename) > 0;
    const unasked = await failing(autogenerate(options, { message: 'Mail' }));
    expect(unasked.message).toContain('--rename those that are true of public.p.email:mail,public.p.phone:mail. ');
    const refused = await failing(autogenerate(options, { message: 'Mail', confirmRename }));
    expect(asked).toEqual([{ kind: 'column', from: 'public.p.email', to: 'public.p.mail' }]);
    expect(refused.message).toMatch(/DROP COLUMN "phone"\n {2}Where it is meant, give --allow-data-loss/);
    expect(await filesIn(directory)).toEqual([]);
  });

  test('loses something where a cast cuts or rounds without a word, also one to a domain, and nothing where it fails instead', () => {
    const line = (kind: Line['kind'], identity: string, definition: string) =>
      ({ kind, identity, definition, parent: null }) as unknown as Line;
    const domains = [line('domain', 'public.short', 'character varying(3) not null'), line('domain', 'public.shorter', 'public.short')];
    const judged = (from: string, to: string) => {
      const sql = `ALTER TABLE "public"."t" ALTER COLUMN "c" TYPE ${to} USING "c"::${to}`;
      const change = { sql, makes: [], destroys: [], needs: [], outside: false, commits: false, loses: false };
      return judgeConversions([change], [line('column', 'public.t.c', from), ...domains])[0]?.loses;
    };
    const cutting = [
      'character(3)',
      'bit(3)',
      'name',
      'numeric(5,1)',
      'real',
      'date',
      'timestamp(0) without time zone',
      'public.short',
      'public.shorter',
    ];
    expect(cutting.filter((to) => !judged('text', to))).toEqual([]);
    expect(judged('numeric(10,2)', 'numeric(3,-2)')).toBe(true);
    const failing = ['integer', 'numeric', 'uuid', 'jsonb', 'boolean', 'inet', 'text'];
    expect(failing.filter((to) => judged('character varying(20)', to))).toEqual([]);
  });

  test('is refused without a word, with the words that would rename; words that fit nothing as well', async () => {
    const { directory, options } = await makeProject(before, columns);
    const refused = await failing(autogenerate(options, { message: 'Mail' }));
    expect(refused.message).toMatch(/DROP COLUMN "email"\n.*--rename public\.patients\.email:mail\. .*--allow-data-loss/);
    expect(await filesIn(directory)).toEqual([]);
    const possible: Rename[] = [{ kind: 'column', from: 'public.patients.email', to: 'public.patients.mail' }];
    expect(() => chooseRenames(['patients.n:mail'], possible)).toThrow(
      /^"patients\.n:mail" names no rename\n {2}Give what .* same shape: public\.patients\.email:mail\. /,
    );
  });
});

describe('what is generated', () => {
  test('locks one table in a migration, and none for as long as rows are read: NOT NULL rests on a check, a key on its index', async () => {
    const { database, options } = await makeProject(
      'create table o (id int); create table t (id int, a int, b text);',
      `create table o (id int primary key, c text); create table t (id int check (id > 0), a int not null references o, b text unique);
       create index t_a on t (a);`,
    );
    await upgrade(options);
    await database.query(`insert into o values (1); insert into t values (1, 1, 'x')`);
    const before = await linesOf(database);
    const { migrations, findings } = await autogenerate(options, { message: 'Tighten t and o', extension: 'sql' });
    expect(findings.filter(({ level }) => level !== 'info')).toEqual([]);
    expect(migrations.map(({ name }) => name.replace(/^\d+_tighten_t_and_o_?/, '').replace('.up.sql', ''))).toEqual([
      '',
      'change_t',
      'build_o_pkey',
      'build_t_b_key',
      'build_t_a',
      'validate_id_is_not_null',
      'validate_a_is_not_null',
      'set_id_not_null',
      'set_a_not_null',
      'change_o',
      'change_t_o',
      'validate_t_a_fkey',
      'validate_t_id_check',
    ]);
    const texts = await textsOf(migrations.flatMap(({ files }) => files.filter((file) => file.endsWith('.up.sql'))));
    expect(texts[1]).toContain('CHECK ((id > 0)) NOT VALID;');
    expect(texts[4]).toBe(
      '-- revision: Tighten t and o: build t_a\n-- transaction: false\n\nCREATE INDEX CONCURRENTLY t_a ON public.t USING btree (a);\n',
    );
    expect(texts[10]).toContain('REFERENCES public.o(id) NOT VALID;');
    expect(texts[12]).toContain('VALIDATE CONSTRAINT');
    await upgrade(options);
    await downgrade(options, { target: { steps: migrations.length }, yes: true });
    expect(await linesOf(database)).toEqual(before);
    expect(await database.query('select * from t')).toEqual([{ id: 1, a: 1, b: 'x' }]);
  });

  test('says what no empty database shows: a new column that is NOT NULL has to be filled, and fails before until it is', async () => {
    const { database, options } = await makeProject('create table t (id int);', 'create table t (id int, c int not null);');
    await upgrade(options);
    await database.query('insert into t values (1)');
    const { migrations, findings } = await autogenerate(options, { message: 'Add c to t', extension: 'sql' });
    const validate = migrations[1]?.files[0] ?? '';
    expect(findings.filter(({ level }) => level !== 'info')).toMatchObject([{ code: 'autogenerate-fill', at: { file: validate } }]);
    expect((await textsOf([validate])).join()).toContain(
      '-- Fill public.t.c first, in batches: this fails as long as a row has no value.\nALTER TABLE "public"."t" VALIDATE CONSTRAINT "c_is_not_null";',
    );
    await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await database.query('select * from t')).toEqual([{ id: 1, c: null }]);
    await database.query('update t set c = 2');
    await upgrade(options);
    await expect(database.query('insert into t (id) values (2)')).rejects.toMatchObject({ code: '23502' });
  });

  test('lets a counter that a column gets late go on where its rows end, in both directions, and the lint has nothing against it', async () => {
    const tables = (a: string, b: string, c: string, shared = '') =>
      [
        `create table a (id ${a} primary key)`,
        `create table b (id ${b} primary key)`,
        `create table c (id int primary key, n ${c})`,
        ...['d', 'e'].map((name) => `create table ${name} (id bigint primary key ${shared})`),
      ].join(';\n');
    const identity = (start: number) => `bigint generated by default as identity (start with ${start})`;
    const { database, options } = await makeProject(
      tables('bigserial', 'bigint', 'int not null'),
      `create sequence ids;\n${tables(identity(1), identity(100), 'int not null generated always as identity (increment by -1)', `default nextval('ids')`)}`,
    );
    await upgrade(options);
    await database.query('insert into a select from generate_series(1, 5); insert into b values (7); insert into c values (1, 8)');
    await database.query('insert into d values (1000); insert into e values (5)'); // which will take from one sequence
    const { migrations, findings } = await autogenerate(options, { message: 'Count', extension: 'js' });
    expect(findings.filter(({ level }) => level !== 'info')).toEqual([]);
    const next = async (...names: string[]) =>
      (await Promise.all(names.map(async (name) => await database.query(`insert into ${name} default values returning id`)))).flat();
    await upgrade(options);
    expect(await next('a', 'b')).toEqual([{ id: '6' }, { id: '100' }]); // a start beyond the rows is kept
    expect(await next('e')).toEqual([{ id: '1001' }]);
    await downgrade(options, { target: { steps: migrations.length }, yes: true });
    expect(await next('a')).toEqual([{ id: '7' }]);
  });

  test('counts each table that is there as large, and tells its size where it is so in the database that is named', async () => {
    const { database, options } = await makeProject(
      'create table t (c int); create table u (c int);',
      'create table t (c bigint); create table u (c bigint);',
    );
    await upgrade(options);
    await database.query('insert into t select generate_series(1, 20000)');
    await database.query('analyze t');
    const { migrations, findings } = await autogenerate(options, { message: 'Widen c of t and u', extension: 'sql' });
    const [large, unknown] = await textsOf(migrations.flatMap(({ files: [up = ''] }) => up));
    expect(large).toMatch(/-- lint: alter-type-rewrite: the new type of "c" writes all of "t" \(7\d\d kB, about 20,000 rows\) anew/);
    expect(unknown).toContain('-- lint: alter-type-rewrite: the new type of "c" writes all of "u" anew under ACCESS EXCLUSIVE');
    const lineOf = (text = '') => text.split('\n').findIndex((line) => line.includes('TYPE bigint')) + 1;
    expect(findings).toMatchObject([
      { code: 'alter-type-rewrite', at: { migration: migrations[0]?.name, line: lineOf(large) } },
      { code: 'alter-type-rewrite', at: { migration: migrations[1]?.name, line: lineOf(unknown) } },
    ]);
  });

  test('is refused as well where it could not be taken back to what was there', async () => {
    const stored = 'create table t (c text); alter table t alter column c set storage external; create table kept (id int);';
    const { directory, options } = await makeProject(stored, 'create table kept (id int);');
    const refused = await failing(autogenerate(options, { message: 'Drop t', allowDataLoss: true }));
    expect(refused).toMatchObject({ code: 'EM_DIFF_INCOMPLETE', findings: [{ code: 'autogenerate-down' }] });
    expect(refused.message).toContain('column public.t.c was changed: was `text storage external`, is `text`');
    expect(await filesIn(directory)).toEqual([]);
  });

  test('has the form of the project: CommonJS, TypeScript', async () => {
    const { options, directory } = await makeProject('', `create table t (id int default 3, "A b" text default 'x''?');`, {
      'package.json': '{}',
    });
    const [common] = (await autogenerate(options, { message: 'Make t', extension: 'js' })).migrations;
    expect((await textsOf(common?.files ?? [])).join()).toMatch(
      /^\/\/ Make t\n[^]+exports\.up = async function up\(knex\) \{\n {2}await knex\.raw\('CREATE TABLE "public"\."t" \(.*DEFAULT \\'x\\'\\'\\\\\?\\'::text\)'\);\n\}/,
    );
    const schema = `${directory}/more.sql`;
    await writeFile(schema, `create table t (id int default 3, "A b" text default 'x''?'); create table u (id int);`);
    const [typed] = (await autogenerate({ ...options, schema }, { message: 'Make u', extension: 'ts' })).migrations;
    expect((await textsOf(typed?.files ?? [])).join()).toMatch(
      /^\/\/ Make u\n\nimport type \{ Knex \} from 'knex';\n\nexport async function up\(knex: Knex\): Promise<void> \{\n {2}await knex\.schema\.createTable\('u', \(table\) => \{\n {4}table\.integer\('id'\);/,
    );
    expect(await filesIn(directory)).toHaveLength(2);
  });

  test('leaves alone what the model is not about', async () => {
    const { options } = await makeProject(
      'create schema b; create table b.t (id int);',
      'create schema a; create table a.t (id int); create table a.u (id int);',
    );
    const schema = { files: options.schema as string, include: ['a'], exclude: ['a.u'] };
    const { migrations } = await autogenerate({ ...options, schema }, { message: 'Make a', extension: 'sql' });
    expect(await textsOf((migrations[0]?.files ?? []).slice(0, 1))).toEqual([
      '-- revision: Make a\n\nCREATE SCHEMA "a";\n\nCREATE TABLE "a"."t" ("id" integer);\n',
    ]);
  });

  test('killed while it proves its files it leaves no migration: a boot does not see them, nor does the next call', async () => {
    const { directory, options } = await makeProject('', 'create table t (id int);');
    await upgrade(options);
    const code = `import { autogenerate } from 'ensure-migrated/commands';
      await autogenerate(${JSON.stringify(options)}, { message: 'Make t' });`;
    const script = startCode(code);
    const inAll = async () => await readdir(`${directory}/migrations`, { recursive: true });
    await poll(async () => (await inAll()).find((name) => /^\.unproved-\w+.\d+_make_t\.up\.sql$/.test(name)));
    expect(await script.kill()).toMatchObject({ signal: 'SIGKILL' });
    expect(await filesIn(directory)).toEqual([expect.stringMatching(/^\.unproved-/)]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync' });
    const { migrations } = await autogenerate(options, { message: 'Make t' });
    expect(migrations.map(({ name }) => name)).toEqual([expect.stringMatching(/^\d+_make_t\.up\.sql$/)]);
    expect(await upgrade(options)).toMatchObject({ applied: [{ name: migrations[0]?.name }] });
  });

  test('needs the package that compares: without it there is one error, with the line that installs it', async () => {
    const { options } = await makeProject('', 'create table t (id int);');
    const hook = `export const resolve = async (name, context, next) => { if (name.startsWith('@supabase/')) throw new Error('Cannot find package'); return next(name, context); };`;
    const code = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}));
      const { autogenerate, check } = await import('ensure-migrated/commands');
      const options = ${JSON.stringify(options)};
      console.log((await check(options)).ok);
      await autogenerate(options, { message: 'Make t' }).catch(({ code, remedy }) => console.log(JSON.stringify([code, remedy])));`;
    const { stdout, stderr } = await runCode(code, { cwd: await makeInstalled() });
    expect(stderr).toBe('');
    const [agrees, refused = ''] = stdout.split('\n');
    expect([agrees, JSON.parse(refused)]).toEqual([
      'false',
      ['EM_DIFFER_MISSING', 'Install it: npm install --save-dev @supabase/pg-delta@1.0.0-alpha.34'],
    ]);
  });
});
