import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { holdersOf, poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { describeWithClientTools } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { failureOf } from '../support/scene.js';
import type { TestDatabase } from '../support/servers.js';
import { migrationsOf, stopWith } from '../boot/fixture.js';
import { boot, expectNoSession, first, goodUpgrade, makeClinic, second, tracesIn } from './fixture.js';

const lockMs = 400;

/** A backup that takes until `open` is called: a command that waits for a file. It writes its pid. */
async function makeGate() {
  const directory = await makeDirectory();
  const [gate, pid] = [path.join(directory, 'gate'), path.join(directory, 'pid')];
  const command = `echo $$ > ${pid}; while [ ! -e ${gate} ]; do sleep 0.02; done`;
  const running = async () => await poll(async () => Number((await readFile(pid, 'utf8').catch(() => '')).trim()) || undefined);
  return { command, running, open: async () => await writeFile(gate, '') };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function dumpsOf(database: TestDatabase): Promise<number[]> {
  const rows = await database.query(
    `select pid from pg_stat_activity where datname = current_database() and application_name like 'ensure-migrated/%/pg_dump'`,
  );
  return rows.map(({ pid }) => pid as number);
}

describe('while the holder takes a backup that lasts longer than lockMs', () => {
  test.each([
    ['apply', 'may see it'],
    ['wait', 'may see it'],
    ['wait', 'may only read the history'],
  ] as const)('a process in mode %s goes on waiting, as a role that %s', async (mode, which) => {
    const { database } = await makeClinic();
    const reader = await database.createRole();
    await database.query(`grant select on all tables in schema public to "${reader.name}"`);
    const upgrade = await goodUpgrade();
    const gate = await makeGate();
    const migrating = boot(database, upgrade, { backup: { command: gate.command }, timeouts: { leaseMs: 1_000 } });
    await gate.running();
    const events: Record<string, unknown>[] = [];
    const options = { mode, timeouts: { lockMs }, onProgress: (event: object) => void events.push({ ...event }) };
    const waiting = boot(which === 'may see it' ? database : reader, upgrade, options);
    const seen = waiting.catch((error: unknown) => error);
    expect(await Promise.race([seen, sleep(5 * lockMs, 'still waiting')])).toBe('still waiting');
    await gate.open();
    expect(await migrating).toMatchObject({ status: 'migrated', to: second });
    expect(await waiting).toMatchObject({ status: 'in-sync', to: second });
    if (mode === 'apply')
      expect(events.find(({ event }) => event === 'lock.waiting')).toMatchObject({
        holder: { application: expect.stringMatching(/^ensure-migrated\/.*\/backup$/) as string },
      });
  });

  test('its session is a lease that is kept, and has its own name again while it migrates', async () => {
    const { database } = await makeClinic();
    const gate = await makeGate();
    await database.query('create table gate ()');
    const directory = await goodUpgrade();
    const locker = await database.connect();
    const migrating = boot(database, directory, { backup: { command: gate.command }, timeouts: { leaseMs: 1_000 } });
    await gate.running();
    await locker.query('begin; lock table notes');
    await sleep(1_500); // longer than the lease
    const nameOf = async () => {
      const [pid] = await holdersOf(database);
      return (await database.query('select application_name as name from pg_stat_activity where pid = $1', [pid]))[0]?.['name'] as string;
    };
    expect(await nameOf()).toMatch(/\/backup$/);
    await gate.open();
    await waitUntilRuns(database, 'alter table notes');
    expect(await nameOf()).not.toMatch(/\/backup$/);
    await locker.query('rollback');
    expect(await migrating).toMatchObject({ status: 'migrated' });
  });

  test('losing the session, and the lock with it, ends the backup and the upgrade', async () => {
    const { database } = await makeClinic();
    const gate = await makeGate();
    const failing = failureOf(boot(database, await goodUpgrade(), { backup: { command: gate.command } }));
    const pid = await gate.running();
    const before = await tracesIn(database);
    const [holder] = await holdersOf(database);
    await database.query('select pg_terminate_backend($1)', [holder]);
    expect(await failing).toMatchObject({ code: 'EM_LOST_SESSION', retryable: true });
    expect(isAlive(pid)).toBe(false);
    await expectNoSession(database);
    expect(await tracesIn(database)).toEqual({ ...(before as object), holders: [] });
  });

  test('knex that migrates meanwhile is seen, and another backup is taken before the rest is applied', async () => {
    const { database } = await makeClinic();
    const upgrade = await migrationsOf({
      [second]: { statements: ['alter table notes add column author text'] },
      '03_third.js': { statements: ['alter table notes add column seen boolean'] },
    });
    const gate = await makeGate();
    const events: string[] = [];
    const migrating = boot(database, upgrade, {
      backup: { command: gate.command },
      onProgress: ({ event }) => void events.push(event),
    });
    await gate.running();
    await database.query(
      `insert into knex_migrations (name, batch, migration_time) values ('${second}', 2, now()); alter table notes add author text`,
    );
    await gate.open();
    expect(await migrating).toMatchObject({ status: 'migrated', from: second, applied: [{ name: '03_third.js' }] });
    expect(events.filter((event) => event === 'backup.taken')).toHaveLength(2);
  });

  test('knex that migrates in the last moment before the claim stops the upgrade, since the backup is of before', async () => {
    const { database } = await makeClinic();
    const insert = `insert into knex_migrations (name, batch, migration_time) values ('00_other.js', 2, now())`;
    const code = `const { Client } = require('pg'); const c = new Client(process.argv[1]); c.connect().then(() => c.query(process.argv[2])).then(() => c.end());`;
    let taken = false;
    const onProgress = ({ event }: { event: string }) => {
      taken ||= event === 'backup.taken';
      if (taken && event === 'lock.started') execFileSync(process.execPath, ['-e', code, database.url, insert]); // the claim is what comes next
    };
    const upgrade = await goodUpgrade();
    const error = await failureOf(boot(database, upgrade, { backup: { command: 'echo vault-7' }, onProgress }));
    expect(error).toMatchObject({ code: 'EM_BACKUP_FAILED', outcome: { backup: 'vault-7', applied: [] } });
    expect(error.message).toContain('knex has migrated this database since the backup was taken (vault-7)');
    expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    await database.query(`delete from knex_migrations where name = '00_other.js'`);
    expect(await boot(database, upgrade)).toMatchObject({ status: 'migrated', applied: [{ name: second }] });
  });
});

describeWithClientTools('SIGTERM and SIGKILL while pg_dump runs', () => {
  /** A booting process whose pg_dump is held up by a lock on a table. */
  async function heldUp() {
    const clinic = await makeClinic();
    const { database, directory } = clinic;
    const before = await tracesIn(database);
    const gate = await database.connect();
    await gate.query('begin; lock table notes');
    const script = startBoot({ connection: database.url, directory: await goodUpgrade(), backup: { directory } });
    await poll(async () => ((await dumpsOf(database)).length > 0 ? true : undefined));
    expect(await clinic.files()).toEqual([expect.stringMatching(/\.dump\.partial$/)]);
    return { ...clinic, before, script, open: async () => await gate.query('rollback') };
  }

  test('SIGTERM ends both within two seconds, and leaves no file and no trace', async () => {
    const { database, before, script, files, open } = await heldUp();
    await stopWith('SIGTERM', script);
    expect(await files()).toEqual([]);
    expect(await poll(async () => ((await dumpsOf(database)).length === 0 ? 'gone' : undefined))).toBe('gone');
    await expectNoSession(database);
    expect(await tracesIn(database)).toEqual(before);
    await open();
  });

  test('SIGKILL leaves a pg_dump that ends by itself, and the next boot takes a backup of its own', async () => {
    const { database, directory, script, files, open } = await heldUp();
    await script.kill();
    await open();
    const outcome = await boot(database, await goodUpgrade(), { backup: { directory } });
    expect(outcome).toMatchObject({ status: 'migrated', from: first, to: second });
    expect(await poll(async () => ((await dumpsOf(database)).length === 0 ? 'gone' : undefined))).toBe('gone');
    expect((await files()).filter((name) => name.endsWith('.dump'))).toEqual([path.basename(outcome.backup!)]);
  });
});
