import type { Node } from 'libpg-query';
import { readTokens, type Tokens } from '../source/index.js';
import type { Statement } from './rule.js';

/** What only the text of a statement shows, and not its tree: the parser cuts names off as the server does. */
export async function readNoted(text: string, node: Node): Promise<Pick<Statement, 'misplaced' | 'tooLong'>> {
  if (!isWorthReading.test(text)) return { misplaced: [], tooLong: [] };
  const tokens = await readTokens(text);
  const names = tokens.names.filter((name) => Buffer.byteLength(name) > maxNameBytes);
  return { misplaced: isCode(node) ? [] : misplacedIn(tokens), tooLong: [...new Set(names)] };
}

const maxNameBytes = 63; // NAMEDATALEN - 1

// A dollar and a digit, or what may be a long name.
const isWorthReading = /\$\d|[^\s"',();]{22,}|"[^"]{16,}"/;

// In the body of a function $1 is its argument.
function isCode(node: Node): boolean {
  return 'CreateFunctionStmt' in node || 'DoStmt' in node;
}

// knex counts the question marks of a statement from one on. A $5 where nothing is 1 to 4 somebody has written.
function misplacedIn({ parameters, literals }: Tokens): string[] {
  const inLiterals = literals.flatMap(placeholdersIn);
  const isCounted = (number: number) =>
    Array.from({ length: number }, (_, index) => index + 1).every((each) => inLiterals.includes(each) || parameters.includes(each));
  return literals.filter((each) => placeholdersIn(each).some((number) => !parameters.includes(number) && isCounted(number)));
}

function placeholdersIn(literal: string): number[] {
  return [...literal.matchAll(/\$(\d{1,4})(?![\d$])/g)].map(([, digits]) => Number(digits));
}
