import { defineColumnTypeRule, isType } from '../column-type.js';

export const preferTimestamptz = defineColumnTypeRule({
  id: 'prefer-timestamptz',
  isFound: isType('timestamp'),
  why: 'is timestamp without time zone: which instant it is depends on who reads it',
  instead: 'timestamptz',
});
