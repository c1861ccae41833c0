import type { ActionOf } from '../actions/index.js';
import { isBornFunction, isOpaque } from '../opaque.js';
import { defineRule } from '../rule.js';

export const opaqueCode = defineRule({
  id: 'opaque-code',
  on: ['opaque'],
  spares: 'none',
  find(action, { catalog }) {
    if (!isOpaque(action, catalog)) return undefined;
    return {
      message: `${words[action.why](action)}: what it locks, changes or destroys nobody can tell before it runs`,
      remedy: remedies[action.why],
      unless:
        action.why === 'function' && !isBornFunction(action.name, catalog) ? "it is one of PostgreSQL's own, or only looks" : undefined,
    };
  },
});

type Why = ActionOf<'opaque'>['why'];

const words: Readonly<Record<Why, (action: ActionOf<'opaque'>) => string>> = {
  execute: () => 'the block executes SQL that it puts together while it runs',
  call: ({ name }) => `call ${name} runs a procedure`,
  function: ({ name }) => `${name}() is a function that may change anything`,
  language: ({ name }) => `the block is written in ${name}`,
  unreadable: () => 'the statement is beyond the parser, whose grammar is that of PostgreSQL 18',
};

const traced = 'or see what it does with plan --trace, and say so in config.safe.';

const remedies: Readonly<Record<Why, string>> = {
  execute: `Write the statements out, \`execute 'alter table ...'\` with the names in it; ${traced}`,
  call: `Write its statements into the migration; ${traced}`,
  function: `Write its statements into the migration; ${traced}`,
  language: `Write it in SQL or PL/pgSQL; ${traced}`,
  unreadable: `Write it as PostgreSQL 18 understands it; ${traced}`,
};
