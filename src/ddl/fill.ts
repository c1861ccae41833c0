import { identifier, literal } from '../sql.js';
import { sqlOf, type TableName } from './options.js';

export interface Fill {
  readonly table: TableName;
  readonly column: string;
  /** The columns of the primary key. */
  readonly key: readonly string[];
  readonly batchSize: number;
}

/**
 * One statement that gives the default of a column to the rows where it is null: in the order of the primary key, with a commit after each
 * batch, so that rows are locked for as long as one takes. Sent again it passes over what is filled. Only outside a transaction.
 *
 * It walks the key from one row that begins a batch to the next; a batch is the rows between two of them, so that rows that come or go meanwhile
 * shift nothing.
 */
export function renderFill({ table, column, key, batchSize }: Fill): string {
  const name = sqlOf(table);
  const keyOf = (row: string) => key.map((each) => `${row}.${identifier(each)}`).join(', ');
  const first = `em_from.${identifier(key[0] ?? '')}`;
  const next = first.replace('em_from', 'em_to');
  const rows = `(${keyOf('t')}) >= (${keyOf('em_from')})`;
  const fill = `update ${name} t set ${identifier(column)} = default where t.${identifier(column)} is null and ${rows}`;
  return `do ${literal(`declare
  em_from record;
  em_to record;
begin
  select ${keyOf('t')} into em_from from ${name} t order by ${keyOf('t')} limit 1;
  while ${first} is not null loop
    select ${keyOf('t')} into em_to from ${name} t where ${rows} order by ${keyOf('t')} offset ${batchSize} limit 1;
    if ${next} is null then
      ${fill};
    else
      ${fill} and (${keyOf('t')}) < (${keyOf('em_to')});
    end if;
    commit;
    em_from := em_to;
  end loop;
end`)}`;
}
