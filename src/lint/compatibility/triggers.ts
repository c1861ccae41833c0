import { writtenName, type Name, type Refusal } from '../actions/index.js';
import type { Catalog } from '../catalog/index.js';
import type { Reason } from './breaks.js';
import { isUnknownToOldCode, nameOf } from './known.js';

/**
 * A trigger on an old table is felt where it may turn a row away: its function raises, or gives back a null before the row is written, or cannot be read.
 * One that only fills, copies or records is how new code lives beside old code.
 */
export const createTrigger: Reason<'create-trigger'> = ({ table, name, calls, when }, { catalog }) => {
  const relation = catalog.relation(table);
  if (isUnknownToOldCode(relation)) return undefined;
  const refuses = refusalOf(calls, catalog);
  if (refuses === 'never' || (refuses === 'by-null' && when === 'after')) return undefined;
  return `adds trigger ${name} to ${nameOf(relation)}, which may refuse rows of older code`;
};

/** What a trigger's function does to rows, made by what is linted or found in the database. */
function refusalOf(name: Name, catalog: Catalog): Refusal {
  const made = catalog.refusalOf(name);
  if (made !== undefined) return made;
  const forms = catalog.formsOf(name);
  return forms.map(({ refuses }) => refuses).find((each) => each !== 'never') ?? (forms.length > 0 ? 'never' : 'unknown');
}

// The server lets nobody change its arguments, or what it returns; what it does with a row may change.
export const createFunction: Reason<'create-function'> = ({ name, replace, refuses }, { catalog }) => {
  const before = catalog.functionsNamed(name.name).filter(({ result }) => result === 'trigger');
  if (!replace || refuses !== 'raises' || before.length === 0 || before.some((each) => each.refuses === 'raises')) return undefined;
  return `replaces function ${writtenName(name)}, and triggers that call it may refuse rows of older code`;
};

export const createPolicy: Reason<'create-policy'> = ({ table, name, restrictive }, { catalog }) => {
  const relation = catalog.relation(table);
  if (!restrictive || isUnknownToOldCode(relation) || (relation.state === 'old' && !relation.rowSecurity)) return undefined;
  return `adds policy ${name} to ${nameOf(relation)}, which hides rows from older code`;
};
