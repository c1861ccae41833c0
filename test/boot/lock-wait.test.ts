import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { holdersOf, poll, waitUntilRuns } from '../support/boot.js';
import { startProxy } from '../support/proxy.js';
import { makeProject, type Project } from './project.js';

const namespace = 1701669223;
const key = `('x' || left(encode(sha256('public.knex_migrations'), 'hex'), 8))::bit(32)::int`;

/** A database with something to apply, whose migration lock a session of the test holds. */
async function makeHeld(): Promise<{ project: Project; holder: Client; pid: number }> {
  const project = await makeProject('01_a.js');
  await project.boot();
  await project.write('02_b.js');
  const holder = await project.database.connect();
  await holder.query(`set application_name = 'deploy tool'; select pg_advisory_lock(${namespace}, ${key})`);
  return { project, holder, pid: (await holdersOf(project.database))[0] as number };
}

async function waitUntilHeard(project: Project, name: string): Promise<void> {
  await poll(async () => project.events.find(({ event }) => event === name));
}

async function expectNothingDone({ project, pid }: { project: Project; pid: number }): Promise<void> {
  expect([await project.ran(), await project.history()]).toEqual([['01_a'], ['01_a.js']]);
  expect(await holdersOf(project.database)).toEqual([pid]);
}

describe('who waits for the migration lock', () => {
  test('gives up lockMs after the last progress of the holder, names it, and has changed nothing', async () => {
    const held = await makeHeld();
    const { project, holder, pid } = held;
    const started = performance.now();
    const waiting = project.fail({ timeouts: { lockMs: 300 } });
    for (let step = 1; performance.now() - started < 600; step++) {
      const at = JSON.stringify({ migration: '02_b.js', step, of: 99 });
      await project.database.query(`update knex_migrations_journal set detail = detail || $1::jsonb where kind = 'owner'`, [at]);
      await sleep(50);
    }
    const error = await waiting;
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(error).toMatchObject({ code: 'EM_LOCK_TIMEOUT', retryable: true, exitCode: 75 });
    expect(error.message).toMatch(
      new RegExp(
        `waited \\d+ ms for the migration lock; held by pid ${pid} \\(deploy tool, 127\\.0\\.0\\.1\\) since .*, at 02_b\\.js \\(\\d+ of 99\\); it last ran: `,
      ),
    );
    expect(project.events.filter(({ event }) => event === 'lock.waiting').length).toBeGreaterThan(1); // each step of the holder is told
    await expectNothingDone(held);
    await holder.end();
    expect(await project.ending()).toBe('migrated');
  });

  test('goes on waiting while a single statement of the holder runs for longer than lockMs, but not beyond callMs', async () => {
    const { project, holder } = await makeHeld();
    await project.database.query('create table gate ()');
    const gate = await project.database.connect();
    await gate.query('begin; lock table gate');
    await holder.query(`set application_name = 'ensure-migrated/other'`);
    const working = holder.query('begin; lock table gate; rollback; select pg_advisory_unlock_all()');
    await waitUntilRuns(project.database, 'lock table gate');
    const waiting = project.boot({ timeouts: { lockMs: 200 }, rules: { 'schema-drift': 'off' } });
    const impatient = await project.fail({ timeouts: { lockMs: 200, callMs: 300 } });
    expect(impatient).toMatchObject({ code: 'EM_CALL_TIMEOUT', retryable: true, exitCode: 75 });
    expect(await Promise.race([waiting.catch((error: unknown) => error), sleep(500, 'still waiting')])).toBe('still waiting');
    await gate.query('rollback');
    await working;
    expect(await waiting).toMatchObject({ status: 'migrated', applied: [{ name: '02_b.js' }] });
  });

  test('is woken by a NOTIFY, and asks then without waiting for its next turn; a holder that lets go sends one', async () => {
    const { project, holder } = await makeHeld();
    const channel = `ensure_migrated_${await channelOf(holder)}`;
    const proxy = await startProxy(project.database.url);
    const waiting = project.boot({ connection: proxy.urlOf(project.database.url) });
    await waitUntilHeard(project, 'lock.waiting');
    const asked = () => proxy.counts().statements.filter((text) => text.includes('pg_try_advisory_lock')).length;
    const [before, started] = [asked(), performance.now()];
    await poll(async () => {
      await holder.query(`notify ${channel}`); // one that comes while it asks is not needed, and lost
      return asked() - before >= 20 || undefined;
    });
    expect(performance.now() - started).toBeLessThan(20 * 100); // by itself it asks each 100 to 500 ms
    const heard = new Promise((resolve) => holder.once('notification', resolve));
    await holder.query(`listen ${channel}; select pg_advisory_unlock_all()`);
    expect((await waiting).status).toBe('migrated');
    expect(await heard).toMatchObject({ channel });
  });
});

async function channelOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ channel: string }>(`select (${key})::bit(32)::bigint::text as channel`);
  return (rows[0] as { channel: string }).channel;
}
