import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { verbs } from '../../src/cli/commands.js';
import { renderCommands } from '../../src/cli/document.js';
import { createProgram } from '../../src/cli/program.js';
import { root } from '../support/majors.js';
import { readPages } from '../support/markdown.js';

const environment: NodeJS.ProcessEnv = { ...process.env };

test('docs/commands.md is what the table says (UPDATE_DOCS=1 writes it anew)', () => {
  const file = path.join(root, 'docs/commands.md');
  if (environment['UPDATE_DOCS']) writeFileSync(file, renderCommands());
  expect(readFileSync(file, 'utf8')).toBe(renderCommands());
});

test('every command line in the pages and in --help is one that the parser takes', async () => {
  const shell = readPages().flatMap(({ snippets }) => snippets.filter(({ language }) => language === 'sh'));
  const lines = [...shell.flatMap(({ text }) => text.split('\n')), ...verbs.flatMap(({ examples }) => examples)];
  const commands = lines.map((line) => line.replace(/\s+[#>|].*/, '')).filter((line) => line.startsWith('ensure-migrated '));
  const taken: string[] = [];
  for (const line of commands) {
    const told: string[] = [];
    const stream = { write: (text: string) => told.push(text) } as unknown as NodeJS.WriteStream;
    const program = createProgram({ stdout: stream, stderr: stream }, async () => await Promise.resolve(void taken.push(line)));
    await program.parseAsync(wordsOf(line).slice(1), { from: 'user' }).catch(() => undefined);
    if (!taken.includes(line)) throw new Error(`${line}: ${told.join('')}`);
  }
  expect(commands.filter((line) => line.includes(' repair ')).length).toBeGreaterThan(8);
});

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
