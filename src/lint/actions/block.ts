import type { Node } from 'libpg-query';
import { tryParsePlPgSql, tryParseSql } from '../../source/index.js';
import type { Action, Refusal } from './action.js';
import { readActions } from './read.js';

/**
 * What a block of code (DO) does, as far as its text tells: each SQL statement in it, taken to run, whatever the conditions around it. SQL that is put
 * together while it runs is opaque, and so is a block in another language than PL/pgSQL.
 */
export async function readBlock(node: Node, text: string): Promise<Action[]> {
  if (languageOf(node) !== 'plpgsql') return [{ kind: 'opaque', why: 'language', name: languageOf(node) }];
  const parsed = await tryParsePlPgSql(text);
  if (parsed === undefined) return [{ kind: 'opaque', why: 'unreadable', name: 'do' }];
  const actions: Action[] = [];
  for (const part of partsOf(parsed)) actions.push(...(await actionsOf(part)));
  return actions;
}

/** What CREATE FUNCTION does: as a function of a trigger it may turn rows away, which its text tells where it is PL/pgSQL. */
export async function readFunction(node: Node, text: string): Promise<Action[]> {
  const refuses = await readRefusal(text);
  return readActions(node).map((action) => (action.kind === 'create-function' ? { ...action, refuses } : action));
}

/** Whether the function that a text creates, of PL/pgSQL, may turn away a row as that of a trigger. */
export async function readRefusal(text: string): Promise<Refusal> {
  const parsed = await tryParsePlPgSql(text);
  if (parsed === undefined || !JSON.stringify(parsed).includes('PLpgSQL_stmt_return')) return 'unknown'; // in another language there is nothing
  if (
    contains(
      parsed,
      (kind, { elog_level }) => kind === 'PLpgSQL_stmt_assert' || (kind === 'PLpgSQL_stmt_raise' && elog_level === raisedError),
    )
  )
    return 'raises';
  const isNull = ({ expr }: Body) => /^null$/i.test(expr?.PLpgSQL_expr?.query?.trim() ?? '');
  return contains(parsed, (kind, body) => kind === 'PLpgSQL_stmt_return' && isNull(body)) ? 'by-null' : 'never';
}

const raisedError = 21; // ERROR of elog.h

interface Body {
  readonly elog_level?: number;
  readonly expr?: Expression;
}

function contains(value: unknown, test: (kind: string, body: Body) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((each) => contains(each, test));
  return Object.entries(value).some(([kind, body]) => test(kind, (body ?? {}) as Body) || contains(body, test));
}

function languageOf(node: Node): string {
  const options = 'DoStmt' in node ? (node.DoStmt.args ?? []) : [];
  const language = options.find((each) => 'DefElem' in each && each.DefElem.defname === 'language');
  const arg = language && 'DefElem' in language ? language.DefElem.arg : undefined;
  return arg && 'String' in arg ? (arg.String.sval ?? '') : 'plpgsql';
}

/** A statement of the block, or an expression that is executed as one. */
interface Part {
  readonly how: 'statement' | 'execute';
  readonly text: string;
}

interface Expression {
  readonly PLpgSQL_expr?: { readonly query?: string };
}

// for each in delete ... returning loop: whatever returns rows may stand there.
const looping: ReadonlySet<string> = new Set(['PLpgSQL_stmt_dynexecute', 'PLpgSQL_stmt_dynfors', 'PLpgSQL_stmt_fors']);

interface Opened {
  readonly query?: Expression;
  readonly dynquery?: Expression;
}

// Neither, for a cursor that is declared with its query.
function opened({ query, dynquery }: Opened): Part[] {
  if (dynquery) return [{ how: 'execute', text: dynquery.PLpgSQL_expr?.query ?? '' }];
  return query ? [{ how: 'statement', text: query.PLpgSQL_expr?.query ?? '' }] : [];
}

function partsOf(value: unknown): Part[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(partsOf);
  return Object.entries(value as Record<string, ({ sqlstmt?: Expression; expr?: Expression } & Opened) | undefined>).flatMap(
    ([kind, body]): Part[] => {
      if (kind === 'PLpgSQL_stmt_execsql') return [{ how: 'statement', text: body?.sqlstmt?.PLpgSQL_expr?.query ?? '' }];
      if (kind === 'PLpgSQL_stmt_commit') return [{ how: 'statement', text: 'commit' }];
      if (kind === 'PLpgSQL_stmt_rollback') return [{ how: 'statement', text: 'rollback' }];
      if (kind === 'PLpgSQL_stmt_perform' || kind === 'PLpgSQL_stmt_call')
        return [{ how: 'statement', text: body?.expr?.PLpgSQL_expr?.query ?? '' }];
      if (looping.has(kind)) {
        const how = kind === 'PLpgSQL_stmt_fors' ? 'statement' : 'execute';
        return [{ how, text: body?.query?.PLpgSQL_expr?.query ?? '' }, ...partsOf(Object.values(body ?? {}))];
      }
      if (kind === 'PLpgSQL_stmt_open') return opened(body ?? {});
      return partsOf(body);
    },
  );
}

async function actionsOf({ how, text }: Part): Promise<Action[]> {
  if (how === 'statement') return await readText(text);
  const constant = await constantIn(text);
  return constant === undefined ? [{ kind: 'opaque', why: 'execute', name: 'execute' }] : await readText(constant);
}

async function readText(text: string): Promise<Action[]> {
  const statements = await tryParseSql(text);
  if (statements === undefined) return [{ kind: 'opaque', why: 'unreadable', name: 'do' }];
  const read = await Promise.all(
    statements.map(async ({ node, text: own }) => ('DoStmt' in node ? await readBlock(node, own) : readActions(node))),
  );
  return read.flat();
}

// execute 'drop table x': an expression that is one literal.
async function constantIn(expression: string): Promise<string | undefined> {
  const [statement] = (await tryParseSql(`select ${expression}`)) ?? [];
  const select = statement && 'SelectStmt' in statement.node ? statement.node.SelectStmt : undefined;
  const [target] = select?.targetList ?? [];
  const value = target && 'ResTarget' in target ? target.ResTarget.val : undefined;
  return value && 'A_Const' in value ? value.A_Const.sval?.sval : undefined;
}
