import { functionsIn, type Action, type Name, type ColumnDefinition, type Constraint } from '../actions/index.js';
import type { Wanted } from './facts.js';
import { typeKey, writeTypeName } from './type-text.js';

/** What the catalog has to be asked about before these actions can be judged. */
export function wantedBy(actions: readonly Action[]): Wanted {
  const names = actions.flatMap(relationsOf);
  const schemas = [...names.flatMap(({ schema }) => schema ?? []), ...actions.flatMap(schemasOf)];
  return {
    relations: [...new Set(names.map(({ name }) => name))],
    types: [...new Set(actions.flatMap(typesOf))],
    functions: [...new Set(actions.flatMap(functionsOf))],
    schemas: [...new Set(schemas)],
  };
}

function relationsOf(action: Action): readonly Name[] {
  const named: Name[] = [];
  if ('table' in action && action.table) named.push(action.table);
  if ('partition' in action && action.partition) named.push('of' in action.partition ? action.partition.of : action.partition);
  if ('view' in action) named.push(action.view);
  if ('name' in action && typeof action.name === 'object') named.push(action.name);
  if (action.kind === 'revoke') named.push(...action.on);
  if (action.kind === 'create-index' && action.index.name !== undefined) named.push({ name: action.index.name });
  if (action.kind === 'create-table') named.push(...action.like);
  if (action.kind === 'insert' || action.kind === 'query' || action.kind === 'create-view') named.push(...action.reads);
  return [...named, ...constraintsOf(action).flatMap(({ references }) => (references ? [references.table] : []))];
}

// A schema that is moved, or set as the search_path: names without one are looked for in it, then.
function schemasOf(action: Action): readonly string[] {
  if (action.kind === 'set') return action.name === 'search_path' ? action.values : [];
  if (action.kind === 'set-schema') return [action.to];
  const isOfSchema = 'object' in action && action.object === 'schema' && 'name' in action && typeof action.name === 'object';
  return isOfSchema ? [action.name.name] : [];
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
