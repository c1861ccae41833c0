import type { Node } from 'libpg-query';
import { identifier } from '../sql.js';
import { typeNameOf, type ColumnDefinition } from './actions/index.js';
import type { Relation } from './catalog/index.js';
import type { TableEffect } from './effects/index.js';
import type { Harm } from './rule.js';
import { alterTable, rangeOf, stringNode } from './safe-steps.js';
import { nameWords, stepsWords, workWords } from './words.js';

const integers: Readonly<Record<string, string>> = { bigserial: 'int8', serial8: 'int8', smallserial: 'int2', serial2: 'int2' };

/** The harm of a new column that numbers its rows, those that are there first of all. */
export function numberedColumn(what: string, column: ColumnDefinition, effect: TableEffect): Harm {
  const { relation } = effect;
  return {
    table: relation,
    message: workWords(`the new ${what} column ${identifier(column.name)}`, 'rewrite', effect),
    remedy: (write) =>
      `${stepsWords('Let a sequence number new rows', steps(relation, column).map(write))} Then fill the other rows in batches. In the end make it NOT NULL, as set-not-null-scan says.`,
  };
}

function steps(relation: Relation, { name, type, serial }: ColumnDefinition): Node[] {
  const sequence = { ...relation, name: `${relation.name}_${name}_seq` };
  const typeName = serial ? { names: ['pg_catalog', integers[typeNameOf(type)] ?? 'int4'].map(stringNode), typemod: -1 } : type;
  const owner = [...(relation.schema === 'public' ? [] : [relation.schema]), relation.name, name].map(stringNode);
  const next: Node = {
    FuncCall: {
      funcname: [stringNode('nextval')],
      args: [{ A_Const: { sval: { sval: nameWords(sequence).replaceAll(/^"([a-z_0-9]+)"$/g, '$1') } } }],
    },
  };
  return [
    alterTable(relation, { subtype: 'AT_AddColumn', def: { ColumnDef: { colname: name, typeName, is_local: true } } }),
    { CreateSeqStmt: { sequence: rangeOf(sequence), options: [{ DefElem: { defname: 'owned_by', arg: { List: { items: owner } } } }] } },
    alterTable(relation, { subtype: 'AT_ColumnDefault', name, def: next }),
  ];
}
