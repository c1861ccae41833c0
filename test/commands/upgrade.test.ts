import { describe, expect, test } from 'vitest';
import { status, upgrade, type Target } from '../../src/commands/index.js';
import { ensureMigrated } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';
import { atHead, contentsOf, makeProject, names } from './fixture.js';

describe('upgrade', () => {
  test('goes to head, and a boot finds the database in sync', async () => {
    const { database, options } = await makeProject();
    expect(await upgrade(options)).toMatchObject({
      status: 'migrated',
      from: undefined,
      to: names[3],
      applied: names.map((name) => ({ name })),
    });
    expect(await contentsOf(database)).toEqual(atHead);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'in-sync' });
    expect(await upgrade(options)).toMatchObject({ status: 'in-sync', applied: [] });
  });

  test.each<[string, Target, number]>([
    ['so many steps', { steps: 2 }, 2],
    ['a name', { to: names[2] }, 3],
    ['a unique part of a name', { to: 'total' }, 2],
    ['a name with another extension', { to: '01_orders.ts' }, 1],
  ])('goes as far as %s', async (_what, target, count) => {
    const { database, options } = await makeProject();
    expect(await upgrade(options, { target })).toMatchObject({ to: names[count - 1], applied: { length: count } });
    expect(await contentsOf(database)).toMatchObject({ history: names.slice(0, count), locks: [0] });
    expect(await status(options)).toMatchObject({ inSync: false, pending: names.slice(count), findings: [{ code: 'history-pending' }] });
    expect(await upgrade(options)).toMatchObject({ to: names[3], applied: { length: 4 - count } });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('to where the database stands does nothing', async () => {
    const { options } = await makeProject();
    await upgrade(options, { target: { steps: 2 } });
    expect(await upgrade(options, { target: { to: names[1] } })).toMatchObject({ applied: [], to: names[1] });
  });

  test.each<[string, Target, string]>([
    ['more steps than are pending', { steps: 4 }, 'asked for 4 steps, and there are 2 pending migrations'],
    ['no step', { steps: 0 }, 'the number of steps is 0'],
    ['base', 'base', 'an upgrade does not lead to base'],
    ['what is behind', { to: names[0] }, `${names[0]} is applied already, and the database is past it`],
    ['no migration', { to: 'nonsense' }, "the target 'nonsense' names no migration"],
    ['several migrations', { to: '0' }, "the target '0' names several migrations"],
  ])('refuses %s, and changes nothing', async (_what, target, message) => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { steps: 2 } });
    const before = await contentsOf(database);
    await expect(upgrade(options, { target })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining(message) as string,
    });
    expect(await contentsOf(database)).toEqual(before);
    expect(await upgrade(options)).toMatchObject({ status: 'migrated' });
  });

  test('applies whatever mode the environment asks for', async () => {
    const { options } = await makeProject();
    process.env['ENSURE_MIGRATED_MODE'] = 'wait';
    try {
      expect(await upgrade(options)).toMatchObject({ status: 'migrated' });
    } finally {
      delete process.env['ENSURE_MIGRATED_MODE'];
    }
  });

  test('two at once, and a boot: each migration runs once', async () => {
    const { database, options } = await makeProject();
    const outcomes = await Promise.all([upgrade(options), upgrade(options), ensureMigrated(options)]);
    expect(outcomes.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 4]);
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('refuses a database that has tables and no history', async () => {
    const { options } = await makeProject();
    const other = await createDatabase();
    await other.query('create table theirs (id int)');
    await expect(upgrade({ ...options, connection: other.url })).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC' });
  });
});
