import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { verbs } from '../../src/cli/commands.js';
import { renderCommands } from '../../src/cli/document.js';
import { commonFlags, createProgram } from '../../src/cli/program.js';
import { root } from '../support/majors.js';
import { readPages } from '../support/markdown.js';

const environment: NodeJS.ProcessEnv = { ...process.env };

test('docs/commands.md is what the table says (UPDATE_DOCS=1 writes it anew)', () => {
  const file = path.join(root, 'docs/commands.md');
  if (environment['UPDATE_DOCS']) writeFileSync(file, renderCommands());
  expect(readFileSync(file, 'utf8')).toBe(renderCommands());
});

const pages = readPages();
const textsOf = (languages: readonly string[]) =>
  pages.flatMap(({ snippets }) => snippets.filter(({ language }) => languages.includes(language)).map(({ text }) => text));

/** What examples and workflows of this repository start. */
const files = ['examples', '.github', '.ci']
  .flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => path.join(root, folder, name)),
  )
  .filter((file) => /\.(ya?ml|js|json)$|Dockerfile$/.test(file))
  .map((file) => readFileSync(file, 'utf8'));

test('every command line in the pages, in --help and in what the examples start is one that the parser takes', async () => {
  const lines = [...textsOf(['sh', 'yaml', 'console']), ...files].flatMap((text) => text.split('\n'));
  const typed = lines.flatMap(
    (line) => /^[ $]*(?:- )?(?:run: )?(?:xargs .*|\w+=\S+ )?((?:npx )?\bensure-migrated [^-].*)/.exec(line)?.[1] ?? [],
  );
  const inArrays = lines.flatMap((line) => {
    const [, words] = /\['(?:node_modules\/\.bin\/|npx', ')?ensure-migrated', (.*)\]/.exec(line) ?? [];
    return words === undefined ? [] : [`ensure-migrated ${words.replaceAll(/[',]/g, '')}`];
  });
  const all = [...typed, ...inArrays, ...verbs.flatMap(({ examples }) => examples)];
  const commands = all.map((line) => line.replace(/^(?:\w+=\S+ )?(?:npx )?/, '').replace(/\s*(?:[#>|;]|&&| 2>).*/, ''));
  const taken: string[] = [];
  for (const line of commands) {
    const told: string[] = [];
    const stream = { write: (text: string) => told.push(text) } as unknown as NodeJS.WriteStream;
    const program = createProgram({ stdout: stream, stderr: stream }, async () => await Promise.resolve(void taken.push(line)));
    await program.parseAsync(wordsOf(line).slice(1), { from: 'user' }).catch(() => undefined);
    if (!taken.includes(line)) throw new Error(`${line}: ${told.join('')}`);
  }
  expect(commands.filter((line) => line.includes(' repair ')).length).toBeGreaterThan(8);
  expect([typed.length, inArrays.length]).toEqual([
    expect.toSatisfy((count: number) => count > 80),
    expect.toSatisfy((count: number) => count > 1),
  ]);
});

test('every verb and every flag that a sentence names exists', () => {
  const spans = pages.flatMap(({ prose }) => [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span));
  const ours = spans.map((span) => span.replace(/^npx /, '')).filter((span) => span.startsWith('ensure-migrated ') || / --/.test(span));
  const named = ours.map((span) => span.replace(/^ensure-migrated /, '').split(/\s+/)).filter(([, ...rest]) => rest !== undefined);
  const unknown = named.filter(([first = '', ...rest], index) => {
    const verb = verbs.find(({ name }) => name === first);
    if (verb === undefined) return ours[index]?.startsWith('ensure-migrated ');
    const flags = Object.keys({ ...verb.flags, ...commonFlags }).flatMap((flag) => flag.split(/[ ,]+/));
    return rest.some((word) => /^--?[a-z]/.test(word) && !flags.includes(word.replace(/=.*/, '')));
  });
  expect(unknown.map((words) => words.join(' '))).toEqual([]);
  expect(named.length).toBeGreaterThan(60);
});

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}
