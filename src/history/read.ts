import { createHash } from 'node:crypto';
import { catalogGlance, renderCatalogSum } from '../catalog-sum.js';
import { sqlStateOf } from '../errors.js';
import { renderSettings, type Session } from '../session/index.js';
import { literal } from '../sql.js';
import type { Owner } from './journal.js';
import { ownTables, type Tables } from './tables.js';
import { checkedOwner } from './shape.js';
import { asUnreadable } from './unreadable.js';

/** What every boot needs to know of the server. */
export interface Facts {
  readonly backendPid: number;
  readonly inRecovery: boolean;
  /** server_version_num: 180004 for 18.4. */
  readonly serverVersion: number;
  readonly database: string;
  /** current_schema(); null when no schema of the search_path exists. */
  readonly schema: string | null;
  readonly readOnly: boolean;
  readonly user: string;
  /** What SET ROLE has chosen, which pool.afterCreate may have done; else `none`. */
  readonly role: string;
}

/** The history, the owner row and the facts, as one message found them. */
export interface History {
  readonly facts: Facts;
  /** Names in the order in which they ran; undefined when there is no history table. */
  readonly applied: readonly string[] | undefined;
  /** `absent`: knex has migrated here, we have not. `denied`: this role may not read it. */
  readonly journal: 'known' | 'absent' | 'denied';
  readonly owner: Owner | undefined;
  /**
   * Whether the catalogs are, at a glance, as they were when the last run stored the shape of the schema. `unknown`: not asked, nothing is stored, the history
   * is not as that run left it, or they could not be read.
   */
  readonly catalogs: 'as-left' | 'written' | 'unknown';
  /** Whether somebody has ever enqueued a backfill: their table is there. */
  readonly hasBackfills: boolean;
  /** With a lock key: whether this message has taken the advisory lock. */
  readonly locked: boolean;
}

export interface LockKey {
  readonly namespace: number;
  readonly key: number;
}

interface Asking {
  readonly session: Session;
  readonly tables: Tables;
}

/** What else the one message asks. */
export interface Asked {
  /** First tries the advisory lock, without waiting. */
  readonly tryLock?: { readonly key: LockKey; readonly scope: 'session' | 'xact' } | undefined;
  /** Last compares the catalogs with how the last run left them, where it has stored a shape: some milliseconds of the server's time. */
  readonly catalogs?: 'compared' | undefined;
}

const undefinedTable = /^(42P01|3F000)$/; // also a schema that is not there
const denied = '42501';
const catalogPatienceMs = '1000'; // whether there is drift is not worth a longer wait

/**
 * Reads everything that an up-to-date boot needs in one message: one round trip, no lock on anything but what a SELECT takes, no write.
 * The rows are taken as they arrive: what came before a missing table is kept. Waits `timeouts.lockMs` for a table that somebody has locked, then throws
 * EM_BLOCKED with who that is; throws EM_HISTORY_INVALID for tables that are not as knex and ours are.
 */
export async function readHistory(session: Session, tables: Tables, { tryLock, catalogs }: Asked = {}): Promise<History> {
  const { rows, error } = await session.collect(
    [
      session.renderOwn(),
      `select ${tryLock ? renderTryLock(tryLock) : 'false'}, pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('server_version_num')::int, pg_catalog.current_database(), pg_catalog.current_schema(), pg_catalog.current_setting('transaction_read_only')::bool, current_user, pg_catalog.current_setting('role'), pg_catalog.to_regclass(${literal(tables.backfills)}) is not null;`,
      `select ${joinedNames} from ${tables.history};`,
      `select (select detail from ${tables.journal} where kind = 'owner');`,
      ...(catalogs === undefined ? [] : [renderSettings([['lock_timeout', catalogPatienceMs]], 'local'), renderGlance(tables)]),
    ].join('\n'),
  );
  const [first, names, owner, , glance] = rows.slice(1).map((set) => set[0]);
  const state = sqlStateOf(error);
  const known = state !== undefined && (undefinedTable.test(state) || state === denied);
  // Without the right to read the history nothing can be said; without the journal all but edits can. After the owner row only the catalogs were left to read.
  if (error && !owner && (!known || !first || (state === denied && !names))) throw await asUnreadable({ session, tables }, error);
  const applied = names === undefined ? undefined : splitNames(names[0] as string | null);
  return {
    facts: factsOf(first ?? []),
    applied,
    journal: owner ? 'known' : state === denied ? 'denied' : 'absent',
    owner: owner?.[0] === undefined || owner[0] === null ? undefined : checkedOwner(owner[0]),
    catalogs: owner && state === denied ? 'written' : comparedOf(glance, applied ?? []), // who may not take a glance may ask more closely
    hasBackfills: first?.[9] === true,
    locked: first?.[0] === true,
  };
}

/** In SQL: takes the lock if it is free, and tells whether. */
export function renderTryLock({ key, scope }: NonNullable<Asked['tryLock']>): string {
  const fn = scope === 'session' ? 'pg_try_advisory_lock' : 'pg_try_advisory_xact_lock';
  return `pg_catalog.${fn}(${literal(key.namespace)}, ${literal(key.key)})`;
}

function factsOf(row: readonly unknown[]): Facts {
  const [, backendPid, inRecovery, serverVersion, database, schema, readOnly, user, role] = row;
  return { backendPid, inRecovery, serverVersion, database, schema, readOnly, user, role } as Facts;
}

/** In SQL: the names of a history in their order, as one text that {@link splitNames} takes apart. Fails where they are no text. */
export const joinedNames = `pg_catalog.array_to_string(pg_catalog.array_agg(pg_catalog.textcat(name, '') order by id), E'\\n')`;

/** The names of a history, as {@link joinedNames} gives them. */
export function splitNames(names: string | null): string[] {
  return names === null || names === '' ? [] : names.split('\n');
}

/** A digest of checksums in the order of the history; `-` where one is not known. */
export function digestOf(applied: readonly string[], checksumOf: (name: string) => string | undefined): string {
  const hash = createHash('sha256');
  for (const name of applied) hash.update(`${name}\n${checksumOf(name) ?? '-'}\n`);
  return hash.digest('base64url');
}

/** Of a history alone. */
export function digestOfNames(applied: readonly string[]): string {
  return digestOf(applied, () => undefined);
}

/** What a journal row of kind `schema` keeps of the catalogs. */
export interface CatalogSums {
  /** Null for a role that may not take it. */
  readonly glance: string | null;
  readonly catalogs: string;
}

const renderSum = (tables: Tables): string => renderCatalogSum(ownTables(tables));

/** Both sums, as they are now. Throws what the server said. */
export async function readCatalogSums({ session, tables }: Asking): Promise<CatalogSums> {
  const [right] = await session.query<{ may: boolean }>(
    `select pg_catalog.has_function_privilege('pg_catalog.ts_stat(text)', 'execute') as may`,
  );
  const glance = right?.may ? catalogGlance : 'null';
  const [sums] = await session.query<CatalogSums>(`select ${glance} as glance, ${renderSum(tables)} as catalogs`);
  return sums as CatalogSums; // a select without a table has one row
}

// By the end of the journal's key: a run writes this row last. Without one the catalogs are not looked at.
const renderOfLast = (tables: Tables, columns: string): string =>
  `select ${columns} from ${tables.journal} where kind = 'schema' order by id desc limit 1;`;

// With the type of its operator: see catalog-sum.ts.
const field = (name: string): string => `detail ->> '${name}'::pg_catalog.text`;

const renderGlance = (tables: Tables): string => renderOfLast(tables, `${field('history')}, ${field('glance')} = ${catalogGlance}`);

function comparedOf(row: readonly unknown[] | undefined, applied: readonly string[]): History['catalogs'] {
  const [history, isSame] = row ?? [];
  if (history !== digestOfNames(applied)) return 'unknown';
  return isSame === true ? 'as-left' : 'written';
}

/**
 * Whether nothing that counts was written to the catalogs since the last run has stored the shape of the schema: what looks written to at a glance may be
 * temporary, or another file of the same relation. One round trip. Throws what the server said.
 */
export async function areCatalogsAsLeft({ session, tables }: Asking): Promise<boolean> {
  const [row] = await session.query<{ same: boolean | null }>(renderOfLast(tables, `${field('catalogs')} = ${renderSum(tables)} as same`));
  return row?.same === true;
}
