import { isTableOrView, type ActionOf } from '../actions/index.js';
import type { Relation } from '../catalog/index.js';
import { changed } from '../change.js';
import { dependentsOf, type Dependent } from '../dependents.js';
import { isNewView } from '../lifetime.js';
import { defineRule, type Harm, type Judging, type Statement, type Write } from '../rule.js';
import { columnWords, listWords, nameWords } from '../words.js';

type Dropping = ActionOf<'drop' | 'drop-column' | 'drop-constraint' | 'truncate'>;

export const dropCascade = defineRule({
  id: 'drop-cascade',
  on: ['drop', 'drop-column', 'drop-constraint', 'truncate'],
  spares: 'born',
  find(action, at): Harm | undefined {
    if (!action.cascade || isBorn(action, at)) return undefined;
    const dependents = dependentsOf(action, at.catalog);
    if (dependents?.length === 0) return undefined;
    const relation = relationOf(action, at);
    const [does, more] = action.kind === 'truncate' ? ['empties', 'empty'] : ['drops', 'drop'];
    const taken = dependents ? listWords(dependents.map(({ words }) => words)) : 'whatever depends on it';
    return {
      ...(relation && { table: relation }),
      message: `cascade ${does} more than ${objectWords(action, relation)}: it takes ${taken} with it`,
      remedy: (write) => `${steps(dependents, more)} \`${withoutCascade(at.statement, write)}\``,
      unless: isKnowable(action) ? 'nothing depends on it' : undefined,
    };
  },
});

function steps(dependents: readonly Dependent[] | undefined, verb: string): string {
  const sql = (dependents ?? []).flatMap((each) => (each.sql === undefined ? [] : [`\`${each.sql}\``]));
  return [`Name what is to go, so that the migration shows it, and ${verb} without CASCADE:`, ...sql].join(' ');
}

function withoutCascade(statement: Statement, write: Write): string {
  const behavior = 'DROP_RESTRICT' as const;
  if (statement.node && 'TruncateStmt' in statement.node)
    return changed({ ...statement, write }, 'TruncateStmt', (body) => ({ ...body, behavior }));
  if (statement.node && 'DropStmt' in statement.node)
    return changed({ ...statement, write }, 'DropStmt', (body) => ({ ...body, behavior }));
  return changed({ ...statement, write }, 'AlterTableStmt', ({ cmds = [], ...body }) => ({
    ...body,
    cmds: cmds.map((each) => ('AlterTableCmd' in each ? { AlterTableCmd: { ...each.AlterTableCmd, behavior } } : each)),
  }));
}

// A schema has a rule of its own, which tells what is in it.
function isBorn(action: Dropping, { catalog }: Judging): boolean {
  if (action.kind !== 'drop') return false;
  const { object, name } = action;
  if (object === 'view' || object === 'materialized-view') return isNewView(name, catalog.relation(name), catalog);
  return object === 'schema' || ((object === 'type' || object === 'function') && catalog.isBorn(object, name));
}

function isKnowable(action: Dropping): boolean {
  return action.kind !== 'drop' || isTableOrView(action.object) || action.object === 'type' || action.object === 'domain';
}

function relationOf(action: Dropping, { catalog }: Judging): Relation | undefined {
  if (action.kind !== 'drop') return catalog.relation(action.table);
  if (action.table) return catalog.relation(action.table);
  return isTableOrView(action.object) ? catalog.relation(action.name) : undefined;
}

function objectWords(action: Dropping, relation: Relation | undefined): string {
  if (action.kind === 'drop') return relation && !action.table ? nameWords(relation) : `the ${action.object} ${action.name.name}`;
  const table = relation ? nameWords(relation) : '';
  if (action.kind === 'drop-column' && relation) return columnWords(relation, action.column);
  return action.kind === 'drop-constraint' ? `the constraint ${action.name} of ${table}` : table;
}
