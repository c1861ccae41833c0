import { describe, expect, test } from 'vitest';
import { runKnex } from '../support/knex-cli.js';
import type { TestDatabase } from '../support/servers.js';
import { makeProject } from './project.js';

/** Everything that the catalog says of knex's two tables. */
async function describeTables({ query }: TestDatabase): Promise<unknown> {
  const tables = `('knex_migrations'::regclass, 'knex_migrations_lock'::regclass)`;
  return {
    tables: await query(
      `select relname, relkind, relpersistence, relreplident, reloptions from pg_class where oid in ${tables} order by 1`,
    ),
    columns: await query(
      `select attrelid::regclass::text as table, attnum, attname, format_type(atttypid, atttypmod) as type, attnotnull, attidentity, attgenerated, attcollation,
              pg_get_expr(adbin, adrelid) as default
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       where attrelid in ${tables} and attnum > 0 order by 1, 2`,
    ),
    constraints: await query(
      `select conrelid::regclass::text as table, conname, pg_get_constraintdef(oid) as definition from pg_constraint where conrelid in ${tables} order by 1, 2`,
    ),
    indexes: await query(
      `select indrelid::regclass::text as table, pg_get_indexdef(indexrelid) as definition, indisprimary, indisunique from pg_index where indrelid in ${tables} order by 1, 2`,
    ),
    sequences: await query(
      `select s.*, pg_get_serial_sequence(t.name, t.id) as of_column from pg_sequences s
       join (values ('knex_migrations', 'id'), ('knex_migrations_lock', 'index')) as t (name, id) on s.sequencename = t.name || '_' || t.id || '_seq' order by sequencename`,
    ),
  };
}

async function relationsOf({ query }: TestDatabase): Promise<string[]> {
  return (await query(`select relname from pg_class where relnamespace = 'public'::regnamespace order by 1`)).map(
    ({ relname }) => relname as string,
  );
}

describe('knex beside us', () => {
  test('after knex has migrated we are in sync in every mode, and make nothing', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.knex().migrate.latest();
    const relations = await relationsOf(project.database);
    expect(await project.endings('apply', 'wait', 'verify')).toEqual({ apply: 'in-sync', wait: 'in-sync', verify: 'in-sync' });
    expect(await relationsOf(project.database)).toEqual(relations);
  });
  test('after we have migrated knex is up to date', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.boot();
    const knex = project.knex();
    expect(await knex.migrate.latest()).toEqual([1, []]);
    expect(await knex.migrate.list()).toEqual([[{ name: '01_a.js' }, { name: '02_b.js' }], []]);
    expect(await knex.migrate.status()).toBe(0);
    expect(await knex.migrate.currentVersion()).toBe('02');
  });
  test('a kind of file that the history does not have yet keeps its name, under which knex looks for it', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write({ '02_b.mjs': 'export async function up() {}\nexport async function down() {}\n' });
    await project.boot();
    const knex = project.knex({ migrations: { directory: project.directory, loadExtensions: ['.js', '.mjs'] } });
    expect(await knex.migrate.list()).toEqual([[{ name: '01_a.js' }, { name: '02_b.mjs' }], []]);
  });
  test('our tables are those that knex makes, to the last column, constraint, index and sequence', async () => {
    const [ours, theirs] = [await makeProject('01_a.js'), await makeProject('01_a.js')];
    await ours.boot();
    await theirs.knex().migrate.latest();
    expect(await describeTables(ours.database)).toEqual(await describeTables(theirs.database));
    const row = `select id, name, batch, pg_typeof(migration_time)::text as type, abs(extract(epoch from now() - migration_time)) < 60 as recent from knex_migrations`;
    expect(await ours.database.query(row)).toEqual(await theirs.database.query(row));
    const lock = 'select * from knex_migrations_lock';
    expect(await ours.database.query(lock)).toEqual(await theirs.database.query(lock));
  });
  test('its command line rolls back our last batch and nothing else, and the next boot applies it again', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js', '03_c.js');
    await project.boot();
    const exit = await runKnex('migrate:rollback', { url: project.database.url, directory: project.directory });
    expect(exit).toMatchObject({ code: 0, stdout: expect.stringContaining('Batch 2 rolled back: 2 migrations') as string });
    expect(await project.history()).toEqual(['01_a.js']);
    expect(await project.boot()).toMatchObject({
      from: '01_a.js',
      applied: [
        { name: '02_b.js', batch: 2 },
        { name: '03_c.js', batch: 2 },
      ],
    });
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c', 'down 03_c', 'down 02_b', '02_b', '03_c']);
  });
  test('20 releases, applied by turns by knex and by us: each migration once, and the other finds it in sync', async () => {
    const project = await makeProject();
    const knex = project.knex();
    const rules = { 'schema-drift': 'error' } as const;
    const names = Array.from({ length: 20 }, (_, index) => `m${String(index + 1).padStart(2, '0')}`);
    for (const [index, name] of names.entries()) {
      await project.write(`${name}.js`);
      if (index % 2 === 0) {
        expect(await knex.migrate.latest()).toEqual([index + 1, [`${name}.js`]]);
        expect(await project.ending({ rules })).toBe('in-sync');
      } else {
        expect(await project.boot({ rules })).toMatchObject({ applied: [{ name: `${name}.js`, batch: index + 1 }], findings: [] });
        expect(await knex.migrate.latest()).toEqual([index + 1, []]);
      }
    }
    expect(await project.ran()).toEqual(names);
    expect(await project.history()).toEqual(names.map((name) => `${name}.js`));
    expect(await project.database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });
});

describe('adoption', () => {
  test('an edit of what knex applied before us is noticed after our first run, and not before', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.knex().migrate.latest();
    await project.write({ '01_a.js': '// edited before anybody took a checksum' });
    expect(await project.ending()).toBe('in-sync');
    await project.write('03_c.js');
    expect(await project.ending()).toBe('migrated');
    expect(await project.ending()).toBe('in-sync');
    await project.write({ '02_b.js': '// edited' });
    expect(await project.ending()).toBe('EM_OUT_OF_SYNC history-edited:error');
    expect((await project.fail()).findings).toMatchObject([{ at: { migration: '02_b.js' } }]);
  });
  test('an edit of what knex applied between two runs of ours is noticed after the second', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js');
    await project.knex().migrate.latest();
    expect(await project.ending()).toBe('in-sync');
    await project.write('03_c.js');
    await project.boot();
    await project.write({ '02_b.js': '// edited' });
    expect(await project.ending()).toBe('EM_OUT_OF_SYNC history-edited:error');
  });
});
