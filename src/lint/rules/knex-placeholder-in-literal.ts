import { defineRule } from '../rule.js';

export const knexPlaceholderInLiteral = defineRule({
  id: 'knex-placeholder-in-literal',
  on: ['statement'],
  spares: 'none',
  find(_, { statement: { text, misplaced }, step: { file } }) {
    const [literal] = misplaced;
    if (literal === undefined || file?.endsWith('.sql')) return undefined; // a script does not pass through knex
    const meant = misplaced.reduce((sql, each) => sql.replace(each, each.replaceAll(/\$\d+/g, '\\\\?')), text);
    return {
      message: `${literal} would be stored as it stands: knex has put a placeholder in the place of a question mark`,
      remedy: `Send it with knex.raw, where \`\\\\?\` is a question mark: \`${meant}\``,
    };
  },
});
