import type { Finding } from './finding.js';
import { ownTables, type Tables } from './history/index.js';
import {
  diffSchema,
  keyOf,
  readSchema,
  renderChange,
  restrictTo,
  type Change,
  type Coverage,
  type Line,
  type Schema,
} from './schema/index.js';
import type { Session } from './session/index.js';

/** What stands in a database, and whose it is. */
export interface Built {
  readonly schema: Schema;
  /** Roles that own something in it, quoted where SQL needs it. */
  readonly owners: readonly string[];
}

// Extensions own their members; the history is not what migrations make.
const ownersSql = `select distinct pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(owner)) as owner from (
    select oid, 'pg_catalog.pg_class'::pg_catalog.regclass::oid as catalog, relnamespace as space, relowner as owner from pg_catalog.pg_class
    union all select oid, 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, pronamespace, proowner from pg_catalog.pg_proc
    union all select oid, 'pg_catalog.pg_type'::pg_catalog.regclass::oid, typnamespace, typowner from pg_catalog.pg_type
    union all select oid, 'pg_catalog.pg_namespace'::pg_catalog.regclass::oid, oid, nspowner from pg_catalog.pg_namespace
  ) as object join pg_catalog.pg_namespace n on n.oid = object.space
  where n.nspname::text !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_catalog.pg_depend d where d.classid = object.catalog and d.objid = object.oid and d.deptype = 'e')
  order by owner`;

/** Reads a database without the tables of its history. Waits behind ACCESS EXCLUSIVE for `lockTimeoutMs` (55P03 then); writes nothing. */
export async function readBuilt(session: Session, tables: Tables, lockTimeoutMs: number): Promise<Built> {
  const excluded = ownTables(tables);
  const schema = await readSchema((text) => session.query(text), { excluded, lockTimeoutMs });
  const owners = await session.query<{ owner: string }>(ownersSql);
  return { schema, owners: owners.map(({ owner }) => owner) };
}

/** What was built without what a model is not about; see {@link restrictTo}. Pure. */
export function coveredBy(coverage: Coverage, built: Built): Built {
  return { ...built, schema: restrictTo(coverage, built.schema) };
}

/** What migrations do: how a database is before them and after. */
export interface Effect {
  readonly from: Built;
  readonly to: Built;
}

/** How many objects an effect adds, drops or changes. Pure. */
export function countChanged(effect: Effect): number {
  return changedKeys(effect).size;
}

/** Where a database is not as an effect leaves it; what the effect does not touch is not looked at. Pure. */
export function missesOf(effect: Effect, live: Built): Change[] {
  const keys = changedKeys(effect);
  return differences(only(effect.to, keys), only(live, keys));
}

/** Where a database is not as it is wanted. Pure. */
export function differences(wanted: Built, live: Built): Change[] {
  const owners = ownersOfOne(wanted, live);
  return diffSchema(withoutGrantsTo(owners, wanted.schema), withoutGrantsTo(owners, live.schema));
}

function changedKeys({ from, to }: Effect): ReadonlySet<string> {
  const before = definitionsOf(from);
  const after = definitionsOf(to);
  return new Set([...before.keys(), ...after.keys()].filter((key) => before.get(key) !== after.get(key)));
}

function definitionsOf({ schema }: Built): ReadonlyMap<string, string> {
  return new Map(schema.lines.map((line) => [keyOf(line), line.definition]));
}

function only({ schema, owners }: Built, keys: ReadonlySet<string>): Built {
  return { schema: { ...schema, lines: schema.lines.filter((line) => keys.has(keyOf(line))) }, owners };
}

// Who owns an object is not compared, but the server lists what an owner may do with it like any other grant, and names whose new
// objects get default privileges.
function withoutGrantsTo(owners: readonly string[], schema: Schema): Schema {
  const isOwners = ({ kind, identity, definition }: Line) =>
    (kind === 'grant' && definition === 'ALL' && owners.some((owner) => identity.endsWith(` to ${owner}`))) ||
    (kind === 'default privileges' && owners.some((owner) => identity.startsWith(`of ${owner} on `)));
  return owners.length === 0 ? schema : { ...schema, lines: schema.lines.filter((line) => !isOwners(line)) };
}

/** A schema without what the owners may do with their own: who they are is a matter of the server, and is not compared. Pure. */
export function withoutOwners({ schema, owners }: Built): Schema {
  return withoutGrantsTo(owners, schema);
}

// Where the same roles own things on both sides, their grants are compared as well.
function ownersOfOne({ owners: one }: Built, { owners: other }: Built): string[] {
  const isOfBoth = one.join() === other.join();
  return isOfBoth ? [] : [...new Set([...one, ...other])];
}

/** A difference from what the migrations make, as a finding of a verb. Pure. */
export function findingOf(change: Change): Finding {
  const { action, kind, identity } = change;
  const level = 'error';
  if (action === 'dropped')
    return {
      code: 'schema-missing',
      level,
      message: `${kind} ${identity} is not there`,
      remedy: 'Make it as the migrations do, or choose a revision that does not have it yet.',
    };
  if (action === 'added')
    return {
      code: 'schema-extra',
      level,
      message: `${kind} ${identity} is there, and the migrations do not leave it`,
      remedy: 'Drop it, or choose a revision that has it.',
    };
  return {
    code: 'schema-differs',
    level,
    message: `not as the migrations make it: ${renderChange(change)}`,
    remedy: 'Change it to what the migrations make, or choose another revision.',
  };
}
