import { typeNameOf } from '../actions/index.js';
import { defineColumnTypeRule } from '../column-type.js';

export const preferText = defineColumnTypeRule({
  id: 'prefer-text',
  isFound: ({ type }) => typeNameOf(type) === 'varchar' && type.typmods !== undefined,
  why: 'is varchar(n): text is as fast, and a CHECK for its length can be changed without a lock that lasts',
  instead: 'text',
});
