import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { applicationName, atDatabase } from '../../src/session/index.js';
import { withInput } from '../checks/fixture.js';
import { createDatabase } from '../support/servers.js';

async function at(connectionString: string, name: string): Promise<pg.Client> {
  return new pg.Client(await atDatabase(() => Promise.resolve({ connectionString }), name)());
}

describe('the connection to another database of the server', () => {
  test.each([
    ['postgres://user:p%40ss@host:5433/app?sslmode=no-verify', { host: 'host', port: 5433, user: 'user', password: 'p@ss' }],
    ['postgresql://host', { host: 'host', port: 5432 }],
    ['postgres:///app?host=/tmp', { host: '/tmp' }],
    ['postgres://%2Ftmp/app', { host: '/tmp' }],
    ['socket:/tmp?db=app&encoding=utf8', { host: '/tmp' }],
    ['/tmp app', { host: '/tmp' }],
  ])('of %s keeps all else', async (url, expected) => {
    expect(await at(url, 'x')).toMatchObject({ ...expected, database: 'x' });
  });

  test.each(['Upper case', 'a/b', 'per%20cent', 'a?b#c', `quo"te'd`])('takes a name as it is: %s', async (name) => {
    expect((await at('postgres://host/app', name)).database).toBe(name);
  });

  test('keeps what a configuration says besides, and asks anew for the password each time', async () => {
    let asked = 0;
    const source = () => Promise.resolve({ host: 'h', database: 'app', keepAlive: true, password: () => `secret ${++asked}` });
    const connect = atDatabase(source, 'x');
    expect(await connect()).toMatchObject({ host: 'h', database: 'x', keepAlive: true, password: 'secret 1' });
    expect(await connect()).toMatchObject({ password: 'secret 2' });
  });
});

describe('the name of a session in pg_stat_activity', () => {
  test.each([
    ['of 40 letters', 'a'.repeat(40), 'a'.repeat(40)],
    ['of more than the server takes', 'a'.repeat(80), 'a'.repeat(41)],
    ['of letters that are several bytes, and more of them to the server', 'ä'.repeat(40), 'ä'.repeat(5)],
  ])('of an application with a name %s ends with what the session is for', async (_what, name, shown) => {
    expect(applicationName(name, '/watch')).toBe(`ensure-migrated/${shown}/watch`);
    const database = await createDatabase();
    await withInput(database.url, { application: { name } }, async ({ call, session }) => {
      const wire = await session.openSecond(call.config.connection, '/watch');
      const asked = `select application_name as name from pg_stat_activity where pid = ${wire.processId}`;
      expect(await session.query(asked)).toEqual([{ name: expect.stringMatching(/\/watch$/) as string }]);
      await wire.close();
    });
  });
});
