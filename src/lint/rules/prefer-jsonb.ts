import { defineColumnTypeRule, isType } from '../column-type.js';

export const preferJsonb = defineColumnTypeRule({
  id: 'prefer-jsonb',
  isFound: isType('json'),
  why: 'is json: it has no equality and no index, and is parsed again with every read',
  instead: 'jsonb',
});
