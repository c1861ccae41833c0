import type { TypeName } from 'libpg-query';
import type { Action, Name, Refusal } from '../actions/index.js';
import { advance } from './advance.js';
import type { Facts, FunctionFacts, QualifiedName, SchemaFacts, TypeFacts } from './facts.js';
import { emptyRelation, type Relation } from './relation.js';
import { typeKey, withModifiers, writeType } from './type-text.js';

/** What is not a relation, and may be made by what is linted. */
type BornKind = 'type' | 'view' | 'function' | 'schema';

/** What SET changes, and the end of a migration puts back. */
export interface SessionSettings {
  readonly searchPath: readonly string[];
  readonly timeZone: string;
}

/**
 * What is known of the database, brought forward by each action: the next is judged by what it will find. Without facts every table is
 * `unknown`, but for those that the actions have made.
 */
export class Catalog {
  readonly serverVersion: number | undefined;
  /** As they are configured. */
  readonly ownSettings: SessionSettings;
  private settings: SessionSettings;
  /** By schema, then by name. */
  private readonly relations = new Map<string, Map<string, Relation>>();
  /** Those that have, or had, an index of a name. */
  private readonly byIndex = new Map<string, Set<Relation>>();
  /** Those that are not any more what `before` says of them. */
  private readonly touched = new Set<Relation>();
  private readonly types = new Map<string, TypeFacts>();
  private readonly typesByName = new Map<string | null, TypeFacts>();
  private readonly functions = new Map<string, FunctionFacts[]>();
  private readonly bornNames = new Set<string>();
  private readonly refusals = new Map<string, Refusal>();
  private schemas: readonly SchemaFacts[] = [];

  constructor(facts: Facts | undefined) {
    this.serverVersion = facts?.serverVersion;
    this.ownSettings = { searchPath: facts?.searchPath ?? ['public'], timeZone: facts?.timeZone ?? '' };
    this.settings = this.ownSettings;
    if (facts) this.learn(facts);
  }

  /** Whether there was a database to ask. */
  get connected(): boolean {
    return this.serverVersion !== undefined;
  }

  /** Of the session. */
  get timeZone(): string {
    return this.settings.timeZone;
  }

  /** Takes in facts about names that were not asked for before; what is known already has been brought forward, and stays. */
  learn({ relations, types, functions, schemas }: Facts): void {
    this.schemas = schemas;
    for (const facts of relations) if (this.find(facts) === undefined) this.put({ ...facts, before: facts, state: 'old' });
    for (const type of types) {
      this.types.set(type.text, type);
      if (!this.typesByName.has(type.name)) this.typesByName.set(type.name, type);
    }
    for (const each of functions) this.functions.set(each.name, [...this.functionsNamed(each.name), each]);
  }

  /** The relation that a name means here: the search_path decides where no schema is written. Never undefined; see its `state`. */
  relation(name: Name): Relation {
    for (const schema of this.schemasOf(name)) {
      const found = this.find({ schema, name: name.name });
      if (found !== undefined) return found;
    }
    const missing = emptyRelation({ schema: this.schemaOf(name), name: name.name }, this.connected ? 'absent' : 'unknown');
    // Without a database a name that was met stands for a table of which only what the actions did to it is known.
    return this.connected ? missing : this.add(missing);
  }

  /** The table of an index of this name; undefined where none is known. */
  tableOfIndex(name: Name): Relation | undefined {
    const schemas = this.schemasOf(name);
    return this.tablesWithIndex(name.name).find(({ indexes }) =>
      indexes.some((each) => each.name === name.name && schemas.includes(each.schema)),
    );
  }

  type(text: string): TypeFacts | undefined {
    return this.types.get(text);
  }

  /** The same by its name alone. */
  typeOf(name: Name): TypeFacts | undefined {
    return this.types.get(typeKey(name));
  }

  /** A type by the name that the database gives it. */
  typeNamed(name: string): TypeFacts | undefined {
    return this.typesByName.get(name);
  }

  /** A type as format_type writes it, where it is known; else as the statement writes it. */
  typeText(type: TypeName): string {
    const written = writeType(type);
    const [, base = written, modifiers = ''] = /^(.*?)(\(.*\))?$/.exec(written) ?? [];
    const name = this.type(base)?.name;
    return name ? withModifiers(name, modifiers) : written;
  }

  /** Functions of this name, in whatever schema; empty where none is known. */
  functionsNamed(name: string): readonly FunctionFacts[] {
    return this.functions.get(name) ?? [];
  }

  /** The same, of the schema that is written, if one is. */
  formsOf({ schema, name }: Name): readonly FunctionFacts[] {
    return this.functionsNamed(name).filter((each) => schema === undefined || each.schema === schema);
  }

  /** Whether a type, a view, a function, a schema was made by what is being linted. */
  isBorn(kind: BornKind, name: Name): boolean {
    return this.bornNames.has(this.bornKey(kind, name));
  }

  /** A schema that the database has; undefined where it has none of this name, or there is no database to ask. */
  schemaNamed(name: string): SchemaFacts | undefined {
    return this.schemas.find((each) => each.name === name);
  }

  /** What the function of a trigger that the linted statements have made does to rows; undefined where they have made none. */
  refusalOf(name: Name): Refusal | undefined {
    return this.refusals.get(this.bornKey('function', name));
  }

  /** Brings forward what an action changes. */
  advance(action: Action): void {
    advance(action, this);
  }

  /** The migration has ended: what it set is put back. */
  endMigration(): void {
    this.settings = this.ownSettings;
    this.removeSchema('pg_temp');
  }

  /** For migrations that are not run together: what one has made the next may find in use. */
  forgetBirths(): void {
    this.bornNames.clear();
    for (const relation of this.touched) {
      const { before: _, ...facts } = relation;
      const state = relation.state === 'born' ? (this.connected ? 'old' : 'unknown') : relation.state;
      const columns = relation.columns.map(({ born: _born, ...column }) => column);
      Object.assign(relation, { state, columns, before: { ...facts, columns } } satisfies Partial<Relation>);
    }
    this.touched.clear();
  }

  // What follows is for the actions alone.

  /** The schema in which something is made. */
  schemaOf({ schema }: Pick<Name, 'schema'>): string {
    return schema ?? this.settings.searchPath[0] ?? 'public';
  }

  /** The relation of exactly this name, if it is known. */
  find({ schema, name }: QualifiedName): Relation | undefined {
    return this.relations.get(schema)?.get(name);
  }

  /** Those that have an index of this name, in whatever schema. */
  tablesWithIndex(name: string): Relation[] {
    return [...(this.byIndex.get(name) ?? [])].filter(({ indexes }) => indexes.some((each) => each.name === name));
  }

  /** Takes in a relation that was not there, or stands in the place of one of its name. */
  add(relation: Relation): Relation {
    this.touched.add(relation);
    return this.put(relation);
  }

  change(relation: Relation, changes: Partial<Relation>): void {
    Object.assign(relation, changes);
    if (this.find(relation) !== relation) return; // of a name that the database has not
    this.touched.add(relation);
    if (changes.indexes) this.noteIndexes(relation);
  }

  remove(relation: Relation): void {
    this.relations.get(relation.schema)?.delete(relation.name);
    this.touched.delete(relation);
    for (const { name } of relation.indexes) this.byIndex.get(name)?.delete(relation);
  }

  removeSchema(schema: string): void {
    for (const relation of this.relations.get(schema)?.values() ?? []) this.remove(relation);
  }

  /** What is linted makes it. */
  bear(kind: BornKind, name: Name): void {
    this.bornNames.add(this.bornKey(kind, name));
  }

  refuse(name: Name, refusal: Refusal): void {
    this.refusals.set(this.bornKey('function', name), refusal);
  }

  set(settings: Partial<SessionSettings>): void {
    this.settings = { ...this.settings, ...settings };
  }

  private put(relation: Relation): Relation {
    const { schema, name } = relation;
    const named = this.relations.get(schema) ?? new Map<string, Relation>();
    this.relations.set(schema, named.set(name, relation));
    this.noteIndexes(relation);
    return relation;
  }

  private noteIndexes(relation: Relation): void {
    for (const { name } of relation.indexes) this.byIndex.set(name, (this.byIndex.get(name) ?? new Set()).add(relation));
  }

  private schemasOf({ schema }: Name): readonly string[] {
    return schema === undefined ? ['pg_temp', ...this.settings.searchPath] : [schema];
  }

  private bornKey(kind: BornKind, name: Name): string {
    return kind === 'schema' ? `schema ${name.name}` : `${kind} ${this.schemaOf(name)}.${name.name}`;
  }
}
