import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';
import { unusedWords } from '../words.js';

export const dropSchema = defineRule({
  id: 'drop-schema',
  on: ['drop'],
  spares: 'born',
  find({ object, name, cascade }, { catalog }) {
    if (object !== 'schema' || !cascade || catalog.isBorn('schema', name)) return undefined; // without CASCADE the server drops an empty one only
    const schema = catalog.schemaNamed(name.name);
    if (catalog.connected && (schema === undefined || schema.relations === 0)) return undefined;
    const all = schema === undefined ? 'all that is in it' : `all that is in it, ${countWords(schema.relations)}`;
    return {
      message: `drop schema destroys ${identifier(name.name)} with ${all}, and code that still uses them fails`,
      remedy: `First release code that does not use them; then drop each by name, so that the migration shows what goes, and the schema without CASCADE; or ${unusedWords('drop-schema')}.`,
    };
  },
});

function countWords(relations: number): string {
  return relations === 1 ? 'a table, view or sequence' : `${relations} tables, views and sequences`;
}
