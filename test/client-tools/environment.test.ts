import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEnvironment } from '../../src/client-tools/environment.js';
import { resolveConfig, type PgConfig } from '../../src/config/index.js';
import { readLogin } from '../../src/session/index.js';
import { makeDirectory } from '../support/directories.js';

const before = process.env;
beforeEach(
  () => void (process.env = { PATH: '/bin', HOME: '/home/app', PGSSLMODE: 'verify-full', PGSERVICE: 'other', PGPASSFILE: '/run/pass' }),
);
afterEach(() => void (process.env = before));

/** The variables of libpq for a connection, and what was opened for them. */
async function opened(connection: string | PgConfig) {
  const login = await readLogin(resolveConfig({ connection }).connection);
  const environment = await openEnvironment({ login, application: 'ensure-migrated/clinic/pg_dump', connectMs: 30_000 });
  const variables = Object.fromEntries(Object.entries(environment.variables).filter(([name]) => name.startsWith('PG')));
  return { environment, variables };
}

const always = { PGAPPNAME: 'ensure-migrated/clinic/pg_dump', PGCONNECT_TIMEOUT: '30', PGGSSENCMODE: 'disable', PGPASSFILE: '/run/pass' };

describe('a client tool connects as pg would', () => {
  test.each<[string, string | PgConfig, object]>([
    [
      'to a URL, with nothing of our own PG* variables but the password file',
      'postgres://app:p%40ss@db.example:6543/clinic?sslmode=disable',
      { PGHOST: 'db.example', PGPORT: '6543', PGUSER: 'app', PGPASSWORD: 'p@ss', PGDATABASE: 'clinic', PGSSLMODE: 'disable' },
    ],
    [
      'to a Unix socket',
      'postgres://app@%2Frun%2Fpg/clinic?ssl=0',
      { PGHOST: '/run/pg', PGPORT: '5432', PGUSER: 'app', PGDATABASE: 'clinic', PGSSLMODE: 'disable' },
    ],
    [
      'with a password that a function gives, and with options',
      { host: 'db', user: 'app', database: 'clinic', password: () => Promise.resolve('token-7'), options: '-c role=owner', ssl: false },
      {
        PGHOST: 'db',
        PGPORT: '5432',
        PGUSER: 'app',
        PGPASSWORD: 'token-7',
        PGDATABASE: 'clinic',
        PGOPTIONS: '-c role=owner',
        PGSSLMODE: 'disable',
      },
    ],
  ])('%s', async (_what, connection, expected) => {
    const { environment, variables } = await opened(connection);
    expect(variables).toEqual({ ...always, ...expected });
    expect(environment.variables).toMatchObject({ PATH: '/bin', HOME: '/home/app' });
    await environment[Symbol.asyncDispose]();
  });

  const server = { host: 'db', user: 'app', database: 'clinic', password: 'x' };

  test.each<[string, PgConfig['ssl'], string, string]>([
    ['verifies as Node does, with the authorities of Node', true, 'verify-full', rootCertificates.join('\n')],
    ['verifies with the authority that is given', { ca: 'CERTIFICATE' }, 'verify-full', 'CERTIFICATE'],
    ['leaves the name to a check of the user', { ca: ['A', 'B'], checkServerIdentity: () => undefined }, 'verify-ca', 'A\nB'],
  ])('over TLS: %s', async (_what, ssl, mode, authorities) => {
    const { environment, variables } = await opened({ ...server, ssl });
    const file = variables['PGSSLROOTCERT']!;
    expect(variables['PGSSLMODE']).toBe(mode);
    expect(readFileSync(file, 'utf8')).toBe(authorities);
    await environment[Symbol.asyncDispose]();
    expect(existsSync(file)).toBe(false);
  });

  test('over TLS without looking at the certificate, whatever lies in the home directory', async () => {
    const { environment, variables } = await opened({ ...server, ssl: { rejectUnauthorized: false } });
    expect(variables['PGSSLMODE']).toBe('require');
    expect(existsSync(variables['PGSSLROOTCERT']!)).toBe(false);
    await environment[Symbol.asyncDispose]();
  });

  test('with a client certificate, whose key only our own user may read', async () => {
    const { environment, variables } = await opened({ ...server, ssl: { rejectUnauthorized: false, cert: 'CERT', key: 'KEY' } });
    expect(readFileSync(variables['PGSSLCERT']!, 'utf8')).toBe('CERT');
    expect(readFileSync(variables['PGSSLKEY']!, 'utf8')).toBe('KEY');
    expect(statSync(variables['PGSSLKEY']!).mode & 0o777).toBe(0o600);
    await environment[Symbol.asyncDispose]();
    expect(existsSync(variables['PGSSLKEY']!)).toBe(false);
  });

  test.each<[string, PgConfig['ssl'], RegExp]>([
    ['a passphrase', { cert: 'CERT', key: 'KEY', passphrase: 'open sesame' }, /ssl: passphrase$/],
    ['PKCS #12', { pfx: Buffer.from('PFX') }, /ssl: pfx$/],
    ['keys with passphrases of their own', { key: [{ pem: 'KEY', passphrase: 'open sesame' }] }, /ssl: key, which are objects$/],
    ['a certificate that is no text', { key: 'KEY', cert: [Object.create(null) as string] }, /primitive/],
  ])('or not at all, with %s, and leaves no file', async (_what, ssl, message) => {
    process.env['TMPDIR'] = await makeDirectory({});
    await expect(opened({ ...server, ssl })).rejects.toThrow(message);
    expect(readdirSync(process.env['TMPDIR'])).toEqual([]);
  });

  test('or not at all, where pg is given a socket by the user', async () => {
    await expect(opened({ ...server, stream: () => undefined } as PgConfig)).rejects.toThrow(/socket of its own/);
  });
});
