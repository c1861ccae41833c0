import { describe, expect, test } from 'vitest';
import { poll } from '../support/boot.js';
import { makeProject, moduleOf, type Project } from './project.js';

const rules = { 'history-unmanaged': 'off' } as const;

async function waitUntilGateIsWaitedFor({ database }: Project): Promise<void> {
  await poll(
    async () =>
      (await database.query(`select from pg_locks where relation = 'gate'::regclass and mode <> 'AccessShareLock' and not granted`))[0],
  );
}

describe('two services with histories of their own in one database', () => {
  test('do not queue behind each other: one boots to its end while the other migrates', async () => {
    const [slow, quick] = [
      await makeProject({ '01_slow.js': moduleOf('01_slow.js', { sql: ['insert into gate default values'] }) }),
      await makeProject('01_quick.js'),
    ];
    const connection = slow.database.url;
    const of = (project: Project, tableName: string) => ({ connection, rules, migrations: { directory: project.directory, tableName } });
    // Both migrations write into `ran`: made beforehand, so that they do not wait for each other's create table.
    await slow.database.query('create table gate (); create table ran (id int generated always as identity, name text not null)');
    const gate = await slow.database.connect();
    await gate.query('begin; lock table gate');
    const first = slow.boot(of(slow, 'slow_migrations'));
    await waitUntilGateIsWaitedFor(slow);
    expect(await quick.ending(of(quick, 'quick_migrations'))).toBe('migrated');
    expect(await quick.ending(of(quick, 'quick_migrations'))).toBe('in-sync');
    expect(quick.events.filter(({ event }) => event === 'lock.waiting')).toEqual([]);
    await gate.query('rollback');
    expect((await first).status).toBe('migrated');
    expect(await slow.ending(of(slow, 'slow_migrations'))).toBe('in-sync');
    expect(await slow.ran()).toEqual(['01_slow', '01_quick']); // in the order in which they began
  });
  test('boot at the same instant, each in a schema of its own, and both are at head', async () => {
    const projects = [await makeProject('01_a.js', '02_b.js'), await makeProject('01_a.js', '02_b.js')];
    const { database } = projects[0] as Project;
    await database.query('create schema one; create schema two');
    const boots = projects.map(async (project, index) => {
      const connection = { connectionString: database.url, options: `-c search_path=${['one', 'two'][index]}` };
      expect(await project.ending({ connection })).toBe('migrated');
      return await project.ending({ connection });
    });
    expect(await Promise.all(boots)).toEqual(['in-sync', 'in-sync']);
    for (const schema of ['one', 'two']) {
      expect(await database.query(`select name from ${schema}.ran order by id`)).toEqual([{ name: '01_a' }, { name: '02_b' }]);
      expect(await database.query(`select name, batch from ${schema}.knex_migrations order by id`)).toEqual([
        { name: '01_a.js', batch: 1 },
        { name: '02_b.js', batch: 1 },
      ]);
    }
  });
});
