import type { Node } from 'libpg-query';
import type { BodyOf } from './actions/index.js';
import type { Statement, Write } from './rule.js';

/** The reader's own statement with a change to its tree; the statement as it stands where it is of another kind (inside a block, say). */
export function changed<Kind extends string>(
  { sql, node, write }: Pick<Statement, 'sql' | 'node'> & { readonly write: Write },
  kind: Kind,
  change: (body: BodyOf<Kind>) => BodyOf<Kind>,
): string {
  const body = (node as Readonly<Record<string, unknown>> | undefined)?.[kind];
  return body === undefined ? sql : write({ [kind]: change(body as BodyOf<Kind>) } as unknown as Node);
}
