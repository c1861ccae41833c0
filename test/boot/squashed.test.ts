import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { current, downgrade, history, stamp, status, upgrade } from '../../src/commands/index.js';
import { isMigrationError, type MigrationError, type Options } from '../../src/index.js';
import { renderReplaced } from '../../src/source/index.js';
import { startBoot } from '../support/boot.js';
import { startProxy } from '../support/proxy.js';
import { makeProject, moduleOf, type Project } from './project.js';

const old = ['01_a.js', '02_b.js', '03_c.js'] as const;
const squash = '03_c_squash.sql';
const later = '04_d.js';
const modes = ['verify', 'wait', 'apply'] as const;

/** What stands for these files; it writes its own name into `ran`. */
function squashOf(files: readonly string[], texts: Readonly<Record<string, string>> = {}): Record<string, string> {
  const lines = files.map((name) => {
    const checksum = `js:${createHash('sha256')
      .update(texts[name] ?? moduleOf(name))
      .digest('hex')}`;
    return renderReplaced({ name, id: name, checksum, standsFor: name.includes('squash') ? 'all above' : 'itself' });
  });
  const tables = files.map((name) => `create table "t_${name.replace('.js', '')}" (id int);`);
  const ran = `create table ran (id int generated always as identity, name text not null);\ninsert into ran (name) values ('squash');`;
  return { [squash]: ['-- breaking: true', ...lines, ran, ...tables, ''].join('\n') };
}

/** The release before, which has run so far as `count` says; then the squash comes beside the old files, or in their place. */
async function released(count: number, files: 'beside' | 'in place'): Promise<Project> {
  const project = await makeProject(...old.slice(0, count));
  if (count > 0) await project.boot();
  await project.write(...old.slice(count), squashOf(old), later);
  if (files === 'in place') await project.remove(...old);
  return project;
}

/** The release before, on the same database. */
async function releaseBefore(project: Project): Promise<Options> {
  const { directory } = await makeProject(...old, later);
  return { connection: project.database.url, migrations: directory };
}

function optionsOf({ database, directory }: Project): Options {
  return { connection: database.url, migrations: directory, logger: false };
}

async function failureOf(work: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

describe.each(['beside', 'in place'] as const)('a squash %s the old files', (files) => {
  test('runs in their place in a fresh database, and they never do', async () => {
    const project = await released(0, files);
    await expect(project.boot()).resolves.toMatchObject({ status: 'migrated', applied: [{ name: squash }, { name: later }] });
    expect(await project.ran()).toEqual(['squash', '04_d']);
    expect(await project.history()).toEqual([squash, later]);
    expect(await project.endings(...modes)).toEqual({ verify: 'in-sync', wait: 'in-sync', apply: 'in-sync' });
  });
  test('counts as applied where all of them have run, in one round trip, and nothing is written', async () => {
    const project = await released(3, files);
    await project.remove(later);
    const before = await project.contents();
    const proxy = await startProxy(project.database.url);
    for (const mode of modes) {
      proxy.reset();
      const boot = await project.boot({ mode, connection: proxy.urlOf(project.database.url) });
      expect(boot).toMatchObject({ status: 'in-sync', to: '03_c.js', findings: [] });
      expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 1 });
    }
    expect(await project.contents()).toEqual(before);
    await project.write(later);
    expect(await project.ending()).toBe('migrated');
    expect(await project.history()).toEqual([...old, later]);
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c', '04_d']);
  });
  test('and the release before boot in turns on a database that has all of them', async () => {
    const project = await released(3, files);
    const before = await releaseBefore(project);
    expect(await project.ending(before)).toBe('migrated');
    expect(await project.endings('apply', 'verify')).toEqual({ apply: 'in-sync', verify: 'in-sync' });
    expect(await project.ending(before)).toBe('in-sync');
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c', '04_d']);
  });
});

describe('a database in the middle', () => {
  test('runs the rest of the old files where they are there', async () => {
    const project = await released(1, 'beside');
    expect(await upgrade(optionsOf(project), { target: { to: squash } })).toMatchObject({
      applied: [{ name: '02_b.js' }, { name: '03_c.js' }],
    });
    expect(await project.ending()).toBe('migrated');
    expect(await project.history()).toEqual([...old, later]);
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c', '04_d']);
    expect(await project.ending()).toBe('in-sync');
  });
  test('is refused in every mode where they are gone, and stays as it is', async () => {
    const project = await released(1, 'in place');
    const before = await project.contents();
    for (const mode of modes) {
      const error = await project.fail({ mode });
      expect(error.code).toBe('EM_OUT_OF_SYNC');
      expect(error.findings).toContainEqual(
        expect.objectContaining({
          code: 'history-half-squashed',
          message: 'squashed before this database had them all: 02_b.js, 03_c.js',
          remedy: expect.stringContaining('the last release that has these files') as string,
        }),
      );
    }
    expect(await status(optionsOf(project))).toMatchObject({
      inSync: false,
      halfSquashed: ['02_b.js', '03_c.js'],
      missing: [],
      pending: [later],
    });
    expect(await project.contents()).toEqual(before);
    expect(await project.ran()).toEqual(['01_a']);
  });
});

describe('the release before, on a database that the squash has made', () => {
  test.each([
    ['where newer migrations ran after it', true, 'EM_OUT_OF_SYNC history-missing:error history-out-of-order:warn'],
    ['where it is the newest', false, 'EM_OUT_OF_SYNC history-ahead:error history-out-of-order:warn'],
  ])('is refused, %s, and runs nothing', async (_where, withLater, ending) => {
    const project = await makeProject(squashOf(old), ...(withLater ? [later] : []));
    await project.boot();
    const [before, { directory }] = [await project.contents(), await makeProject(...old, ...(withLater ? [later] : []))];
    expect(await project.ending({ migrations: directory })).toBe(ending);
    expect(await project.contents()).toEqual(before);
  });
});

describe('a squash that is being applied', () => {
  test('by three processes at once runs once', async () => {
    const project = await released(0, 'beside');
    const booting = { connection: project.database.url, directory: project.directory };
    const boots = [1, 2, 3].map(() => startBoot(booting));
    const outcomes = await Promise.all(boots.map(async (boot) => (await boot.waitForEvent('service.ready')).outcome));
    expect(outcomes.map((outcome) => (outcome as { status: string }).status).sort()).toEqual(['in-sync', 'in-sync', 'migrated']);
    expect(await project.ran()).toEqual(['squash', '04_d']);
  });
  test('by a process that is killed before it is recorded is run by the next boot', async () => {
    const project = await released(0, 'in place');
    const killAt = { event: 'step.started', migration: squash };
    await startBoot({ connection: project.database.url, directory: project.directory, killAt }).ended;
    expect(await project.history()).toEqual([]);
    expect(await project.ending()).toBe('migrated');
    expect(await project.ran()).toEqual(['squash', '04_d']);
    expect(await project.ending()).toBe('in-sync');
  });
});

describe('knex itself beside a squash', () => {
  test('misses the files that are gone, unless it is told not to ask for them', async () => {
    const project = await released(3, 'in place');
    await expect(project.knex().migrate.latest()).rejects.toThrow('The migration directory is corrupt');
    await project.knex({ migrations: { disableMigrationsListValidation: true } }).migrate.latest();
    expect(await project.history()).toEqual([...old, later]);
    expect(await project.ending()).toBe('in-sync');
  });
});

describe('a squash of other texts than those that have run', () => {
  test('is an edit of what it replaces, although those files are gone', async () => {
    const project = await makeProject('01_a.js', { '02_b.js': moduleOf('02_b.js', { sql: ['create table by_hand ()'] }) });
    await project.boot();
    await project.write(squashOf(['01_a.js', '02_b.js']));
    await project.remove('01_a.js', '02_b.js');
    const error = await project.fail();
    expect(error.findings).toMatchObject([{ code: 'history-edited', at: { migration: '02_b.js' } }]);
    expect(await project.history()).toEqual(['01_a.js', '02_b.js']);
  });
});

describe('verbs', () => {
  test('tell where a database stands that has run what was replaced', async () => {
    const project = await released(3, 'in place');
    const options = optionsOf(project);
    expect(await current(options)).toMatchObject({ revision: '03_c.js', head: later, isHead: false, pendingCount: 1 });
    expect((await history(options)).map(({ name, status: is, replacedBy }) => [name, is, replacedBy])).toEqual([
      ...old.map((name) => [name, 'applied', squash]),
      [later, 'pending', undefined],
    ]);
    expect(await upgrade(options, { target: { to: squash } })).toMatchObject({ status: 'in-sync', applied: [] });
    await upgrade(options);
    expect(await downgrade(options, { target: { to: squash }, yes: true })).toMatchObject({ to: '03_c.js', reverted: [{ name: later }] });
    const refused = await failureOf(downgrade(options, { target: { to: '01_a' }, yes: true }));
    expect(refused).toMatchObject({ code: 'EM_PLAN_REFUSED', message: expect.stringContaining(`${squash} replaces them`) as string });
    await project.database.query('create table t_04_d (id int)');
    expect(await stamp(options, { target: 'head' })).toMatchObject({ recorded: [later], unrecorded: [] });
    expect(await project.history()).toEqual([...old, later]);
  });
  test('refuse what lies inside of a squash that has run, or would', async () => {
    const project = await released(0, 'beside');
    const options = optionsOf(project);
    const message = expect.stringContaining(`02_b.js is a part of ${squash}, which runs as one`) as string;
    expect(await failureOf(upgrade(options, { target: { to: '02_b' } }))).toMatchObject({ code: 'EM_PLAN_REFUSED', message });
    await upgrade(options);
    expect(await failureOf(downgrade(options, { target: { to: '02_b' }, yes: true }))).toMatchObject({ code: 'EM_PLAN_REFUSED', message });
    expect(await project.history()).toEqual([squash, later]);
  });
  test('stamp a database that has no history with the squash alone', async () => {
    const project = await released(0, 'beside');
    await project.database.query('create table nothing ()');
    expect(await stamp(optionsOf(project), { target: 'head', force: true })).toMatchObject({ recorded: [squash, later] });
    expect(await project.ending()).toBe('in-sync');
  });
});

test('what was squashed twice counts by any of its names', async () => {
  const again = '04_d_squash.sql';
  const text = squashOf([...old, squash, later])[squash]?.replace('create table "t_03_c_squash.sql" (id int);\n', '') ?? '';
  const [before, between, fresh] = [await released(3, 'in place'), await released(0, 'in place'), await makeProject()];
  for (const project of [before, between, fresh]) {
    if (project !== fresh) {
      await project.boot();
      await project.remove(squash, later);
    }
    await project.write({ [again]: text });
    expect(await project.ending()).toBe(project === fresh ? 'migrated' : 'in-sync');
  }
  expect(await fresh.history()).toEqual([again]);
  expect(await between.history()).toEqual([squash, later]);
  expect(await readFile(path.join(fresh.directory, again), 'utf8')).toContain(`-- replaces: ${squash} js:`);
});
