import type { Action } from '../actions/index.js';
import type { Relation } from '../catalog/index.js';
import { actionsAfter, isOn } from '../lifetime.js';
import type { Judging } from '../rule.js';

/** A column, and whether a row that leaves it out is refused. */
interface Requirement {
  readonly relation: Relation;
  readonly column: string;
  readonly notNull: boolean;
  /** The server gives it a value. */
  readonly filled: boolean;
}

/**
 * Whether a column is required once an action has been done, and still is when the migration has ended: knex's .alter() takes defaults and NOT
 * NULL away and puts them back.
 */
export function staysRequired(action: Action, requirement: Requirement, at: Judging): boolean {
  const isRequired = ({ notNull, filled }: Requirement) => notNull && !filled;
  return isRequired(requirement) && isRequired(atTheEnd(action, requirement, at));
}

/** What becomes of a column by what the migration does after an action. */
export function atTheEnd(action: Action, requirement: Requirement, at: Judging): Requirement {
  return actionsAfter(action, at).reduce((now, each) => next(now, each, at), requirement);
}

const changes: Readonly<Partial<Record<Action['kind'], Partial<Pick<Requirement, 'notNull' | 'filled'>>>>> = {
  'set-not-null': { notNull: true },
  'drop-not-null': { notNull: false },
  'drop-column': { notNull: false },
  'set-default': { filled: true },
  'drop-default': { filled: false },
  'add-identity': { filled: true },
  'drop-identity': { filled: false },
};

function next(now: Requirement, action: Action, { catalog }: Judging): Requirement {
  const change = changes[action.kind];
  if (!change || !('table' in action) || !action.table || !('column' in action)) return now;
  return action.column === now.column && isOn(action.table, now.relation, catalog) ? { ...now, ...change } : now;
}
