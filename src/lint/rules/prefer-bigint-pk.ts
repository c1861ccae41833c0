import { identifier } from '../../sql.js';
import { typeNameOf, type ActionOf } from '../actions/index.js';
import { columnsOf } from '../column-type.js';
import { defineRule, type Harm } from '../rule.js';
import { columnWords } from '../words.js';

export const preferBigintPk = defineRule({
  id: 'prefer-bigint-pk',
  on: ['create-table', 'add-column'],
  spares: 'none',
  find(action, { catalog }): Harm[] {
    const relation = catalog.relation(action.table);
    const keys = keysOf(action);
    return columnsOf(action).flatMap(({ name, type }) => {
      const small = limits[typeNameOf(type)];
      if (small === undefined || !keys.includes(name)) return [];
      const message = `${columnWords(relation, name)} is a primary key of ${small} values: when they are used up no row can be written, and a larger type writes the table anew`;
      return [{ table: relation, message, remedy: `Declare it \`${identifier(name)} bigint\`.` }];
    });
  },
});

const thousands = '32,767';
const millions = '2,147,483,647';
const limits: Readonly<Record<string, string>> = {
  int2: thousands,
  smallserial: thousands,
  serial2: thousands,
  int4: millions,
  serial: millions,
  serial4: millions,
};

function keysOf(action: ActionOf<'create-table' | 'add-column'>): readonly string[] {
  const declared = columnsOf(action).flatMap(({ constraints }) => constraints);
  const all = action.kind === 'create-table' ? [...declared, ...action.constraints] : declared;
  const keys = all.filter(({ kind }) => kind === 'primary-key');
  return keys.flatMap(({ columns }) => columns);
}
