import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { breaking, compatible, makeProject, moduleOf, type Files, type Project } from './project.js';

const modes = ['verify', 'wait', 'off', 'apply'] as const;

/** Runs boots that must not write anything. */
async function endingsUnchanged(project: Project, ...boots: readonly string[]): Promise<Record<string, string>> {
  const before = await project.contents();
  const ends = await project.endings(...boots);
  expect(await project.contents()).toEqual(before);
  return ends;
}

/** What every mode says at the rule's own level, and what the rule softened lets through. */
function harmful(rule: string, status = 'in-sync') {
  return {
    verify: `EM_OUT_OF_SYNC ${rule}:error`,
    wait: `EM_OUT_OF_SYNC ${rule}:error`,
    apply: `EM_OUT_OF_SYNC ${rule}:error`,
    off: 'off',
    [`verify ${rule} warn`]: `${status} ${rule}:warn`,
    [`wait ${rule} warn`]: `${status} ${rule}:warn`,
    [`apply ${rule} warn`]: `${status} ${rule}:warn`,
    [`verify ${rule} off`]: status,
    [`wait ${rule} off`]: status,
    [`apply ${rule} off`]: status,
  };
}

describe('a database that is in sync', () => {
  test('passes in every mode', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.boot();
    expect(await endingsUnchanged(project, ...modes)).toEqual({ verify: 'in-sync', wait: 'in-sync', apply: 'in-sync', off: 'off' });
    expect(await project.boot()).toMatchObject({ from: '02_b.js', to: '02_b.js', applied: [], findings: [] });
  });
});

describe('pending', () => {
  test('is refused by verify, waited for by wait, applied by apply, and not looked at by off', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js', '03_c.js');
    const expected = {
      verify: 'EM_OUT_OF_SYNC history-pending:error',
      wait: 'EM_WAIT_TIMEOUT',
      off: 'off',
      'verify history-pending warn': 'in-sync history-pending:warn',
      'verify history-pending off': 'in-sync',
      'wait history-pending warn': 'EM_WAIT_TIMEOUT',
      'wait history-pending off': 'EM_WAIT_TIMEOUT',
    };
    expect(await endingsUnchanged(project, ...Object.keys(expected))).toEqual(expected);
    expect(await project.endings('apply history-pending error', 'apply')).toEqual({
      'apply history-pending error': 'migrated',
      apply: 'in-sync',
    });
    expect(await project.ran()).toEqual(['01_a', '02_b', '03_c']);
  });
  test('passes verify where it is excepted by name', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write('02_b.js', '03_c.js');
    const verify = (...except: string[]) => ({ mode: 'verify', rules: { 'history-pending': { level: 'error', except } } }) as const;
    expect(await project.ending(verify('02_b', '03_c.ts'))).toBe('in-sync');
    expect((await project.fail(verify('02_b'))).findings).toMatchObject([
      { message: 'not applied: 03_c.js', at: { migration: '03_c.js' } },
    ]);
  });
  test('says of an empty database that it has no history, and only reads', async () => {
    const project = await makeProject('01_a.js');
    const error = await project.fail({ mode: 'verify' });
    expect(error).toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      message: expect.stringContaining('the database has no history; not applied: 01_a.js') as string,
    });
    expect(await project.ending({ mode: 'wait', timeouts: { lockMs: 1 } })).toBe('EM_WAIT_TIMEOUT');
    expect(await project.database.query(`select from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
  });
});

describe('ahead', () => {
  async function rolledBack(...newer: Files[]): Promise<Project> {
    const project = await makeProject('01_a.js', ...newer);
    await project.boot();
    await project.remove(...newer.flatMap((file) => (typeof file === 'string' ? file : Object.keys(file))));
    return project;
  }

  test('a release that was rolled back boots on what is compatible with it, in every mode', async () => {
    const sql = { '03_c.sql': '-- breaking: false\ncreate table t_03_c ();\n' };
    const project = await rolledBack(compatible('02_b.js'), sql);
    expect(await endingsUnchanged(project, ...modes)).toEqual({ verify: 'ahead', wait: 'ahead', apply: 'ahead', off: 'off' });
    expect(await project.boot()).toMatchObject({ status: 'ahead', from: '03_c.sql', to: '03_c.sql', findings: [] });
  });
  test('a release that was rolled back is refused where one is breaking, and that one is named', async () => {
    const project = await rolledBack('02_b.js', breaking('03_c.js'));
    const expected = harmful('history-ahead', 'ahead');
    expect(await endingsUnchanged(project, ...Object.keys(expected))).toEqual(expected);
    const error = await project.fail();
    expect(error.message).toContain('ahead of this code by migrations that it cannot run beside: 03_c.js (drops column t_01_a.id)');
    expect(error.findings).toMatchObject([{ at: { migration: '03_c.js' } }]);
    expect(await project.ending({ rules: { 'history-ahead': { level: 'error', except: ['03_c'] } } })).toBe('ahead');
  });
  test('a rolled back release with a hotfix of its own applies it, out of order', async () => {
    const project = await rolledBack(compatible('03_c.js'));
    await project.write('02_b.js');
    expect(await project.ending()).toBe('migrated history-out-of-order:warn');
    expect(await project.ending()).toBe('ahead');
    expect(await project.ran()).toEqual(['01_a', '03_c', '02_b']);
  });
  test('what knex applied is breaking: nobody has said that it is not', async () => {
    const project = await makeProject('01_a.js', compatible('02_b.js'));
    await project.knex().migrate.latest();
    await project.remove('02_b.js');
    expect(await project.ending()).toBe('EM_OUT_OF_SYNC history-ahead:error');
  });
});

describe('missing', () => {
  test('a hole in the files is refused, and named', async () => {
    const project = await makeProject('01_a.js', '02_b.js', '03_c.js');
    await project.boot();
    await project.remove('02_b.js');
    const expected = harmful('history-missing');
    expect(await endingsUnchanged(project, ...Object.keys(expected))).toEqual(expected);
    expect((await project.fail()).findings).toMatchObject([{ code: 'history-missing', at: { migration: '02_b.js' } }]);
    expect(await project.ending({ rules: { 'history-missing': { level: 'error', except: ['02_b'] } } })).toBe('in-sync');
  });
  test("is let through, and said, where knex's list validation is disabled", async () => {
    const project = await makeProject('01_a.js', '02_b.js', '03_c.js', breaking('04_d.js'));
    await project.boot();
    await project.remove('02_b.js', '04_d.js');
    const migrations = { directory: project.directory, disableMigrationsListValidation: true };
    expect(await project.ending({ migrations })).toBe('ahead history-ahead:warn history-missing:warn');
    expect(await project.ending({ migrations, rules: { 'history-missing': 'error' } })).toMatch(/^EM_OUT_OF_SYNC/);
  });
});

describe('edited', () => {
  test('a changed file of an applied migration is refused, and named', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.boot();
    await project.write({ '01_a.js': `${moduleOf('01_a.js')}// a comment is an edit too\n` });
    const expected = harmful('history-edited');
    expect(await endingsUnchanged(project, ...Object.keys(expected))).toEqual(expected);
    expect((await project.fail()).findings).toMatchObject([{ code: 'history-edited', at: { migration: '01_a.js' } }]);
    expect(await project.ending({ rules: { 'history-edited': { level: 'error', except: ['01_a'] } } })).toBe('in-sync');
  });
  test('is refused before anything else is applied', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.write({ '01_a.js': '// another\n' }, '02_b.js');
    expect(await project.ending()).toBe('EM_OUT_OF_SYNC history-edited:error');
    expect(await project.ran()).toEqual(['01_a']);
  });
  test('other line ends and a byte order mark are no edit', async () => {
    const project = await makeProject('01_a.js', { '02_b.sql': 'create table t_02_b ();\n' });
    await project.boot();
    await project.write({ '01_a.js': `\uFEFF${moduleOf('01_a.js').replaceAll('\n', '\r\n')}`, '02_b.sql': 'create table t_02_b ();\r\n' });
    expect(await project.ending()).toBe('in-sync');
  });
  test('another extension is no edit: .ts was recorded, .js is shipped', async () => {
    const project = await makeProject('02_b.js', { '01_a.ts': moduleOf('01_a.ts') });
    expect(await project.ending()).toBe('migrated');
    await project.remove('01_a.ts');
    await writeFile(path.join(project.directory, '01_a.js'), moduleOf('01_a.js').replace('async', 'async /* compiled */'));
    expect(await endingsUnchanged(project, ...modes)).toEqual({ verify: 'in-sync', wait: 'in-sync', apply: 'in-sync', off: 'off' });
  });
});

describe('out of order', () => {
  const rule = 'history-out-of-order';
  async function merged(): Promise<Project> {
    const project = await makeProject('01_a.js', '03_c.js');
    await project.boot();
    await project.write('02_b.js');
    return project;
  }
  test('what is pending and older than what is applied is said, and refused where the rule says so', async () => {
    const project = await merged();
    const expected = {
      verify: `EM_OUT_OF_SYNC history-pending:error ${rule}:warn`,
      wait: 'EM_WAIT_TIMEOUT',
      off: 'off',
      [`verify ${rule} error`]: `EM_OUT_OF_SYNC history-pending:error ${rule}:error`,
      [`wait ${rule} error`]: `EM_OUT_OF_SYNC ${rule}:error`,
      [`apply ${rule} error`]: `EM_OUT_OF_SYNC ${rule}:error`,
    };
    expect(await endingsUnchanged(project, ...Object.keys(expected))).toEqual(expected);
    expect(await project.ran()).toEqual(['01_a', '03_c']);
    expect(await project.endings('apply', 'verify')).toEqual({ apply: `migrated ${rule}:warn`, verify: 'in-sync' });
    expect(await project.history()).toEqual(['01_a.js', '03_c.js', '02_b.js']);
  });
  test.each([['off'], [{ level: 'error', except: ['02_b'] }]] as const)('is not said at %j', async (setting) => {
    const project = await merged();
    expect(await project.ending({ rules: { [rule]: setting } })).toBe('migrated');
  });
});
