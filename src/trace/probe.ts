import { isStronger, parseLockMode, type LockMode } from '../lock-mode.js';
import type { Answer, Message } from '../session/index.js';
import { literal } from '../sql.js';

/** A table, view or index as a probe finds it. */
export interface Relation {
  readonly oid: string;
  /** With its schema, quoted where it must be. */
  readonly name: string;
  /** Of an index: the table. */
  readonly table: string | null;
  /** Where its rows are; null where it has none of its own. Another one means that they were written anew. */
  readonly file: string | null;
  /** How often it was read from end to end in the transaction, as far as the server has not passed that on. */
  readonly scans: number;
  /** Its validated foreign keys, and the tables that they refer to. */
  readonly references: readonly { readonly key: string; readonly to: string }[];
}

/** What the session holds and what the relations are like, at one moment. */
export interface Probe {
  readonly relations: readonly Relation[];
  /** By relation, the strongest. */
  readonly held: ReadonlyMap<string, LockMode>;
}

export interface ProbeRequest {
  readonly send: (message: Message) => Promise<Answer>;
  /** `locked`: nothing else can have changed. */
  readonly of: 'all' | 'locked';
  /** Names of tables that are left out with their indexes. */
  readonly except: readonly string[];
}

/**
 * Looks from inside a session, in whatever transaction it has open. One SELECT on the catalog: it locks nothing that it would find, writes
 * nothing, and takes no name from the search_path. An operator sees the same locks, while they are held, with:
 *   select relation::regclass, mode from pg_locks where locktype = 'relation' and pid = <pid>;
 */
export async function probe({ send, of, except }: ProbeRequest): Promise<Probe> {
  const { results } = await send({ text: probeSql(of, except) });
  const [{ held, relations } = { held: '[]', relations: '[]' }] = (results.at(-1)?.rows ?? []) as { held: string; relations: string }[];
  return { relations: JSON.parse(relations) as Relation[], held: strongest(JSON.parse(held) as Held[]) };
}

interface Held {
  readonly oid: string;
  readonly mode: string;
}

function strongest(locks: readonly Held[]): Map<string, LockMode> {
  const held = new Map<string, LockMode>();
  for (const { oid, mode: name } of locks) {
    const mode = parseLockMode(name);
    if (mode !== undefined && isStronger(mode, held.get(oid))) held.set(oid, mode);
  }
  return held;
}

// As text, since the application may have told pg to read json in its own way. Operators are found by the search_path too, and a migration may have
// put another schema before pg_catalog.
const [is, isNot] = ['operator(pg_catalog.=)', 'operator(pg_catalog.<>)'];

function probeSql(of: ProbeRequest['of'], except: readonly string[]): string {
  const left = except.map((name) => `pg_catalog.to_regclass(${literal(name)})::pg_catalog.oid`).join(', ');
  const scope = of === 'locked' ? `and (c.oid ${is} any (select oid from held) or i.indrelid ${is} any (select oid from held))` : '';
  return `with held as materialized (
      select l.relation as oid, l.mode from pg_catalog.pg_locks l
      where l.locktype ${is} 'relation' and l.granted and l.pid ${is} pg_catalog.pg_backend_pid() and l.database ${is} (
        select oid from pg_catalog.pg_database where datname ${is} pg_catalog.current_database())
    ), relations as (
      select c.oid::pg_catalog.text as oid, pg_catalog.format('%I.%I', n.nspname, c.relname) as name, i.indrelid::pg_catalog.text as "table",
        pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.text as file, pg_catalog.pg_stat_get_xact_numscans(c.oid) as scans,
        array(
          select pg_catalog.json_build_object('key', k.oid::pg_catalog.text, 'to', k.confrelid::pg_catalog.text) from pg_catalog.pg_constraint k
          where k.conrelid ${is} c.oid and k.contype ${is} 'f' and k.convalidated
        ) as "references"
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid ${is} c.relnamespace
        left join pg_catalog.pg_index i on i.indexrelid ${is} c.oid
      where c.relkind ${is} any ('{r,p,v,m,f,i,I}'::pg_catalog."char"[]) and c.relpersistence ${isNot} 't'
        and n.nspname ${isNot} all ('{pg_catalog,information_schema,pg_toast}'::pg_catalog.name[]) ${scope}
        and coalesce(i.indrelid, c.oid) ${isNot} all (pg_catalog.array_remove(array[${left}]::pg_catalog.oid[], null))
    )
    select
      (select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('oid', oid::pg_catalog.text, 'mode', mode)), '[]')::pg_catalog.text from held) as held,
      (select coalesce(pg_catalog.json_agg(relations), '[]')::pg_catalog.text from relations) as relations`;
}
