import { functionsIn, type Action, type ColumnDefinition, type Constraint } from '../actions/index.js';
import type { Wanted } from './facts.js';
import { typeKey, writeTypeName } from './type-text.js';

/** What the catalog has to be asked about before these actions can be judged. */
export function wantedBy(actions: readonly Action[]): Wanted {
  const relations = new Set<string>();
  const types = new Set<string>();
  const functions = new Set<string>();
  for (const action of actions) {
    for (const name of relationsOf(action)) relations.add(name);
    for (const type of typesOf(action)) types.add(type);
    for (const name of functionsOf(action)) functions.add(name);
  }
  return { relations: [...relations], types: [...types], functions: [...functions] };
}

function relationsOf(action: Action): string[] {
  const named: string[] = [];
  if ('table' in action && action.table) named.push(action.table.name);
  if ('partition' in action && action.partition) named.push('of' in action.partition ? action.partition.of.name : action.partition.name);
  if ('view' in action) named.push(action.view.name);
  if ('name' in action && typeof action.name === 'object') named.push(action.name.name);
  if (action.kind === 'revoke') named.push(...action.on.map(({ name }) => name));
  if (action.kind === 'create-index' && action.index.name !== undefined) named.push(action.index.name);
  if (action.kind === 'create-table') named.push(...action.like.map(({ name }) => name));
  if (action.kind === 'insert' || action.kind === 'query' || action.kind === 'create-view')
    named.push(...action.reads.map(({ name }) => name));
  return [...named, ...constraintsOf(action).flatMap(({ references }) => (references ? [references.table.name] : []))];
}

function typesOf(action: Action): string[] {
  if (action.kind === 'alter-type') return [writeTypeName(action.type)];
  if (action.kind === 'alter-domain') return [typeKey(action.domain)];
  if (action.kind === 'create-enum' || action.kind === 'add-enum-value') return [typeKey(action.type)];
  if (action.kind === 'drop' && (action.object === 'type' || action.object === 'domain')) return [typeKey(action.name)];
  if (action.kind === 'rename' && action.object === 'enum-value') return [typeKey(action.name)];
  return columnsOf(action)
    .filter(({ serial }) => !serial)
    .map(({ type }) => writeTypeName(type));
}

function functionsOf(action: Action): string[] {
  if (action.kind === 'opaque') return [action.name.split('.').at(-1) ?? ''];
  if (action.kind === 'create-trigger') return [action.calls.name];
  if (action.kind === 'create-function' || (action.kind === 'drop' && action.object === 'function')) return [action.name.name];
  if (action.kind === 'set-default') return functionsIn(action.default).map(({ name }) => name);
  const expressions = [...columnsOf(action).map((column) => column.default), ...constraintsOf(action).map(({ expression }) => expression)];
  return functionsIn(expressions).map(({ name }) => name);
}

function columnsOf(action: Action): readonly ColumnDefinition[] {
  if (action.kind === 'add-column') return [action.column];
  return action.kind === 'create-table' ? action.columns : [];
}

function constraintsOf(action: Action): readonly Constraint[] {
  const declared = columnsOf(action).flatMap(({ constraints }) => constraints);
  if (action.kind === 'add-constraint') return [action.constraint];
  return action.kind === 'create-table' ? [...declared, ...action.constraints] : declared;
}
