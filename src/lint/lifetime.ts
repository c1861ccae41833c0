import { isTableOrView, type Action, type ActionOf, type Name } from './actions/index.js';
import type { Catalog, Relation } from './catalog/index.js';
import type { Judging } from './rule.js';

/** Whether a view (or what may be one) was made by what is linted; tables tell it by their state. */
export function isNewView(name: Name, relation: Relation, catalog: Catalog): boolean {
  return relation.state !== 'old' && catalog.isBorn('view', name);
}

/** What the migration does after an action; all of it where that was not foreseen word for word. */
export function actionsAfter(action: Action, { step }: Pick<Judging, 'step'>): readonly Action[] {
  return step.actions.slice(step.actions.indexOf(action) + 1);
}

/** The view by which the same migration puts something into the place of a relation. */
export function viewInPlace(action: Action, relation: Relation, at: Judging): ActionOf<'create-view'> | undefined {
  return actionsAfter(action, at)
    .filter((each) => each.kind === 'create-view')
    .find(({ view }) => isSame(at.catalog.relation(view), relation));
}

/** Whether older code finds its table where it was: the migration leaves a view there, with all its columns. */
export function isLeftInPlace(action: Action, relation: Relation, at: Judging): boolean {
  const view = viewInPlace(action, relation, at);
  return view !== undefined && relation.columns.every(({ name }) => view.columns?.includes(name) ?? true);
}

/**
 * The table or view that older code looks for in vain once it is called otherwise; undefined where older code does not know it, or finds a view in
 * its place.
 */
export function movedRelation(action: ActionOf<'rename' | 'set-schema'>, at: Judging): Relation | undefined {
  if (!isTableOrView(action.object)) return undefined;
  const relation = at.catalog.relation(action.name);
  return isNewView(action.name, relation, at.catalog) || isLeftInPlace(action, relation, at) ? undefined : relation;
}

/** Whether a name means a relation. */
export function isOn(name: Name, relation: Relation, catalog: Catalog): boolean {
  return isSame(catalog.relation(name), relation);
}

export function isSame(a: Pick<Relation, 'schema' | 'name'>, b: Pick<Relation, 'schema' | 'name'>): boolean {
  return a.schema === b.schema && a.name === b.name;
}
