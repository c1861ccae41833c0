import { identifier } from '../../sql.js';
import { defineRule } from '../rule.js';

export const identifierTooLong = defineRule({
  id: 'identifier-too-long',
  on: ['statement'],
  spares: 'none',
  find(_, { statement: { tooLong } }) {
    return tooLong.map((name) => ({
      message: `${identifier(name)} has ${Buffer.byteLength(name)} bytes: the server cuts it off after 63, without a word that anyone reads`,
      remedy: `Choose a shorter name; in knex, index(), unique(), primary() and foreign() take one. It would be \`${identifier(cutOff(name))}\`.`,
    }));
  },
});

// Not in the middle of a character.
function cutOff(name: string): string {
  return Array.from(name).reduce((cut, each) => (Buffer.byteLength(cut + each) > 63 ? cut : cut + each), '');
}
