import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { rootCertificates, type ConnectionOptions } from 'node:tls';
import { extraCertificatesFile, inheritedVariables } from '../config/index.js';
import type { Login } from '../session/index.js';
import { ToolError } from './failure.js';

/** The environment that connects a client tool as pg would connect. Certificates lie in a directory of ours until it is disposed. */
export interface ToolEnvironment extends AsyncDisposable {
  readonly variables: Readonly<Record<string, string>>;
  /** Masked in what is told of the tool. */
  readonly secrets: readonly string[];
}

export interface EnvironmentRequest {
  /** Undefined: it connects nowhere. */
  readonly login: Login | undefined;
  /** What stands in pg_stat_activity. */
  readonly application: string;
  readonly connectMs: number;
}

/** Writes a login as libpq's variables, which only our own user can read of a process. Throws {@link ToolError} where libpq cannot connect so. */
export async function openEnvironment({ login, application, connectMs }: EnvironmentRequest): Promise<ToolEnvironment> {
  if (login === undefined) return { variables: inheritedVariables(), secrets: [], [Symbol.asyncDispose]: () => Promise.resolve() };
  if (login.ownStream) throw new ToolError('the connection goes through a socket of its own (`stream`), which no client tool can use');
  const { host, port, user, password, database, options } = login;
  const tls = await openTls(login);
  const given = {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGOPTIONS: options,
    PGAPPNAME: application,
    PGCONNECT_TIMEOUT: String(Math.max(2, Math.ceil(connectMs / 1_000))), // of 1 libpq makes 2
    PGGSSENCMODE: 'disable', // pg does not know it
    ...tls.variables,
  };
  const set = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    variables: { ...inheritedVariables(), ...Object.fromEntries(set) },
    secrets: password === undefined ? [] : [password],
    [Symbol.asyncDispose]: tls.remove,
  };
}

interface Tls {
  readonly variables: Readonly<Record<string, string | undefined>>;
  remove(): Promise<void>;
}

// libpq wants files where Node wants texts.
async function openTls({ ssl }: Login): Promise<Tls> {
  if (!ssl) return { variables: { PGSSLMODE: 'disable' }, remove: () => Promise.resolve() };
  const given = ssl === true ? {} : ssl;
  refuseUnsayable(given);
  const directory = await mkdtemp(path.join(os.tmpdir(), 'ensure-migrated-tls-'));
  const remove = async () => await rm(directory, { recursive: true, force: true }).catch(() => undefined); // what has failed before says more
  try {
    return { variables: await writeTls(directory, given), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

// libpq takes a passphrase from no variable, and no PKCS #12.
function refuseUnsayable({ passphrase, pfx, key }: ConnectionOptions): void {
  const hasObjects = [key].flat().some((each) => typeof each === 'object' && !Buffer.isBuffer(each));
  const given = { passphrase, pfx, 'key, which are objects': hasObjects };
  const [unsayable] = Object.entries(given).find(([, value]) => Boolean(value)) ?? [];
  if (unsayable === undefined) return;
  const remedy = 'Give cert and key as PEM, and the key without a passphrase.';
  throw new ToolError(`no client tool can use what the connection has in ssl: ${unsayable}`, remedy);
}

async function writeTls(directory: string, given: ConnectionOptions): Promise<Tls['variables']> {
  const keep = async (name: string, text: ConnectionOptions['ca']): Promise<string | undefined> => {
    if (text === undefined) return undefined;
    const file = path.join(directory, name);
    await writeFile(file, [text].flat().map(String).join('\n'), { mode: 0o600 });
    return file;
  };
  return {
    PGSSLMODE: sslModeOf(given),
    // A file that is not there: with one in its usual place libpq would verify where Node was told not to.
    PGSSLROOTCERT:
      given.rejectUnauthorized === false ? path.join(directory, 'none') : await keep('root.crt', given.ca ?? (await trusted())),
    PGSSLCERT: await keep('client.crt', given.cert),
    PGSSLKEY: await keep('client.key', given.key as ConnectionOptions['ca']),
  };
}

function sslModeOf({ rejectUnauthorized, checkServerIdentity }: ConnectionOptions): string {
  if (rejectUnauthorized === false) return 'require';
  return checkServerIdentity === undefined ? 'verify-full' : 'verify-ca'; // a check of the user's own is in place of the name's
}

// What Node trusts where no authority is given. `PGSSLROOTCERT=system` would be another list, and needs libpq 16.
async function trusted(): Promise<string[]> {
  const file = extraCertificatesFile();
  const extra = file === undefined ? [] : [await readFile(file, 'utf8').catch(() => '')];
  return [...rootCertificates, ...extra];
}
