import pg from 'pg';
import type { PgConfig } from '../config/index.js';

/** A connection of the harness's own. It keeps no process alive that has nothing else to do. */
export interface Link {
  readonly processId: number;
  /** One statement, or several without values: then the rows of the last. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** One statement that is prepared on first use, under this name. */
  ask<Row>(name: string, text: string): Promise<Row[]>;
  close(): Promise<void>;
}

// Whatever the database, the role or a test's ALTER DATABASE says. Rows are written and read as text, and must mean the same both times.
const settings = {
  search_path: 'pg_catalog',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  row_security: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
};

const settingsList = Object.entries(settings).map(([name, value]) => `('${name}', '${value}')`);

// Those that this version knows. Behind a pooler the session is another one, and serves others after us: nothing is set in it.
function renderSettings(processId: number): string {
  return `select pg_catalog.set_config(name, value, false) from (values ${settingsList.join(', ')}) v (name, value)
    where pg_catalog.current_setting(name, true) is not null and pg_catalog.pg_backend_pid() = ${processId}`;
}

interface Untold {
  readonly processID: number;
  ref(): void;
  unref(): void;
}

/** Connects, once, and sets the session up so that nothing of the database's own settings holds. Throws what pg throws. */
export async function openLink(url: string): Promise<Link> {
  return await connectLink({ connectionString: url });
}

/** The same, where more than a URL is known. */
export async function connectLink(config: PgConfig): Promise<Link> {
  // Its type leaves out what it can do.
  const client = new pg.Client({ ...config, application_name: 'ensure-migrated/testing' }) as pg.Client & Untold;
  client.on('error', () => undefined); // the next query says so
  await client.connect();
  let isOpen = true;
  client.on('end', () => (isOpen = false));
  let running = 0;
  let last: Promise<unknown> = Promise.resolve();
  const holding = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running++ === 0 && isOpen) client.ref();
    const turn = last.then(work, work); // pg wants one query at a time
    last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      if (--running === 0 && isOpen) client.unref(); // a closed socket would note it for its next opening, each time
    }
  };
  const rowsOf = (result: unknown): unknown[] => ((Array.isArray(result) ? result.at(-1) : result) as pg.QueryResult).rows;
  const query = async (text: string, values?: readonly unknown[]) =>
    await holding(async () => rowsOf(await client.query(text, values === undefined ? undefined : [...values])));
  await query(renderSettings(client.processID)).catch(async (error: unknown) => {
    await client.end().catch(() => undefined);
    throw error;
  });
  return {
    processId: client.processID,
    query: query as Link['query'],
    ask: (async (name, text) => await holding(async () => rowsOf(await client.query({ name, text })))) as Link['ask'],
    close: async () => await holding(async () => await client.end()),
  };
}

/** Connects, works and closes, also when the work throws. */
export async function withLink<T>(url: string, work: (link: Link) => Promise<T>): Promise<T> {
  const link = await openLink(url);
  try {
    return await work(link);
  } finally {
    await link.close();
  }
}
