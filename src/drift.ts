import type { Call } from './call.js';
import type { RuleSetting } from './config/index.js';
import { messageOf } from './errors.js';
import type { Finding } from './finding.js';
import { digestOf, ownTables, renderSchema, type History, type Tables } from './history/index.js';
import {
  compressLines,
  diffSchema,
  expandLines,
  fingerprint,
  isSameSchema,
  readSchema,
  renderChange,
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
interface Remembered extends Fingerprint {
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
  const [row] = await session.query<{ at: Date; detail: Remembered }>(
    `select at, detail from ${tables.journal} where kind = 'schema' order by id desc limit 1`,
  );
  if (row?.detail.history !== digestOfNames(applied) || (await hasOtherHistory(session))) return undefined;
  return { at: row.at, schema: { serverVersion: row.detail.serverVersion, lines: await expandLines(row.detail.lines) } };
}

const shownCount = 5;

/**
 * The finding `schema-drift` when the schema is not as the last run left it. Where the history is not as it left it either, nothing can be
 * said: knex has migrated or rolled back since, or a run has failed after its first migrations. One query more where there is a journal;
 * none when the rule is off.
 */
export async function describeDrift(request: DriftRequest & Pick<History, 'journal'>): Promise<Finding[]> {
  const { call, session, tables, applied } = request;
  const rule = call.config.rules['schema-drift'];
  if (rule.level === 'off' || request.journal !== 'known') return [];
  const [row] = await session.query<{ detail: Remembered }>(
    `select detail from ${tables.journal} where kind = 'schema' order by id desc limit 1`,
  );
  if (row?.detail.history !== digestOfNames(applied)) return [];
  const live = await readLive(request);
  if (!live || isSameSchema(row.detail, fingerprint(live)) || (await hasOtherHistory(session))) return [];
  const changes = diffSchema({ serverVersion: row.detail.serverVersion, lines: await expandLines(row.detail.lines) }, live);
  const left = changes.filter(({ identity }) => !isExcepted(rule, identity));
  return left.length === 0 ? [] : [driftFinding(rule.level, left.map(renderChange))];
}

// By the name of the object, or of the table that it stands in or on.
function isExcepted({ except }: RuleSetting, identity: string): boolean {
  return except.some((name) => identity === name || identity.startsWith(`${name}.`) || identity.endsWith(` on ${name}`));
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
  const schema = await readLive(request);
  if (!schema) return;
  const remembered: Remembered = { ...fingerprint(schema), lines: await compressLines(schema.lines), history: digestOfNames(applied) };
  await session.send(renderSchema(request, remembered));
}

const lockTimeoutMs = 1_000;

// What cannot be read now must not keep a service from booting: somebody rewrites a table (55P03), or drops one meanwhile (XX000).
async function readLive({ call, session, tables }: DriftRequest): Promise<Schema | undefined> {
  const excluded = ownTables(tables);
  try {
    return await readSchema((text, values) => session.query(text, values), { excluded, lockTimeoutMs });
  } catch (error) {
    if (session.wire.lost || session.wire.status !== 'I') throw error;
    call.report.warn('drift.skipped', { reason: messageOf(error) });
    return undefined;
  }
}

function digestOfNames(applied: readonly string[]): string {
  return digestOf(applied, () => undefined);
}

async function hasOtherHistory(session: Session): Promise<boolean> {
  const rows = await session.query(
    `select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
     where c.relkind = 'r' and a.attname in ('id', 'name', 'batch', 'migration_time') group by a.attrelid having count(*) = 4 limit 2`,
  );
  return rows.length > 1;
}
