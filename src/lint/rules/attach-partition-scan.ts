import type { Node } from 'libpg-query';
import { identifier } from '../../sql.js';
import type { Relation } from '../catalog/index.js';
import { isKnownNotNull } from '../effects/index.js';
import { defineRule, type Write } from '../rule.js';
import { nameWords, tableWords, waitWords } from '../words.js';

export const attachPartitionScan = defineRule({
  id: 'attach-partition-scan',
  on: ['attach-partition'],
  spares: 'small',
  find({ table, bound }, { catalog, effects: [effect] }) {
    if (effect?.work !== 'scan') return undefined;
    const { relation, mode, doubtful } = effect;
    const doubt = doubtful && catalog.connected ? ' (unless the server proves the bound by a CHECK in which the lint sees no proof)' : '';
    return {
      table: relation,
      message: `attach partition reads all of ${tableWords(relation)} under ${mode}${doubt}: ${waitWords(mode)} until the scan ends`,
      remedy: (write) => {
        const parent = catalog.relation(table);
        const condition = conditionOf(bound, parent, write);
        if (condition === undefined) return 'Attach a table that is empty, and move the rows into it in batches.';
        const [name, check] = [nameWords(relation), identifier(`${relation.name}_bound`)];
        const notNull =
          condition.takesNull || isKnownNotNull(relation, parent.partitionedBy?.columns[0] ?? '')
            ? ''
            : `${condition.column} is not null and `;
        return [
          'Let a validated CHECK say what the bound says, one step a migration:',
          `\`alter table ${name} add constraint ${check} check (${notNull}${condition.sql}) not valid;\``,
          `\`alter table ${name} validate constraint ${check};\``,
          'then attach it, and drop the constraint.',
        ].join(' ');
      },
      unless: doubtful && 'a validated CHECK implies its bound',
    };
  },
});

interface Condition {
  readonly column: string;
  readonly sql: string;
  readonly takesNull: boolean;
}

/** The bound as SQL, but for the nulls that it leaves out; undefined where it is not one of a single column. */
export function conditionOf(bound: Node, { partitionedBy }: Relation, write: Write): Condition | undefined {
  const [name, ...others] = partitionedBy?.columns ?? [];
  const { strategy, is_default, listdatums = [], ...range } = 'PartitionBoundSpec' in bound ? bound.PartitionBoundSpec : {};
  if (typeof name !== 'string' || others.length > 0 || is_default || strategy === 'h') return undefined;
  const column = identifier(name);
  const takesNull = listdatums.some(isNull);
  if (strategy !== 'l') return { column, sql: sidesOf(column, range, write), takesNull };
  const values = listdatums.filter((each) => !isNull(each)).map(write);
  const tests = [...(takesNull ? [`${column} is null`] : []), ...(values.length > 0 ? [`${column} in (${values.join(', ')})`] : [])];
  return { column, sql: tests.join(' or '), takesNull };
}

function sidesOf(
  column: string,
  { lowerdatums = [], upperdatums = [] }: { lowerdatums?: Node[]; upperdatums?: Node[] },
  write: Write,
): string {
  const side = (operator: string, [value]: Node[]) =>
    value === undefined || 'ColumnRef' in value ? [] : [`${column} ${operator} ${write(value)}`]; // MINVALUE, MAXVALUE
  const sides = [...side('>=', lowerdatums), ...side('<', upperdatums)];
  return sides.length > 0 ? sides.join(' and ') : 'true';
}

function isNull(node: Node): boolean {
  return 'A_Const' in node && node.A_Const.isnull === true;
}
