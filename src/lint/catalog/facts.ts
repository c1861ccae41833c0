import type { Node } from 'libpg-query';
import { sqlStateOf } from '../../errors.js';
import { tryParseSql } from '../../source/index.js';
import { readRefusal, type Refusal } from '../actions/index.js';
import { factsSql } from './facts-sql.js';

/** What the catalog is asked about: names as statements use them. */
export interface Wanted {
  /** Tables, views, indexes. */
  readonly relations: readonly string[];
  /** As text that `to_regtype` reads. */
  readonly types: readonly string[];
  /** By their last name. */
  readonly functions: readonly string[];
  /** Those that statements name: relations are looked for in these, and in those of the search_path. */
  readonly schemas: readonly string[];
}

export interface ColumnFacts {
  readonly name: string;
  /** As format_type writes it: `character varying(30)`. */
  readonly type: string;
  /** Of a domain the type below it. */
  readonly base?: string | null;
  /** Not by a constraint that is yet to be validated (PostgreSQL 18). */
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly generated: '' | 's' | 'v';
  readonly identity: boolean;
  /** Null for the type's own. */
  readonly collation: string | null;
}

export interface ConstraintFacts {
  readonly name: string;
  readonly kind: 'c' | 'f' | 'p' | 'u' | 'x' | 'n';
  readonly validated: boolean;
  readonly columns: readonly string[];
  /** As pg_get_constraintdef writes it. */
  readonly definition: string;
  readonly references: QualifiedName | null;
  /** Of the key that it references; empty for its primary key. */
  readonly referencedColumns?: readonly string[];
  readonly index: string | null;
  /** Of a check. */
  readonly expression?: Node | undefined;
}

export interface IndexFacts {
  readonly name: string;
  readonly schema: string;
  readonly unique: boolean;
  readonly valid: boolean;
  /** Null for an expression. */
  readonly columns: readonly (string | null)[];
  readonly partial: boolean;
  /** Of a constraint that is declared, or of an index of columns alone: see IndexDefinition. */
  readonly plain: boolean;
  readonly method: string;
  readonly definition: string;
  /** Columns that it is built anew for with any change of their type, also to the same (CheckIndexCompatible): it has a WHERE, an expression, or is invalid. */
  readonly rebuiltWith?: readonly string[];
}

export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

export interface RelationFacts extends QualifiedName {
  /** relkind: r table, p partitioned table, v view, m materialized view, f foreign table, i and I indexes. */
  readonly kind: string;
  /** Of an index. */
  readonly table: QualifiedName | null;
  readonly valid: boolean | null;
  /** An estimate, with all partitions. */
  readonly rows: number;
  /** relpersistence: p permanent, u unlogged, t temporary. */
  readonly persistence: string;
  /** With indexes, TOAST and all partitions. */
  readonly bytes: number;
  readonly columns: readonly ColumnFacts[];
  readonly constraints: readonly ConstraintFacts[];
  readonly indexes: readonly IndexFacts[];
  readonly parent: QualifiedName | null;
  readonly isDefaultPartition: boolean;
  readonly partitions: readonly QualifiedName[];
  /** Of a partitioned table; a column is null for an expression. */
  readonly partitionedBy: { readonly strategy: 'r' | 'l' | 'h'; readonly columns: readonly (string | null)[] } | null;
  /** Tables whose foreign keys point here. */
  readonly referencedBy: readonly QualifiedName[];
  /** Views that read it. */
  readonly readers: readonly QualifiedName[];
  readonly rowSecurity: boolean;
  readonly policies: number;
}

export interface TypeFacts {
  /** As it was asked for. */
  readonly text: string;
  /** As format_type writes it, without modifiers; null where the database has no such type. */
  readonly name: string | null;
  /** typtype: b base, e enum, d domain, c composite. */
  readonly kind: string | null;
  /** Of a domain the type below it, with modifiers. */
  readonly base: string | null;
  /** A domain with a CHECK or NOT NULL, or over one that has. */
  readonly isConstrained: boolean;
  /** A domain whose default is computed for each row. */
  readonly hasVolatileDefault: boolean;
  /** Types of which a value is one of this type as it stands. */
  readonly castsAsIsFrom: readonly string[];
  /** Tables with a column of it. */
  readonly usedBy: readonly QualifiedName[];
  readonly labels: readonly string[];
}

export interface FunctionFacts extends QualifiedName {
  /** provolatile. */
  readonly volatility: 'i' | 's' | 'v';
  /** As format_type writes it: `trigger`. */
  readonly result: string;
  /** As the function of a trigger. */
  readonly refuses: Refusal;
}

export interface SchemaFacts {
  readonly name: string;
  /** How many tables, views, sequences and so on are in it. */
  readonly relations: number;
}

/** All that the rules need to know of a database about what some statements name. */
export interface Facts {
  /** server_version_num. */
  readonly serverVersion: number;
  readonly searchPath: readonly string[];
  readonly timeZone: string;
  readonly relations: readonly RelationFacts[];
  readonly types: readonly TypeFacts[];
  readonly functions: readonly FunctionFacts[];
  /** All but the server's own. */
  readonly schemas: readonly SchemaFacts[];
}

export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** What to_regtype throws: insufficient_privilege, where a schema is only open to a role that the migration takes; syntax_error, invalid_name. */
const unreadableType: ReadonlySet<string> = new Set(['42501', '42601', '42602']);

/**
 * Asks for all of it in one query. Takes ACCESS SHARE on each of the relations, for an instant, to learn its size; where another session holds ACCESS
 * EXCLUSIVE for longer than the session's lock_timeout, sizes are those of the last ANALYZE, and what its checks and indexes say is not known.
 */
export async function readFacts(query: Query, wanted: Wanted): Promise<Facts> {
  try {
    return await ask(query, wanted, 'measured');
  } catch (error) {
    const state = sqlStateOf(error) ?? '';
    if (state === '55P03') return await ask(query, wanted, 'recorded'); // lock_not_available
    if (wanted.types.length > 0 && unreadableType.has(state)) return await readFacts(query, { ...wanted, types: [] });
    throw error;
  }
}

async function ask(query: Query, { relations, types, functions, schemas }: Wanted, sizes: 'measured' | 'recorded'): Promise<Facts> {
  const [row] = await query<{ facts: Facts }>(factsSql(sizes), [relations, types, functions, schemas]);
  const { facts } = row as { facts: Facts };
  return {
    ...facts,
    relations: await Promise.all(facts.relations.map(withExpressions)),
    functions: await Promise.all(facts.functions.map(withRefusal)),
  };
}

async function withRefusal({ definition, ...facts }: FunctionFacts & { readonly definition?: string | null }): Promise<FunctionFacts> {
  return { ...facts, refuses: facts.schema === 'pg_catalog' ? 'never' : definition ? await readRefusal(definition) : 'unknown' };
}

async function withExpressions(relation: RelationFacts): Promise<RelationFacts> {
  const constraints = relation.constraints.map(async (each) =>
    each.kind === 'c' ? { ...each, expression: await expressionIn(each) } : each,
  );
  return { ...relation, constraints: await Promise.all(constraints) };
}

// CHECK ((a > 0)) NOT VALID, NO INHERIT: as it is declared it can be parsed.
async function expressionIn({ definition }: ConstraintFacts): Promise<Node | undefined> {
  const [statement] = (await tryParseSql(`alter table t add ${definition}`)) ?? [];
  const [command] = statement && 'AlterTableStmt' in statement.node ? (statement.node.AlterTableStmt.cmds ?? []) : [];
  const declared = command && 'AlterTableCmd' in command ? command.AlterTableCmd.def : undefined;
  return declared && 'Constraint' in declared ? declared.Constraint.raw_expr : undefined;
}
