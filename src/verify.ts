import type { Call } from './call.js';
import { describeInvalidIndex, invalidIndexSql, judge, type Found, type InvalidIndex } from './checks/index.js';
import type { Finding } from './finding.js';
import type { Tables } from './history/index.js';
import type { Session } from './session/index.js';
import { migrationId } from './source/index.js';
import { identifier, qualified } from './sql.js';

interface OpenConstraint {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** `table`, or `domain`. */
  readonly kind: 'table' | 'domain';
  readonly owner: string;
}

/** What is in the database without being sound: indexes that are invalid, constraints that are not validated. */
export interface Unsound {
  readonly indexes: readonly InvalidIndex[];
  readonly constraints: readonly OpenConstraint[];
}

// What a partition or a child table has from its parent goes with the parent's. What is NOT ENFORCED (PostgreSQL 18) cannot be validated.
const openConstraintSql = `select k.oid::text as oid, n.nspname as schema, k.conname as name,
    case when k.contypid = '0' then 'table' else 'domain' end as kind, coalesce(c.relname, d.typname) as owner
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_namespace n on n.oid = k.connamespace
  left join pg_catalog.pg_class c on c.oid = k.conrelid
  left join pg_catalog.pg_type d on d.oid = k.contypid
  where not k.convalidated and k.conislocal and coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::bool, true)
    and n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
  order by n.nspname, coalesce(c.relname, d.typname), k.conname`;

/** Reads what is unsound now, so that {@link verifyRun} can tell what a run has added. One round trip; writes nothing. */
export async function readUnsound(session: Session): Promise<Unsound> {
  const { results } = await session.send(`${invalidIndexSql};\n${openConstraintSql};`);
  const [indexes, constraints] = results.map(({ rows }) => rows as unknown[]);
  return { indexes: (indexes ?? []) as InvalidIndex[], constraints: (constraints ?? []) as OpenConstraint[] };
}

export interface VerifyRequest {
  readonly call: Call;
  readonly session: Session;
  readonly tables: Tables;
  /** What {@link readUnsound} gave before the run. */
  readonly before: Unsound;
  /** Names that the history must have now, each as often as it stands here. */
  readonly expected: readonly string[];
}

/**
 * Looks at the database after a run, while the lock is held: the history has what it should, and the run has left no index invalid and no
 * constraint without validation. One round trip; writes nothing. Throws what the server says.
 */
export async function verifyRun(request: VerifyRequest): Promise<readonly Finding[]> {
  const { session, tables } = request;
  const names = `select coalesce(pg_catalog.json_agg(name), '[]') as names from ${tables.history} where name is not null`;
  const { results } = await session.send(`${names};\n${invalidIndexSql};\n${openConstraintSql};`);
  const [history, indexes, constraints] = results.map(({ rows }) => rows as unknown[]);
  const [{ names: recorded } = { names: [] }] = (history ?? []) as { names: readonly string[] }[];
  return [
    ...verifyHistory(request, recorded),
    ...verifyIndexes(request, (indexes ?? []) as InvalidIndex[]),
    ...verifyConstraints(request, (constraints ?? []) as OpenConstraint[]),
  ];
}

// Not a rule: a history that does not hold what was just written to it is never fine.
function verifyHistory({ tables, expected }: VerifyRequest, recorded: readonly string[]): Finding[] {
  const left = new Map<string, number>();
  for (const id of recorded.map(migrationId)) left.set(id, (left.get(id) ?? 0) + 1);
  const missing = expected.filter((name) => {
    const count = left.get(migrationId(name)) ?? 0;
    left.set(migrationId(name), count - 1);
    return count <= 0;
  });
  if (missing.length === 0) return [];
  const message = `applied, but no longer in ${tables.history}: ${missing.join(', ')}`;
  const remedy = 'Look for what deletes from the history: a migration, a trigger on it, or another tool; then put the rows back.';
  return [
    { code: 'verify-history', level: 'error', message, remedy, ...(missing.length === 1 && { at: { migration: missing[0] as string } }) },
  ];
}

function verifyIndexes({ call, before }: VerifyRequest, indexes: readonly InvalidIndex[]): Finding[] {
  const known = new Set(before.indexes.map(({ oid }) => oid));
  const found = indexes.filter(({ oid }) => !known.has(oid)).map(foundIndex);
  return judge('verify-invalid-index', call.config.rules['verify-invalid-index'], found);
}

// Somebody else's build that is under way ends well by itself, or is for them to look at.
function foundIndex(index: InvalidIndex): Found {
  const names = [index.name, `${index.schema}.${index.name}`];
  return { ...describeInvalidIndex(index), names, ...(index.builderPid !== null && { level: 'warn' }) };
}

function verifyConstraints({ call, before }: VerifyRequest, constraints: readonly OpenConstraint[]): Finding[] {
  const known = new Set(before.constraints.map(({ oid }) => oid));
  const found = constraints.filter(({ oid }) => !known.has(oid)).map(foundConstraint);
  return judge('verify-unvalidated-constraint', call.config.rules['verify-unvalidated-constraint'], found);
}

function foundConstraint({ schema, name, kind, owner }: OpenConstraint): Found {
  const shown = qualified(schema, owner);
  const message = `the constraint ${identifier(name)} of ${shown} is not validated: what was there before it is not checked`;
  const remedy = `Validate it in a later migration, outside the one that added it: alter ${kind} ${shown} validate constraint ${identifier(name)};`;
  return { message, remedy, names: [name, `${schema}.${name}`] };
}
