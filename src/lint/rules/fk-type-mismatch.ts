import { identifier } from '../../sql.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { writeTypeName } from '../catalog/index.js';
import { addedForeignKeys, keyColumns, type AddedForeignKey } from '../foreign-key.js';
import { defineRule } from '../rule.js';
import { nameWords } from '../words.js';

export const fkTypeMismatch = defineRule({
  id: 'fk-type-mismatch',
  on: ['add-constraint', 'add-column', 'create-table'],
  spares: 'none',
  find(action, { catalog }) {
    return addedForeignKeys(action, catalog).flatMap((key) => {
      const { table, target } = key;
      const keys = keyColumns(key.keys, target);
      return key.columns.flatMap((column, index) => {
        const [own, other] = [ownType(key, column, catalog), typeOf(target, keys[index])];
        if (own === undefined || other === undefined || own === other) return [];
        return {
          table,
          message: `${identifier(column)} of ${nameWords(table)} is of type ${own}, the key of ${nameWords(target)} that it references of type ${other}: a value that only one of them holds can never match`,
          remedy: `Give ${identifier(column)} the type ${other}.`,
        };
      });
    });
  },
});

function ownType({ table, newColumns }: AddedForeignKey, column: string, catalog: Catalog): string | undefined {
  const declared = newColumns.find(({ name }) => name === column);
  if (declared === undefined) return typeOf(table, column);
  const text = writeTypeName(declared.type);
  return plain(catalog.type(text)?.name ?? text);
}

function typeOf({ columns }: Relation, column: string | undefined): string | undefined {
  const type = columns.find(({ name }) => name === column)?.type;
  return type === undefined ? undefined : plain(type);
}

const names: Readonly<Record<string, string>> = {
  ...{ serial: 'integer', serial4: 'integer', int4: 'integer', bigserial: 'bigint', serial8: 'bigint', int8: 'bigint' },
  ...{ smallserial: 'smallint', serial2: 'smallint', int2: 'smallint', varchar: 'text', 'character varying': 'text' },
};

// One name for one type, whoever wrote it; text and varchar compare as one.
function plain(type: string): string {
  const name = type.replace(/^pg_catalog\./, '').replace(/\([\d,]+\)/, '');
  return names[name] ?? name;
}
