import type { Call } from './call.js';
import type { Finding } from './finding.js';
import { renderSchema, type History, type Tables } from './history/index.js';
import {
  compressLines,
  diffSchema,
  expandLines,
  fingerprint,
  isSameSchema,
  readSchema,
  renderChange,
  type Fingerprint,
} from './schema/index.js';
import type { Session } from './session/index.js';

export interface DriftRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
}

/** What a journal row of kind `schema` keeps: how the schema looked when the last run ended. */
interface Remembered extends Fingerprint {
  readonly lines: string;
}

const shownCount = 5;

/** The finding `schema-drift` when the schema is not as the last run left it. One query more where there is a journal; none when the rule is off. */
export async function describeDrift({ call, session, tables, journal }: DriftRequest & Pick<History, 'journal'>): Promise<Finding[]> {
  const { level } = call.config.rules['schema-drift'];
  if (level === 'off' || journal !== 'known') return [];
  const [row] = await session.query<{ detail: Remembered }>(
    `select detail from ${tables.journal} where kind = 'schema' order by id desc limit 1`,
  );
  if (!row) return [];
  const live = await readSchema((text, values) => session.query(text, values), { excluded: [tables.history, tables.lock, tables.journal] });
  if (isSameSchema(row.detail, fingerprint(live))) return [];
  const changes = diffSchema({ serverVersion: row.detail.serverVersion, lines: await expandLines(row.detail.lines) }, live);
  return changes.length === 0 ? [] : [driftFinding(level, changes.map(renderChange))];
}

function driftFinding(level: 'error' | 'warn', changes: readonly string[]): Finding {
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
  const { call, session, tables } = request;
  if (call.config.rules['schema-drift'].level === 'off' || (await hasOtherHistory(session))) return;
  const schema = await readSchema((text, values) => session.query(text, values), {
    excluded: [tables.history, tables.lock, tables.journal],
  });
  const remembered: Remembered = { ...fingerprint(schema), lines: await compressLines(schema.lines) };
  await session.send(renderSchema(request, remembered));
}

async function hasOtherHistory(session: Session): Promise<boolean> {
  const rows = await session.query(
    `select from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
     where c.relkind = 'r' and a.attname in ('id', 'name', 'batch', 'migration_time') group by a.attrelid having count(*) = 4 limit 2`,
  );
  return rows.length > 1;
}
