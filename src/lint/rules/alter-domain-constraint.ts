import type { Node } from 'libpg-query';
import type { ActionOf } from '../actions/index.js';
import { changed } from '../change.js';
import { defineRule, type Statement, type Write } from '../rule.js';
import { notNullTest, notValidCheck, stringNode } from '../safe-steps.js';
import { workWords } from '../words.js';

export const alterDomainConstraint = defineRule({
  id: 'alter-domain-constraint',
  on: ['alter-domain'],
  spares: 'small',
  find(action, { effects, catalog, statement }) {
    const { domain, how, validated } = action;
    if (!validated || how === 'drop-not-null' || how === 'drop-constraint' || how === 'set-default') return undefined;
    const remedy = (write: Write) => remedyOf(action, { ...statement, write });
    if (!catalog.connected)
      return {
        message: `alter domain ${domain.name} reads each table that uses it in SHARE mode: every write to them waits until the scans end`,
        remedy,
        unless: 'no large table has a column of it',
      };
    return effects
      .filter(({ work }) => work === 'scan')
      .map((effect) => ({ table: effect.relation, message: workWords(`alter domain ${domain.name}`, 'scan', effect), remedy }));
  },
});

function remedyOf(action: ActionOf<'alter-domain'>, statement: Statement & { readonly write: Write }): string {
  if (action.how === 'validate')
    return 'Leave it NOT VALID, which new values have to fit all the same, or opt out with the hour at which the tables may wait as the reason.';
  const safe = action.how === 'set-not-null' ? statement.write(notNullCheck(action)) : changed(statement, 'AlterDomainStmt', notValid);
  return `Write \`${safe}\`: new values have to fit all the same. VALIDATE CONSTRAINT reads the tables in SHARE mode, too.`;
}

function notNullCheck({ domain: { schema, name } }: ActionOf<'alter-domain'>): Node {
  const typeName = [...(schema === undefined ? [] : [schema]), name].map(stringNode);
  return { AlterDomainStmt: { subtype: 'C', typeName, def: notValidCheck(`${name}_not_null`, notNullTest('value')) } };
}

function notValid<Body extends { def?: Node }>(body: Body): Body {
  if (body.def === undefined || !('Constraint' in body.def)) return body;
  return { ...body, def: { Constraint: { ...body.def.Constraint, skip_validation: true, initially_valid: false } } };
}
