import { describe, expect, test } from 'vitest';
import { startBoot } from '../support/boot.js';
import { makeProject, moduleOf, type Project } from './project.js';

const rule = 'history-unsettled';

async function ownerOf({ database }: Project): Promise<unknown> {
  const [row] = await database.query(
    `select detail ->> 'state' as state, (select is_locked from knex_migrations_lock) as locked from knex_migrations_journal where kind = 'owner'`,
  );
  return row;
}

describe('a run that failed', () => {
  async function failed(): Promise<Project> {
    const project = await makeProject('01_a.js', { '02_b.js': moduleOf('02_b.js', { sql: ['insert into not_yet default values'] }) });
    expect((await project.fail()).code).toBe('EM_MIGRATION_FAILED');
    expect(await ownerOf(project)).toEqual({ state: 'failed', locked: 0 });
    return project;
  }

  test('is an error to verify and to wait, which say whose it was, and apply runs it again', async () => {
    const project = await failed();
    const expected = {
      verify: `EM_OUT_OF_SYNC ${rule}:error history-pending:error`,
      wait: `EM_OUT_OF_SYNC ${rule}:error`,
      off: 'off',
      [`verify ${rule} warn`]: `EM_OUT_OF_SYNC ${rule}:warn history-pending:error`,
      [`wait ${rule} warn`]: 'EM_WAIT_TIMEOUT',
      [`wait ${rule} off`]: 'EM_WAIT_TIMEOUT',
    };
    expect(await project.endings(...Object.keys(expected))).toEqual(expected);
    const { findings } = await project.fail({ mode: 'verify', application: { name: 'api' } });
    expect(findings[0]?.message).toMatch(/^the last run \(.+ on .+, since .+Z\) failed with EM_MIGRATION_FAILED, at 02_b\.js$/);
    await project.database.query('create table not_yet ()');
    const healed = { apply: 'migrated schema-drift:warn', verify: 'in-sync', wait: 'in-sync' };
    expect(await project.endings(...Object.keys(healed))).toEqual(healed);
    expect(await ownerOf(project)).toEqual({ state: 'clear', locked: 0 });
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });
  test('with everything applied is settled by apply, and passed over where the rule says so', async () => {
    const project = await makeProject('01_a.js');
    await project.boot();
    await project.database.query(
      `update knex_migrations_journal set detail = detail || '{"state": "failed", "errorCode": "EM_VERIFY_FAILED"}' where kind = 'owner'`,
    );
    const expected = {
      verify: `EM_OUT_OF_SYNC ${rule}:error`,
      wait: `EM_OUT_OF_SYNC ${rule}:error`,
      [`verify ${rule} warn`]: `in-sync ${rule}:warn`,
      [`wait ${rule} warn`]: `in-sync ${rule}:warn`,
      [`verify ${rule} off`]: 'in-sync',
      [`wait ${rule} off`]: 'in-sync',
      [`apply ${rule} off`]: 'in-sync', // settles it
    };
    expect(await project.endings(...Object.keys(expected))).toEqual(expected);
    expect(await project.ending({ mode: 'verify' })).toBe('in-sync');
  });
});

test('a run that the server refuses after its migrations says so with the code of its error', async () => {
  const project = await makeProject('01_a.js');
  await project.boot();
  await project.database.query(`create function refuse() returns trigger language plpgsql as $$ begin
      if new.kind = 'schema' then raise insufficient_privilege; end if; return new; end $$;
    create trigger refuse before insert on knex_migrations_journal for each row execute function refuse()`);
  await project.write('02_b.js');
  expect(await project.fail()).toMatchObject({ code: 'EM_CHECK_FAILED', outcome: { to: '02_b.js' } });
  const [owner] = await project.database.query(`select detail ->> 'errorCode' as code from knex_migrations_journal where kind = 'owner'`);
  expect(owner).toEqual({ code: 'EM_CHECK_FAILED' });
});

describe('a run that died', () => {
  test('before its first migration hides nothing of what the one before it has left behind', async () => {
    const unchecked = 'alter table t_01_a add constraint small check (id < 9) not valid';
    const project = await makeProject({ '01_a.js': moduleOf('01_a.js', { sql: [unchecked] }) });
    await project.write({ '02_b.js': moduleOf('02_b.js', { sql: ['insert into not_yet default values'] }) });
    expect((await project.fail()).code).toBe('EM_MIGRATION_FAILED');
    await startBoot({ connection: project.database.url, directory: project.directory, killAt: { event: 'apply.started' } }).ended;
    await project.database.query('create table not_yet ()');
    const { findings } = await project.boot();
    expect(findings.map(({ code, message }) => `${code}: ${message}`)).toContainEqual(
      expect.stringMatching(/^verify-unvalidated-constraint: the constraint "small"/),
    );
  });

  test.each([
    ['after its last migration', { event: 'step.applied', migration: '02_b.js' }, 'in-sync'],
    ['before its first migration', { event: 'step.started', migration: '01_a.js' }, 'migrated'],
  ])('%s is waited for, refused by verify, and healed by apply', async (_when, killAt, healed) => {
    const project = await makeProject('01_a.js', '02_b.js');
    const exit = await startBoot({ connection: project.database.url, directory: project.directory, killAt }).ended;
    expect(exit.signal).toBe('SIGKILL');
    expect(await ownerOf(project)).toEqual({ state: 'active', locked: 1 });
    expect(await project.ending({ mode: 'verify' })).toMatch(`EM_OUT_OF_SYNC ${rule}:error`);
    expect(await project.ending({ mode: 'wait', timeouts: { lockMs: 1 } })).toBe('EM_WAIT_TIMEOUT');
    expect(await project.ending()).toBe(healed);
    expect(project.events.filter(({ event }) => event === 'lock.reclaimed')).toHaveLength(1);
    expect(await ownerOf(project)).toEqual({ state: 'clear', locked: 0 });
    expect(await project.endings('apply', 'verify', 'wait')).toEqual({ apply: 'in-sync', verify: 'in-sync', wait: 'in-sync' });
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });
});

describe('a migration that stopped half-way outside a transaction', () => {
  test('is refused in every mode, and no level softens that', async () => {
    const text = `exports.config = { transaction: false };
exports.up = async (knex) => {
  await knex.raw('create table half ()');
  await knex.raw('insert into not_there default values');
};
exports.down = async () => undefined;
`;
    const project = await makeProject('01_a.js', { '02_b.js': text });
    await project.fail();
    const stopped = `EM_OUT_OF_SYNC ${rule}:error history-unfinished:error`;
    expect(await project.endings('wait', 'off', 'apply')).toEqual({
      wait: stopped,
      off: 'off',
      apply: 'EM_OUT_OF_SYNC history-unfinished:error',
    });
    expect(await project.ending({ mode: 'verify' })).toBe(`EM_OUT_OF_SYNC ${rule}:error history-pending:error history-unfinished:error`);
    const { findings } = await project.fail();
    expect(findings).toMatchObject([{ code: 'history-unfinished', at: { migration: '02_b.js' } }]);
    expect((await project.fail({ rules: { 'history-unfinished': 'warn' } })).code).toBe('EM_CONFIG_INVALID');
  });
});

describe('a migration that stands twice in the history', () => {
  test('is said in every mode, and refused where the rule says so', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    await project.boot();
    await project.database.query(`insert into knex_migrations (name, batch) values ('01_a.js', 2)`);
    const twice = 'history-duplicate';
    const expected = {
      verify: `in-sync ${twice}:warn`,
      wait: `in-sync ${twice}:warn`,
      apply: `in-sync ${twice}:warn`,
      off: 'off',
      [`verify ${twice} error`]: `EM_OUT_OF_SYNC ${twice}:error`,
      [`wait ${twice} error`]: `EM_OUT_OF_SYNC ${twice}:error`,
      [`apply ${twice} error`]: `EM_OUT_OF_SYNC ${twice}:error`,
      [`apply ${twice} off`]: 'in-sync',
    };
    expect(await project.endings(...Object.keys(expected))).toEqual(expected);
    expect(await project.ending({ rules: { [twice]: { level: 'error', except: ['01_a'] } } })).toBe('in-sync');
    await project.write('03_c.js');
    expect(await project.ending()).toBe(`migrated ${twice}:warn`);
  });
});
