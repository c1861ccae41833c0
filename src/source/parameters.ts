import { scanSql } from './parser.js';

/** See index.ts. */
export async function replaceParameters(text: string, replace: (number: number) => string): Promise<string> {
  const bytes = Buffer.from(text);
  let result = '';
  let seen = 0;
  for (const { start, end, number } of await scanSql(text)) {
    const before = bytes.toString('utf8', seen, start);
    // A word or a quote right before it would become one token with a literal.
    result += before + (/[\w'"]$/.test(before) ? ' ' : '') + replace(number);
    seen = end;
  }
  return result + bytes.toString('utf8', seen);
}
