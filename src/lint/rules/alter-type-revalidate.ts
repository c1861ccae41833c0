import type { Relation } from '../catalog/index.js';
import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { alterTable, notValidCheck } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const alterTypeRevalidate = defineRule({
  id: 'alter-type-revalidate',
  on: ['alter-type'],
  spares: 'small',
  find({ column }, { effects: [effect], statement }) {
    if (effect?.work !== 'scan' && effect?.work !== 'index') return undefined;
    const { relation, work } = effect;
    const what = `the new type of ${identifier(column)}`;
    if (work === 'index') {
      const indexes = relation.indexes.filter(({ columns }) => columns.includes(column));
      return {
        table: relation,
        message: workWords(what, 'index', effect),
        remedy: stepsWords(
          'Drop its indexes first and build them again after, one step a migration, those of indexes with transaction: false',
          [
            ...indexes.map(({ name }) => `DROP INDEX CONCURRENTLY ${identifier(name)}`),
            statement.sql,
            ...indexes.map(({ definition }) => definition.replace(/^(CREATE (UNIQUE )?INDEX) /, '$1 CONCURRENTLY ')),
          ],
        ),
      };
    }
    const checks = checksOn(relation, column);
    return {
      table: relation,
      message: workWords(`${what} has its CHECK verified again, which`, 'scan', effect),
      remedy: (write) =>
        stepsWords('Leave the CHECK out while the type changes, and validate it in a migration of its own', [
          ...checks.map(({ name }) => write(alterTable(relation, { subtype: 'AT_DropConstraint', name }))),
          statement.sql,
          ...checks.map(({ name, expression }) =>
            write(alterTable(relation, { subtype: 'AT_AddConstraint', def: notValidCheck(name, expression) })),
          ),
          ...checks.map(({ name }) => write(alterTable(relation, { subtype: 'AT_ValidateConstraint', name }))),
        ]),
    };
  },
});

function checksOn({ constraints }: Relation, column: string) {
  return constraints.flatMap(({ kind, name, columns, expression }) =>
    kind === 'c' && columns.includes(column) && expression ? [{ name, expression }] : [],
  );
}
