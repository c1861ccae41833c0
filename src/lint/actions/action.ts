import type { ColumnDef, Constraint as ConstraintNode, Node, TypeName } from 'libpg-query';
import type { LockMode } from '../../lock-mode.js';

/** A name as a statement writes it; without a schema search_path decides. */
export interface Name {
  readonly schema?: string;
  readonly name: string;
}

/** A constraint as it is declared, beside a column or for itself. */
export interface Constraint {
  readonly kind: 'check' | 'foreign-key' | 'unique' | 'primary-key' | 'exclusion' | 'not-null';
  readonly name?: string;
  readonly columns: readonly string[];
  /** Of a check. */
  readonly expression?: Node;
  readonly references?: { readonly table: Name; readonly columns: readonly string[] };
  /** `not valid`, or `not enforced`: what stands in the table is not looked at. */
  readonly validated: boolean;
  /** `not enforced`: no row is looked at, now or later. */
  readonly enforced: boolean;
  readonly usingIndex?: string;
  /** As the parser has it: remedies are written out of it. */
  readonly node: ConstraintNode;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: TypeName;
  readonly notNull: boolean;
  readonly default?: Node;
  readonly generated?: 'stored' | 'virtual';
  readonly identity: boolean;
  readonly serial: boolean;
  /** Those beside it, but for its NOT NULL. */
  readonly constraints: readonly Constraint[];
  /** As the parser has it: remedies are written out of it. */
  readonly node: ColumnDef;
}

export interface IndexDefinition {
  /** Undefined where the server makes one up. */
  readonly name?: string;
  readonly unique: boolean;
  readonly concurrently: boolean;
  /** Column names; undefined for an expression. */
  readonly columns: readonly (string | undefined)[];
  readonly partial: boolean;
  readonly method: string;
  /** Columns alone, as they are: nothing descending, included, or with an operator class or collation of its own. */
  readonly plain: boolean;
  readonly ifNotExists: boolean;
  /** `on only`: the partitions get none. */
  readonly only: boolean;
}

/** What a partitioned table is divided by; undefined for an expression. `r` range, `l` list, `h` hash. */
export interface PartitionKey {
  readonly strategy: 'r' | 'l' | 'h';
  readonly columns: readonly (string | undefined)[];
}
/** Whether the function of a trigger may turn a row away: `by-null` only before the row is written. */
export type Refusal = 'never' | 'by-null' | 'raises' | 'unknown';

/** What can be dropped, renamed, moved. */
export type ObjectKind =
  | 'table'
  | 'view'
  | 'materialized-view'
  | 'index'
  | 'sequence'
  | 'schema'
  | 'type'
  | 'domain'
  | 'function'
  | 'trigger'
  | 'policy'
  | 'constraint'
  | 'column'
  | 'attribute'
  | 'extension'
  | 'role'
  | 'other';

type TableAction<Kind extends string, Details = object> = { readonly kind: Kind; readonly table: Name } & Readonly<Details>;

/**
 * One thing that a statement does to one object, out of the parser's tree: what rules are written against. A statement of several, such as an
 * ALTER TABLE with three commands, makes several.
 */
export type Action =
  /** Comes once before the others: for what a rule asks of the statement as a whole. */
  | { readonly kind: 'statement' }
  | TableAction<
      'create-table',
      {
        columns: readonly ColumnDefinition[];
        constraints: readonly Constraint[];
        /** LIKE and INHERITS. */
        like: readonly Name[];
        partition?: { of: Name; isDefault: boolean; bound: Node };
        partitionedBy?: PartitionKey;
        fromQuery: boolean;
        ifNotExists: boolean;
        temporary: boolean;
      }
    >
  | TableAction<'add-column', { column: ColumnDefinition; ifNotExists: boolean }>
  | TableAction<'drop-column', { column: string; cascade: boolean }>
  | TableAction<
      'set-not-null' | 'drop-not-null' | 'drop-default' | 'set-expression' | 'drop-expression' | 'drop-identity',
      { column: string }
    >
  /** Also of one that is identity already; `always`: values for it are refused. */
  | TableAction<'add-identity', { column: string; always: boolean }>
  | TableAction<'set-default', { column: string; default: Node }>
  | TableAction<'alter-type', { column: string; type: TypeName; using?: Node; collation?: string }>
  | TableAction<'add-constraint', { constraint: Constraint }>
  | TableAction<'validate-constraint', { name: string }>
  | TableAction<'drop-constraint', { name: string; cascade: boolean }>
  | TableAction<'alter-constraint', { name: string; enforced?: boolean }>
  | TableAction<'attach-partition', { partition: Name; isDefault: boolean; bound: Node }>
  | TableAction<'detach-partition', { partition: Name; concurrently: boolean }>
  | TableAction<
      'rewrite-table',
      { how: 'set-logged' | 'set-unlogged' | 'set-access-method' | 'set-tablespace' | 'vacuum-full' | 'cluster' }
    >
  | TableAction<'row-security', { how: 'enable' | 'disable' | 'force' | 'no-force' }>
  | TableAction<'alter-table', { subtype: string }>
  | TableAction<'create-index', { index: IndexDefinition }>
  | TableAction<'create-trigger', { name: string; each: 'row' | 'statement'; calls: Name; when: 'before' | 'after' | 'instead' }>
  /** `restrictive`: it takes rows away from what others allow. */
  | TableAction<'create-policy', { name: string; restrictive: boolean }>
  | TableAction<'truncate', { cascade: boolean }>
  | TableAction<'lock', { mode: LockMode }>
  /** `query`: the rows come out of the tables that it reads. */
  | TableAction<'insert', { rows: 'listed' | 'query'; reads: readonly Name[] }>
  | TableAction<'merge' | 'copy'>
  | TableAction<
      'update' | 'delete',
      {
        where: 'none' | 'trivial' | 'real';
        columns: readonly string[];
        /** Columns of which its WHERE names the value. */
        pins: readonly string[];
        /** The column of which its whole WHERE asks that it is null. */
        whereNull?: string;
      }
    >
  | {
      readonly kind: 'drop';
      readonly object: ObjectKind;
      readonly name: Name;
      readonly table?: Name;
      readonly cascade: boolean;
      readonly concurrently: boolean;
    }
  | {
      readonly kind: 'rename';
      readonly object: ObjectKind | 'enum-value';
      readonly name: Name;
      /** Of a column, an enum value, a constraint. */ readonly part?: string;
      readonly to: string;
    }
  | { readonly kind: 'set-schema'; readonly object: ObjectKind; readonly name: Name; readonly to: string }
  | {
      readonly kind: 'reindex';
      readonly object: 'table' | 'index' | 'schema' | 'database';
      readonly name: Name;
      readonly concurrently: boolean;
    }
  | {
      readonly kind: 'create-view';
      readonly view: Name;
      readonly replace: boolean;
      readonly materialized: boolean;
      readonly reads: readonly Name[];
      /** Undefined where the text alone does not name all of them (`select *`). */
      readonly columns: readonly string[] | undefined;
    }
  | { readonly kind: 'refresh'; readonly view: Name; readonly concurrently: boolean; readonly withData: boolean }
  | { readonly kind: 'create-function'; readonly name: Name; readonly replace: boolean; readonly refuses: Refusal }
  | { readonly kind: 'create-schema'; readonly name: Name; readonly ifNotExists: boolean }
  | { readonly kind: 'create-enum'; readonly type: Name; readonly values: readonly string[] }
  | { readonly kind: 'add-enum-value'; readonly type: Name; readonly value: string }
  | {
      readonly kind: 'alter-domain';
      readonly domain: Name;
      readonly how: 'add-constraint' | 'validate' | 'set-not-null' | 'drop-not-null' | 'drop-constraint' | 'set-default';
      readonly validated: boolean;
    }
  /** `on`: the objects, where they are named. */
  | { readonly kind: 'revoke'; readonly what: string; readonly object: ObjectKind; readonly on: readonly Name[] }
  | { readonly kind: 'set'; readonly name: string; readonly local: boolean; readonly values: readonly string[] }
  | { readonly kind: 'set-role'; readonly local: boolean }
  | {
      readonly kind: 'transaction';
      readonly how: 'begin' | 'commit' | 'rollback' | 'prepare' | 'savepoint' | 'release' | 'rollback-to';
      /** Of a savepoint. */
      readonly name?: string;
    }
  | { readonly kind: 'opaque'; readonly why: 'execute' | 'call' | 'function' | 'unreadable' | 'language'; readonly name: string }
  | { readonly kind: 'query'; readonly reads: readonly Name[] }
  | { readonly kind: 'other'; readonly statement: string };

/** The actions of some kinds. */
export type ActionOf<Kind extends Action['kind']> = Matching<Action, Kind>;
type Matching<Each, Kind> = Each extends { readonly kind: infer Own }
  ? Own & Kind extends never
    ? never
    : Each & { readonly kind: Own & Kind }
  : never;
