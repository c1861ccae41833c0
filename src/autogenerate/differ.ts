import type { Pool } from 'pg';
import type { FactBase } from '@supabase/pg-delta/core';
import type { Action } from '@supabase/pg-delta/plan';
import { messageOf, MigrationError } from '../errors.js';
import type { Tables } from '../history/index.js';
import type { Coverage } from '../schema/index.js';
import type { Wire } from '../session/index.js';
import { policyFor } from './policy.js';

/** One statement on the way from one schema to another, in an order that the server accepts. */
export interface Change {
  readonly sql: string;
  /** What comes into being, goes, and is needed, each as one text. */
  readonly makes: readonly string[];
  readonly destroys: readonly string[];
  readonly needs: readonly string[];
  /** Cannot run in a transaction. */
  readonly outside: boolean;
  /** What comes after it needs its commit: a new value of an enum cannot be used before. */
  readonly commits: boolean;
  /** Rows, or what is in a column of them, are gone for good. */
  readonly loses: boolean;
  /** A column without a value in the rows that are there, which somebody has to fill before this runs. */
  readonly toFill?: string | undefined;
}

/** A schema as the differ has read it. */
export interface Read {
  /** A `FactBase` of the optional package, whose types need not be there for those who read ours. */
  readonly facts: unknown;
  readonly roles: readonly string[];
  readonly owner: string;
}

/** What the comparison leaves out. */
export interface Scope {
  readonly coverage: Coverage;
  readonly tables: Tables;
  readonly schema: string | undefined;
}

/** Compares two schemas. The only part of the library that knows by which package that is done. */
export interface Differ {
  /** Reads the database of a connection, in one read-only transaction. */
  read(wire: Wire): Promise<Read>;
  /** The statements that make `desired` of `live`. `concurrently`: indexes of ordinary tables are built outside a transaction. Pure. */
  diff(sides: { readonly live: Read; readonly desired: Read }, scope: Scope, indexes: 'concurrently' | 'plain'): Change[];
}

/** Loads the optional package that compares schemas. Throws EM_DIFFER_MISSING with the line that installs it. */
export async function loadDiffer(): Promise<Differ> {
  const { extract } = await load(async () => await import('@supabase/pg-delta/extract'));
  const { plan } = await load(async () => await import('@supabase/pg-delta/plan'));
  return {
    read: async (wire) => {
      const { rows } = await wire.client.query<{ owner: string; roles: string[] }>(
        'select current_user as owner, array(select rolname::text from pg_catalog.pg_roles) as roles',
      );
      const { factBase } = await extract(poolOf(wire));
      return { facts: factBase, roles: rows[0]?.roles ?? [], owner: rows[0]?.owner ?? '' };
    },
    diff: ({ live, desired }, scope, indexes) => {
      const policy = policyFor(scope, live);
      const options = {
        scope: 'database' as const,
        defaultOwner: live.owner,
        policy,
        params: { concurrentIndexes: indexes === 'concurrently' },
      };
      return plan(live.facts as FactBase, desired.facts as FactBase, options).actions.map(changeOf);
    },
  };
}

async function load<T>(importing: () => Promise<T>): Promise<T> {
  try {
    return await importing();
  } catch (cause) {
    throw new MigrationError('EM_DIFFER_MISSING', `the package that compares schemas cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

// It takes a pool, asks it for one client, and gives that back.
function poolOf({ client }: Wire): Pool {
  const lent = { query: client.query.bind(client), release: () => undefined };
  return { connect: async () => await Promise.resolve(lent) } as unknown as Pool;
}

function changeOf({ sql, produces, destroys, consumes, transactionality, dataLoss }: Action): Change {
  const texts = (ids: readonly object[]) => ids.map((id) => JSON.stringify(id));
  return {
    sql,
    makes: texts(produces),
    destroys: texts(destroys),
    needs: texts([...consumes, ...produces.flatMap((id) => ('target' in id ? [id.target] : []))]),
    outside: transactionality === 'nonTransactional',
    commits: transactionality === 'commitBoundaryAfter',
    loses: dataLoss === 'destructive',
  };
}
