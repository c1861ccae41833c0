import type { Node } from 'libpg-query';
import { tryParseSql, type ParsedStatement } from './parser.js';
import { everyNode, isAnalyzed, isLookingCall } from './statement.js';
import { isTransactionControl, type ScriptStatement } from './sql-script.js';

/**
 * What a statement is to the database: `read` only looks (SELECT, SHOW, EXPLAIN), `setting` is SET, `copy` needs data beside the text, `control`
 * begins or ends a transaction, `write` is all else. A SELECT that locks rows, makes a table or changes one in a WITH is a `write`.
 */
export type Effect = 'read' | 'setting' | 'copy' | 'control' | 'write';

export interface EffectiveStatement extends ScriptStatement {
  readonly effect: Effect;
  /** The first word of the command tag: what pg gives as `command` of the result. */
  readonly command: string;
  /** Functions that a read calls and that are not known to only look, by their last name. Any of them may change something. */
  readonly calls: readonly string[];
}

/** See index.ts. */
export async function splitByEffect(text: string): Promise<EffectiveStatement[] | undefined> {
  const statements = await tryParseSql(text);
  return statements?.map((statement) => ({ ...describe(statement), text: statement.text, offset: statement.offset }));
}

function describe({ node, text }: ParsedStatement): Pick<EffectiveStatement, 'effect' | 'command' | 'calls'> {
  const effect = effectOf(node);
  return { effect, command: commandOf(node, text), calls: effect === 'read' ? callsOf(node) : [] };
}

function effectOf(node: Node): Effect {
  if ('VariableSetStmt' in node) return 'setting';
  if ('VariableShowStmt' in node) return 'read';
  if ('CopyStmt' in node) return 'copy';
  if (isTransactionControl(node)) return 'control';
  if ('ExplainStmt' in node) return isAnalyzed(node.ExplainStmt.options ?? []) ? 'write' : 'read';
  return 'SelectStmt' in node && onlyLooks(node) ? 'read' : 'write';
}

function onlyLooks(select: Node): boolean {
  return everyNode(
    select,
    (kind) => kind !== 'intoClause' && kind !== 'lockingClause' && (kind === 'SelectStmt' || !kind.endsWith('Stmt')),
  );
}

function callsOf(node: Node): string[] {
  const names = new Set<string>();
  everyNode(node, (kind, body) => {
    const { funcname = [] } = kind === 'FuncCall' ? (body as { funcname?: Node[] }) : {};
    const last = funcname.at(-1);
    if (last && 'String' in last && !isLookingCall(funcname)) names.add(last.String.sval ?? '');
    return true;
  });
  return [...names];
}

const tags: Readonly<Record<string, string>> = {
  SelectStmt: 'SELECT',
  InsertStmt: 'INSERT',
  UpdateStmt: 'UPDATE',
  DeleteStmt: 'DELETE',
  MergeStmt: 'MERGE',
};

// With a WITH in front, the first word is not the command.
function commandOf(node: Node, text: string): string {
  return tags[Object.keys(node)[0] ?? ''] ?? /^\w+/.exec(text.trimStart())?.[0].toUpperCase() ?? '';
}
