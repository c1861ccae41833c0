import type { FilterRule, Policy, Predicate } from '@supabase/pg-delta/policy';
import type { Read, Scope } from './differ.js';

/**
 * What pg-delta is to leave alone: who owns an object and what owners may do with it, the tables of the history, what the model is not about.
 * The first rule that matches an object decides. Pure.
 */
export function policyFor({ coverage, tables, schema }: Scope, { owner, roles }: Pick<Read, 'owner' | 'roles'>): Policy {
  const { history, lock, journal } = tables.names;
  const names = [history, lock, journal, `${history}_id_seq`, `${lock}_index_seq`, `${journal}_id_seq`];
  const ours: Predicate[] = [{ kind: ['table', 'sequence'] }, { name: names }, ...(schema === undefined ? [] : [{ schema }])];
  const leave = (match: Predicate): FilterRule => ({ match, action: 'exclude' });
  const { include, exclude } = coverage;
  return {
    id: 'ensure-migrated',
    assumedRoles: [...roles],
    filter: [
      leave({ all: [{ kind: 'acl' }, { idField: { field: 'grantee', glob: owner } }] }),
      leave({ all: ours }),
      ...exclude.map((pattern) => leave(matching(pattern))),
      ...include.map((pattern): FilterRule => ({ match: { any: [matching(pattern), schemaOf(pattern)] }, action: 'include' })),
      ...(include.length === 0 ? [] : [leave({ any: [{ schema: '*' }, { kind: 'schema' }] })]),
    ],
  };
}

function matching(pattern: string): Predicate {
  const [schema = '', name] = splitPattern(pattern);
  if (name === undefined) return { any: [{ schema }, { all: [{ kind: 'schema' }, { name: schema }] }, { target: { schema } }] };
  return {
    any: [
      { all: [{ schema }, { name }] },
      { all: [{ schema }, { idField: { field: 'table', glob: name } }] },
      { target: { schema, name } },
    ],
  };
}

function schemaOf(pattern: string): Predicate {
  return { all: [{ kind: 'schema' }, { name: splitPattern(pattern)[0] ?? '' }] };
}

function splitPattern(pattern: string): string[] {
  const dot = pattern.indexOf('.');
  return dot < 0 ? [pattern] : [pattern.slice(0, dot), pattern.slice(dot + 1)];
}
