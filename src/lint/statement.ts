import { tryParseSql, type ParsedStatement } from '../source/index.js';
import { readActions, readBlock, readFunction, type Action } from './actions/index.js';
import { readNoted } from './noted.js';
import type { Statement } from './rule.js';

/** A statement as it was captured, or is about to be sent. */
export interface Unread {
  readonly sql: string;
  readonly text: string;
  readonly place: string | undefined;
  readonly message: number;
}

/** Parses what is to be judged, once. Several statements in one text become several; what the parser cannot read is opaque. */
export async function readStatements({ sql, text, place, message }: Unread): Promise<Statement[]> {
  const parsed = await tryParseSql(sql);
  if (parsed === undefined) {
    const nothing = { node: undefined, misplaced: [], tooLong: [], alone: true };
    return [{ sql, text, place, message, ...nothing, actions: [{ kind: 'opaque', why: 'unreadable', name: '' }] }];
  }
  return await Promise.all(
    parsed.map(async (each): Promise<Statement> => {
      const actions = await actionsOf(each);
      const texts = parsed.length === 1 ? { sql, text } : { sql: each.text, text: each.text };
      const noted = await readNoted(texts.text, each.node);
      const alone = parsed.length === 1;
      return { ...texts, ...noted, place, message, alone, node: each.node, actions: [{ kind: 'statement' }, ...actions] };
    }),
  );
}

async function actionsOf({ node, text }: ParsedStatement): Promise<Action[]> {
  if ('DoStmt' in node) return await readBlock(node, text);
  return 'CreateFunctionStmt' in node ? await readFunction(node, text) : readActions(node);
}
