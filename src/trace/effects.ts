import { isStronger, type LockMode } from '../lock-mode.js';
import type { Probe, Relation } from './probe.js';

/** A lock on a table, view or materialized view that others may be using. */
export interface TracedLock {
  /** With its schema: `public.orders`. Quoted where it must be. */
  readonly table: string;
  readonly mode: LockMode;
  /** Where it is the index that is locked, more strongly than its table. ACCESS EXCLUSIVE on it blocks readers of the table too. */
  readonly index?: string;
}

/** What a statement did to what was there before its migration. */
export interface Effects {
  /** Taken by this statement, or made stronger by it. */
  readonly locks: readonly TracedLock[];
  /** The strongest on each since the transaction began, those of this statement among them. They last until its end. */
  readonly held: readonly TracedLock[];
  /** Tables and materialized views whose rows were written anew. */
  readonly rewritten: readonly string[];
  /** Tables that were read from end to end, beyond what a rewrite or the building of an index reads. */
  readonly scanned: readonly string[];
  /** Indexes that were built, also anew, on tables that were there before. */
  readonly indexesBuilt: readonly string[];
}

export const nothing: Effects = { locks: [], held: [], rewritten: [], scanned: [], indexesBuilt: [] };

export interface Comparison {
  /** By oid, as they were right before the statement; also what has been dropped since. */
  readonly before: ReadonlyMap<string, Relation>;
  readonly heldBefore: Probe['held'];
  readonly after: Probe;
  /** What was there before the migration: nobody else can see the rest. */
  readonly old: ReadonlySet<string>;
  /** The first word of the statement, in capitals. */
  readonly command: string;
}

/** Compares what a session held, and the relations were, before and after a statement. Pure. */
export function effectsOf(comparison: Comparison): Effects {
  const { after, heldBefore } = comparison;
  const held = locksOf(comparison, after.held);
  const taken = new Map([...after.held].filter(([oid, mode]) => isStronger(mode, heldBefore.get(oid))));
  const written = { rewritten: rewrittenOf(comparison), built: builtOf(comparison) };
  const { rewritten, built } = comparison.command === 'TRUNCATE' ? { rewritten: [], built: [] } : written; // new files, and nothing in them
  return {
    locks: locksOf(comparison, taken),
    held,
    rewritten: namesOf(rewritten, comparison),
    scanned: namesOf(scannedOf(comparison, written), comparison),
    indexesBuilt: built.map(({ name }) => name).sort(),
  };
}

// An index is locked with its table, as a rule not more strongly: then the table says it all.
function locksOf({ before, old, after }: Comparison, modes: ReadonlyMap<string, LockMode>): TracedLock[] {
  const locks = [...modes].flatMap(([oid, mode]): TracedLock[] => {
    const relation = before.get(oid);
    if (!relation || !old.has(oid)) return [];
    if (relation.table === null) return [{ table: relation.name, mode }];
    const table = before.get(relation.table);
    if (!table || !old.has(table.oid) || !isStronger(mode, after.held.get(table.oid))) return [];
    return [{ table: table.name, mode, index: relation.name }];
  });
  return locks.sort((one, other) => compareText(one.table, other.table) || compareText(one.index ?? '', other.index ?? ''));
}

function rewrittenOf({ before, after, old }: Comparison): Relation[] {
  return after.relations.filter(({ oid, table, file }) => table === null && old.has(oid) && before.get(oid)?.file !== file);
}

// By the file, since a column that becomes wider gives its index another row of the catalog, which keeps the file.
function builtOf({ before, after, old }: Comparison): Relation[] {
  const files = new Set([...before.values()].map(({ file }) => file));
  return after.relations.filter(({ table, file }) => table !== null && old.has(table) && file !== null && !files.has(file));
}

function scannedOf(comparison: Comparison, { rewritten, built }: Written): Relation[] {
  const { before, after, old } = comparison;
  const scanned = after.relations.filter((relation) => {
    if (relation.table !== null || !old.has(relation.oid)) return false;
    const scans = relation.scans - (before.get(relation.oid)?.scans ?? 0);
    const explained = built.filter(({ table }) => table === relation.oid).length + (rewritten.includes(relation) ? 1 : 0);
    return scans > explained;
  });
  const joined = scanned.flatMap((relation) => newlyReferenced(relation, comparison));
  return after.relations.filter((relation) => scanned.includes(relation) || joined.includes(relation.oid));
}

// To validate a foreign key the server joins the two tables, and begins with the one that refers: as that is empty here, it leaves the other unread.
function newlyReferenced({ oid, references }: Relation, { before, old }: Comparison): string[] {
  const known = before.get(oid)?.references.map(({ key }) => key) ?? [];
  return references.filter(({ key, to }) => !known.includes(key) && old.has(to)).map(({ to }) => to);
}

interface Written {
  readonly rewritten: readonly Relation[];
  readonly built: readonly Relation[];
}

// As they were called when the statement came.
function namesOf(relations: readonly Relation[], { before }: Comparison): string[] {
  return relations.map(({ oid, name }) => before.get(oid)?.name ?? name).sort();
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
