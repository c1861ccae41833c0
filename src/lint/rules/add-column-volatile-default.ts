import { identifier } from '../../sql.js';
import { writeTypeName, type TypeFacts } from '../catalog/index.js';
import { volatilityOf, type TableEffect } from '../effects/index.js';
import { defineRule, type Harm } from '../rule.js';
import { addColumnWithout, alterTable } from '../safe-steps.js';
import { stepsWords, workWords } from '../words.js';

export const addColumnVolatileDefault = defineRule({
  id: 'add-column-volatile-default',
  on: ['add-column'],
  spares: 'small',
  find({ column }, { effects: [effect], catalog }) {
    if (effect?.work !== 'rewrite') return undefined;
    const { relation } = effect;
    const domain = catalog.type(writeTypeName(column.type));
    if (domain?.isConstrained) {
      return {
        table: relation,
        message: workWords(
          `the new column ${identifier(column.name)}, each value of which is held against the domain ${domain.text},`,
          'rewrite',
          effect,
        ),
        remedy: `Give it the type ${domain.base}, and the domain's constraints as a CHECK that is NOT VALID, and validated in a migration of its own.`,
      };
    }
    const given = column.default;
    if (given === undefined && domain?.hasVolatileDefault) return volatileDomain(column.name, domain, effect);
    const volatility = given === undefined ? 'fixed' : volatilityOf(given, catalog);
    if (given === undefined || volatility === 'fixed') return undefined;
    return {
      table: relation,
      message: workWords(`the volatile default of ${identifier(column.name)}`, 'rewrite', effect),
      remedy: (write) =>
        `${stepsWords('Add the column first and the default after, so that only new rows get it', [
          write(addColumnWithout(relation, column, ['CONSTR_DEFAULT', 'CONSTR_NOTNULL'])),
          write(alterTable(relation, { subtype: 'AT_ColumnDefault', name: column.name, def: given })),
        ])} Then fill the other rows in batches.${column.notNull ? ' In the end make it NOT NULL, as set-not-null-scan says.' : ''}`,
      unless: volatility === 'unknown' ? 'no function that it calls is VOLATILE' : undefined,
    };
  },
});

function volatileDomain(column: string, { text, base }: TypeFacts, effect: TableEffect): Harm {
  return {
    table: effect.relation,
    message: workWords(`the new column ${identifier(column)}, which takes the volatile default of the domain ${text},`, 'rewrite', effect),
    remedy: `Add it with DEFAULT NULL, give it its default after, so that only new rows get it, and fill the other rows in batches; or give it the type ${base}.`,
  };
}
