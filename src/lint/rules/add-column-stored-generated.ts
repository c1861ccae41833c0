import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { addColumnWithout, alterTable } from '../safe-steps.js';
import { workWords } from '../words.js';

export const addColumnStoredGenerated = defineRule({
  id: 'add-column-stored-generated',
  on: ['add-column'],
  spares: 'small',
  find({ column }, { effects: [effect] }) {
    if (column.generated !== 'stored' || effect?.work !== 'rewrite') return undefined;
    const { relation } = effect;
    const virtual = (column.node.constraints ?? []).map((each) =>
      'Constraint' in each && each.Constraint.contype === 'CONSTR_GENERATED'
        ? { Constraint: { ...each.Constraint, generated_kind: 'v' } }
        : each,
    );
    return {
      table: relation,
      message: workWords(`the new stored column ${identifier(column.name)}`, 'rewrite', effect),
      remedy: (write) => {
        const plain = write(addColumnWithout(relation, column, ['CONSTR_GENERATED', 'CONSTR_NOTNULL']));
        const computed = write(
          alterTable(relation, { subtype: 'AT_AddColumn', def: { ColumnDef: { ...column.node, constraints: virtual } } }),
        );
        return `Add a plain column, let a trigger fill it, and fill the rows that are there in batches: \`${plain};\` From PostgreSQL 18 on it can be computed when it is read: \`${computed};\``;
      },
    };
  },
});
