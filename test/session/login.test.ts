import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { atDatabase } from '../../src/session/index.js';

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
