import type { Action, ActionOf } from '../actions/index.js';
import { relationsIn } from '../actions/index.js';
import type { Catalog } from '../catalog/index.js';
import { defineRule, type Judging, type Statement } from '../rule.js';

export const enumValueUsedInSameTx = defineRule({
  id: 'enum-value-used-in-same-tx',
  on: ['statement'],
  spares: 'none',
  find(_action, { statement, before, catalog }) {
    const isMet = (catalog.serverVersion ?? 0) >= 170_000; // 17: not where the type is of the same transaction
    return [...before.of('add-enum-value'), ...added(inBlock(statement))]
      .filter(({ type }) => !(isMet && before.of('create-enum').some((each) => each.type.name === type.name)))
      .filter((each) => uses(statement, each, catalog))
      .map(({ type, value }) => ({
        message: `it uses '${value}', which the transaction has added to the type "${type.name}": before the commit that fails with 55P04`,
        remedy: `Add '${value}' in a migration of its own, and use it in the next.`,
      }));
  },
});

type Added = ActionOf<'add-enum-value'>;

function added(actions: readonly Action[]): Added[] {
  return actions.filter((each) => each.kind === 'add-enum-value');
}

function inBlock({ node, actions }: Statement): readonly Action[] {
  return node && 'DoStmt' in node ? actions : [];
}

function uses(statement: Statement, value: Added, catalog: Judging['catalog']): boolean {
  if (statement.node === undefined) return false;
  if ('DoStmt' in statement.node) {
    const own = added(statement.actions).filter((each) => each.value === value.value).length;
    return statement.sql.split(`'${value.value.replaceAll("'", "''")}'`).length - 1 > own;
  }
  return hasLiteral(statement.node, value.value) && mayBeOfType(statement, value, catalog);
}

function hasLiteral(node: unknown, value: string): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (Array.isArray(node)) return node.some((each) => hasLiteral(each, value));
  return Object.entries(node).some(([kind, body]) =>
    kind === 'A_Const' ? (body as { sval?: { sval?: string } }).sval?.sval === value : hasLiteral(body, value),
  );
}

// A text that is spelled alike is none: some table of the statement has to have a column of the type, or the statement has to name it.
function mayBeOfType({ node, actions }: Statement, { type }: Added, catalog: Catalog): boolean {
  if (JSON.stringify(node).includes(`{"sval":${JSON.stringify(type.name)}}`)) return true;
  const named = [...relationsIn(node), ...actions.flatMap((each) => ('table' in each && each.table ? [each.table] : []))];
  const relations = named.map((each) => catalog.relation(each));
  const isOfType = (text: string) => text.replace(/\[\]$/, '').split('.').at(-1)?.replaceAll('"', '') === type.name;
  return relations.some(({ state, columns }) => (state !== 'old' && columns.length === 0) || columns.some((each) => isOfType(each.type)));
}
