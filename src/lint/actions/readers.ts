import type { Node } from 'libpg-query';
import type { Action } from './action.js';

/** What each kind of statement does: a table for the statements of one theme. */
export type Readers = { readonly [Kind in KindOf<Node>]?: (body: BodyOf<Kind>) => Action[] };

type KindOf<N> = N extends N ? keyof N : never;

/** What the parser's tree has of a statement of a kind. */
export type BodyOf<Kind> = Extract<Node, Record<Kind & string, unknown>> extends Record<Kind & string, infer Body> ? Body : never;
