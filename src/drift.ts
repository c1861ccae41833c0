import type { Call } from './call.js';
import { isOther } from './claim.js';
import { messageOf } from './errors.js';
import type { Finding } from './finding.js';
import {
  areCatalogsAsLeft,
  digestOfNames,
  ownTables,
  readCatalogSums,
  readHistory,
  type CatalogSums,
  type History,
  type Tables,
} from './history/index.js';
import { renderSchema } from './journal-rows.js';
import {
  compressLines,
  diffSchema,
  expandLines,
  fingerprint,
  isNamed,
  readSchema,
  renderChange,
  restrictTo,
  type Change,
  type Fingerprint,
  type Schema,
} from './schema/index.js';
import type { Session } from './session/index.js';

export interface DriftRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  /** The history as it stands. */
  readonly applied: readonly string[];
}

/** What a journal row of kind `schema` keeps: how the schema looked when the last run ended. */
interface Remembered extends Fingerprint, CatalogSums {
  readonly lines: string;
  /** A digest of the history at that time. */
  readonly history: string;
}

/** How the last run left the schema, for a reading of it as it is now. */
export interface LastShape {
  readonly at: Date;
  readonly schema: Schema;
}

/**
 * The shape that the last run has stored; undefined where there is none, where the history is not as that run left it, and where another history
 * lives in the same database. One or two queries; takes no lock.
 */
export async function readLastShape({
  session,
  tables,
  applied,
}: Pick<DriftRequest, 'session' | 'tables' | 'applied'>): Promise<LastShape | undefined> {
  const [row] = await session.query<{ at: Date; detail: Remembered | null }>(
    `select at, detail from ${tables.journal} where kind = 'schema' order by id desc limit 1`,
  );
  if (row?.detail?.history !== digestOfNames(applied) || (await hasOtherHistory(session))) return undefined;
  const lines = await expandLines(row.detail.lines).catch(() => undefined); // nothing that a run has written: as if nothing were stored
  return lines && { at: row.at, schema: { serverVersion: row.detail.serverVersion, lines } };
}

/** What has become of the schema, but for what is ignored: schemas, objects with all that belongs to them, or single objects, as patterns. Pure. */
export function changesSince(left: Schema, live: Schema, ignored: readonly string[]): Change[] {
  const seen = (schema: Schema) => restrictTo({ include: [], exclude: ignored }, schema);
  return diffSchema(seen(left), seen(live)).filter(({ identity }) => !ignored.some((pattern) => isNamed(identity, pattern)));
}

const shownCount = 5;

/**
 * The finding `schema-drift` when the schema is not as the last run left it. Where the history is not as it left it either, or somebody migrates
 * meanwhile, nothing can be said. One query where the catalogs were not written to since, else about four and the reading of the schema;
 * none when the rule is off.
 */
export async function describeDrift(request: DriftRequest & { readonly history: History }): Promise<Finding[]> {
  const { call, history } = request;
  const rule = call.config.rules['schema-drift'];
  if (rule.level === 'off' || history.journal !== 'known') return [];
  // Who has looked at a glance has asked this before it loaded what is here.
  if (history.catalogs !== 'written' && (await orSkipped(request, areCatalogsAsLeft(request)))) return [];
  const left = await readLastShape(request);
  const live = left && (await readLive(request));
  if (!live) return [];
  const changes = changesSince(left.schema, live, rule.except);
  return changes.length === 0 || (await hasMoved(request)) ? [] : [driftFinding(rule.level, changes.map(renderChange))];
}

// Who does not hold the lock may have read the schema of a run in the middle of its work: that has said so before its first change.
async function hasMoved({ session, tables, applied, history }: DriftRequest & { readonly history: History }): Promise<boolean> {
  const now = await readHistory(session, tables);
  return isOther(applied, now.applied ?? []) || now.owner?.run !== history.owner?.run;
}

function driftFinding(level: Finding['level'], changes: readonly string[]): Finding {
  const more = changes.length > shownCount ? ` and ${changes.length - shownCount} more` : '';
  return {
    code: 'schema-drift',
    level,
    message: `the schema is not as the last run left it: ${changes.slice(0, shownCount).join('; ')}${more}`,
    remedy: 'Undo what was changed by hand, or write a migration for it.',
  };
}

/** Stores how the schema looks now, unless another history lives in this database: its migrations are no drift. Writes one journal row. */
export async function rememberSchema(request: DriftRequest): Promise<void> {
  const { call, session, applied } = request;
  if (call.config.rules['schema-drift'].level === 'off' || (await hasOtherHistory(session))) return;
  const sums = await orSkipped(request, readCatalogSums(request)); // before the lines: what is changed meanwhile is seen next time
  const schema = sums && (await readLive(request));
  if (!schema) return;
  const remembered: Remembered = {
    ...fingerprint(schema),
    lines: await compressLines(schema.lines),
    ...sums,
    history: digestOfNames(applied),
  };
  await session.send(renderSchema(request, remembered));
}

const lockTimeoutMs = 1_000;

async function readLive(request: DriftRequest): Promise<Schema | undefined> {
  const { session, tables } = request;
  const excluded = ownTables(tables);
  return await orSkipped(
    request,
    readSchema((text) => session.query(text), { excluded, lockTimeoutMs }),
  );
}

// What cannot be read now must not keep a service from booting: somebody rewrites a table (55P03), or drops one meanwhile (XX000).
async function orSkipped<T>({ call, session }: DriftRequest, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (session.wire.lost || session.wire.status !== 'I') throw error;
    call.report.warn('drift.skipped', { reason: messageOf(error) });
    return undefined;
  }
}

async function hasOtherHistory(session: Session): Promise<boolean> {
  const rows = await session.query(
    `select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
     where c.relkind = 'r' and a.attname in ('id', 'name', 'batch', 'migration_time') group by a.attrelid having count(*) = 4 limit 2`,
  );
  return rows.length > 1;
}
