import { defineColumnTypeRule, isType } from '../column-type.js';

export const banChar = defineColumnTypeRule({
  id: 'ban-char',
  isFound: isType('bpchar'),
  why: 'is char(n): it is filled up with blanks, which count in some comparisons and in others do not',
  instead: 'text',
});
