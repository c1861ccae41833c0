import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'libpg-query';
import { describe, expect, test } from 'vitest';
import * as commands from '../src/commands/index.js';
import { migrationsTable } from '../src/config/migrations.js';
import { declaredOf } from '../src/backfill/definition.js';
import { lintRuleTable, resolveConfig, resolveDatabases, ruleTable } from '../src/config/index.js';
import { optionTable } from '../src/config/table.js';
import { timeoutTable } from '../src/config/timeouts.js';
import { errorTable } from '../src/errors.js';
import { root } from './support/majors.js';
import { readPage, readPages } from './support/markdown.js';
import { faultsOfCode } from './support/type-check.js';

const pages = readPages();
const prose = pages.map((page) => page.prose).join('\n');
const snippets = pages.flatMap((page) => page.snippets);

function readTree(folder: string): { name: string; text: string }[] {
  const names = readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|js)$/.test(name));
  return names.map((name) => ({ name, text: readFileSync(path.join(root, folder, name), 'utf8') }));
}

const source = readTree('src');
const sourceText = source.map(({ text }) => text).join('\n');
const tests = readTree('test').filter(({ name }) => name !== 'docs.test.ts');

/** The first cell of each row of the tables under a heading, without its backquotes, and the other cells. */
function rowsUnder(text: string, heading: RegExp): string[][] {
  const section = text.split(/^(?=#+ )/m).find((part) => heading.test(part.split('\n', 1)[0] ?? '')) ?? '';
  const rows = [...section.matchAll(/^\|(.+)\|$/gm)].map(([, cells = '']) => cells.split(/(?<!\\)\|/).map((cell) => cell.trim()));
  return rows.filter(([first]) => first?.startsWith('`')).map(([first = '', ...rest]) => [first, ...rest]);
}

/** The fields that a type or a class declares, those below them by their paths. */
function fieldsOf(declared: string): string[] {
  const body = new RegExp(`export ${declared} \\{([^]*?)\\n\\}`).exec(sourceText)?.[1]?.split('\n  constructor')[0] ?? '';
  const above: string[] = [];
  const fields = [...body.matchAll(/^((?: {2})+)(?:override )?(?:readonly )?(\w+)[?(<:].*?(\{)?$/gm)].map(
    ([, indent = '', name = '', opens]) => {
      const at = [...above.slice(0, indent.length / 2 - 1), name];
      above.splice(0, above.length, ...at);
      return { at: at.join('.'), opens };
    },
  );
  return fields.filter(({ opens }) => opens === undefined).map(({ at }) => at);
}

const missingFrom = (wanted: readonly string[], there: readonly string[]) => wanted.filter((each) => !there.includes(each)).sort();
const quoted = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, first = '']) => first))];

describe('docs/errors.md', () => {
  const { prose: text, headings } = readPage('docs/errors.md');
  const codes = Object.keys(errorTable) as (keyof typeof errorTable)[];

  test('has a section for each code, in the order of the table, and for no other', () => {
    expect(headings.filter((heading) => heading.startsWith('EM_'))).toEqual(codes);
  });

  test.each(codes)('says of %s what the table says, and what to look at and to do', (code) => {
    const section = text.split(/^(?=#+ )/m).find((part) => part.startsWith(`## ${code}\n`)) ?? '';
    const { exit } = errorTable[code];
    expect(section).toContain(`\n\nExit code ${exit}, ${exit === 75 ? 'retryable' : 'not retryable'}.\n`);
    for (const part of ['**What happened.**', '**The database.**', '**Look at.**', '**What to do.**']) expect(section).toContain(part);
  });

  test('lists every finding, in both directions, with the default level of its rule', () => {
    const tables = [
      /The history/,
      /Before the first change/,
      /After the run/,
      /^## Replicas/,
      /Several databases/,
      /A stamp or a baseline/,
      /A model/,
      /Generated migrations/,
      /Migrations that cannot be used/,
      /A downgrade/,
      /A new migration/,
      /Migrations under test/,
    ];
    const rows = tables.flatMap((heading) => rowsUnder(text, heading));
    const rules = Object.keys(ruleTable).filter((rule) => !Object.hasOwn(lintRuleTable, rule)); // those stand in lint.md
    const known = [...new Set([...rules, ...quoted(sourceText, /\bcode: '([a-z]+-[a-z-]+)'/g)])];
    expect(rows.map(([first = '']) => first.replaceAll('`', '')).sort()).toEqual(known.sort());
    for (const [first = '', level] of rows) {
      const rule = ruleTable[first.replaceAll('`', '') as keyof typeof ruleTable] as { level: string; fixed?: true } | undefined;
      if (rule) expect([first, level]).toEqual([first, `${rule.level}${rule.fixed ? ', fixed' : ''}`]);
    }
  });
});

describe('every error code', () => {
  const codes = Object.keys(errorTable);

  test('is thrown somewhere in src/', () => {
    const elsewhere = source
      .filter(({ name }) => name !== 'errors.ts')
      .map(({ text }) => text)
      .join('\n');
    expect(missingFrom(codes, quoted(elsewhere, /'(EM_[A-Z_]+)'/g))).toEqual([]);
  });

  test('is raised by a test', () => {
    const lines = tests.flatMap(({ text }) => text.split('\n')).filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line));
    expect(missingFrom(codes, quoted(lines.join('\n'), /['"`](EM_[A-Z_]+)['"`]/g))).toEqual([]);
  });

  test('that is spoken of is one of the table', () => {
    expect(missingFrom(quoted(prose + sourceText, /\b(EM_[A-Z_]+[A-Z])\b/g), codes)).toEqual([]);
  });
});

describe('docs/api.md', () => {
  const {
    prose: text,
    snippets: [imports],
  } = readPage('docs/api.md');

  test('lists every event, in both directions', () => {
    const told = quoted(sourceText, /\breport\s*\.(?:debug|info|warn|error)\('([a-z]+\.[a-z-]+)'/g);
    const byAnotherName = quoted(sourceText, /\breport\[[^\]]+\]\('([a-z]+\.[a-z-]+)'/g);
    const listed = rowsUnder(text, /Events/)
      .map(([first = '']) => first)
      .filter((first) => !first.includes('<'));
    expect(listed.map((first) => first.replaceAll('`', '')).sort()).toEqual([...told, ...byAnotherName].sort());
  });

  test('lists every function of ensure-migrated/commands, and every field of a status', () => {
    const names = (heading: RegExp) => rowsUnder(text, heading).flatMap(([first = '']) => quoted(first, /`(\w+)`/g));
    const functions = Object.entries(commands).filter(([, value]) => typeof value === 'function');
    expect(names(/^## Commands/).sort()).toEqual(functions.map(([name]) => name).sort());
    const fields = /export interface Status \{([^]*?)\n\}/.exec(sourceText)?.[1] ?? '';
    expect(names(/^### Status/).sort()).toEqual(quoted(fields, /readonly (\w+):/g).sort());
  });

  test.each([
    ['Outcome', /^## Outcome/, 'interface Outcome'],
    ['MigrationError', /^## MigrationError/, 'class MigrationError extends Error'],
    ['Probe', /^## createProbe/, 'interface Probe'],
    ['MigrationModule', /^## Migrations/, 'interface MigrationModule'],
    ['CheckContext', /^## Check/, 'interface CheckContext'],
  ])('lists every field of %s', (_name, heading, declared) => {
    const told = rowsUnder(text, heading).flatMap(([first = '']) => quoted(first, /`([\w.]+)/g));
    expect(fieldsOf(declared).length).toBeGreaterThan(3);
    expect(missingFrom(fieldsOf(declared), [...told, 'default'])).toEqual([]); // which stands for the module itself
  });

  test('names everything that the package exports', () => {
    const index = source.find(({ name }) => name === 'index.ts')?.text ?? '';
    const names = [...index.matchAll(/\{([^}]+)\}/g)].flatMap(([, list = '']) =>
      list.split(',').map((name) => name.replace('type ', '').trim()),
    );
    expect(missingFrom(names.filter(Boolean), quoted(imports?.text ?? '', /\b(\w+)\b/g))).toEqual([]);
  });
});

test('docs/testing.md speaks of each option of the test databases', () => {
  const { prose: text, snippets: code } = readPage('docs/testing.md');
  const told = quoted([text, ...code.map((snippet) => snippet.text)].join('\n'), /\b(\w+)\b/g);
  const options = fieldsOf('interface TestDatabasesOptions extends MigratingOptions, ServerOptions');
  expect(options).toContain('seed');
  expect(missingFrom(options, told)).toEqual([]);
});

describe('the defaults on a page are those of the code', () => {
  const connection = 'postgres://localhost/app';
  const [replica] = resolveConfig({ connection, replicas: [connection] }).replicas;
  const { tenants, throttle } = resolveConfig({ connection, tenants: { schemas: [] } });
  const { targetMs, batchSize, parallel, onBadRow } = declaredOf({ table: 'orders', set: 'done = true' });
  const wordsIn = (text: string) => text.replace(/(\d) (?=\d)/g, '$1').split(/\W+/);

  test.each([
    ['docs/replicas.md', 1, replica],
    ['docs/tenants.md', 1, tenants],
    ['docs/databases.md', 1, resolveDatabases({ databases: [{ name: 'app', connection }] })],
    ['docs/backfills.md', 1, { targetMs, batchSize, parallel, onBadRow }],
    ['docs/backfills.md', 2, throttle],
  ] as const)('%s, in column %i', (page, column, resolved) => {
    const rows = [...readPage(page).prose.matchAll(/^\|(.+)\|$/gm)].map(([, cells = '']) => cells.split('|'));
    const told = new Map(rows.flatMap((cells) => quoted(cells[0] ?? '', /`(\w+)`/g).map((name) => [name, wordsIn(cells[column] ?? '')])));
    const plain = Object.entries(resolved ?? {}).filter(([name, value]) => told.has(name) && ['string', 'number'].includes(typeof value));
    expect(plain.length).toBeGreaterThan(1);
    for (const [name, value] of plain) expect([name, told.get(name)]).toEqual([name, expect.arrayContaining(wordsIn(String(value)))]);
  });
});

describe('in all pages', () => {
  test.each(pages)('$name links to what is there', ({ name, links, anchors }) => {
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [file = '', anchor] = link.split('#');
      const target = path.join(path.dirname(name), file);
      if (file !== '' && !existsSync(path.join(root, target))) return true;
      return anchor !== undefined && !(file === '' ? anchors : readPage(target).anchors).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('every page of docs/ is in its index', () => {
    expect(missingFrom(readdirSync(path.join(root, 'docs')), ['README.md', ...readPage('docs/README.md').links])).toEqual([]);
  });

  test('what the texts of src/ refer to is there', () => {
    const references = [...sourceText.matchAll(/(docs\/\w+\.md)(?:, "([^"]+)")?/g)].map(([, page = '', heading]) => ({ page, heading }));
    expect(references.length).toBeGreaterThan(0);
    for (const { page, heading } of references) {
      expect([page, existsSync(path.join(root, page))]).toEqual([page, true]);
      if (heading !== undefined) expect(readPage(page).headings).toContain(heading);
    }
  });

  test('options, timeouts, keys, rules and variables that are spoken of exist', () => {
    const text = prose + snippets.map((snippet) => snippet.text).join('\n');
    const variables = Object.values(optionTable).flatMap((row): readonly string[] => ('environment' in row ? row.environment : []));
    expect(missingFrom(quoted(text, /\btimeouts\.(\w+)/g), Object.keys(timeoutTable))).toEqual([]);
    expect(missingFrom(quoted(text, /\bmigrations\.([a-z]\w+)/gi), Object.keys(migrationsTable))).toEqual([]);
    expect(
      missingFrom(quoted(text, /\bconfig\.([a-z]+)\b(?!\.)/g), [
        'capture',
        'transaction',
        'breaking',
        'requires',
        'safe',
        'ts',
        'js',
        'json',
      ]),
    ).toEqual([]);
    const given = quoted(sourceText, /\b(ENSURE_MIGRATED_\w+): /g); // to the command of the option `backup`
    expect(missingFrom(quoted(text, /\b(ENSURE_MIGRATED_\w+)/g), [...variables, ...given])).toEqual([]);
    const findings = [...Object.keys(ruleTable), ...quoted(sourceText, /\bcode: '([a-z]+-[a-z-]+)'/g)];
    expect(missingFrom(quoted(prose, /`((?:history|schema|verify|migration|sql|source)-[a-z-]+)`/g), findings)).toEqual([]);
  });

  test('commands exist', () => {
    const scripts = Object.keys((JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts);
    const commands = [prose, ...snippets.filter(({ language }) => language === 'sh').map(({ text }) => text)].join('\n');
    expect(missingFrom(quoted(commands, /\bnpm run ([\w:-]+)/g), scripts)).toEqual([]);
    expect(scripts).toContain('test');
    const files = quoted(commands, /(?:\bvitest run|\bnode|--?f(?:ile)?) ((?:test|examples|bench)\/[\w./-]+)/g);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  test('every JavaScript and TypeScript snippet is valid, and uses the library as its types allow', () => {
    const code = snippets.filter(({ language }) => language === 'js' || language === 'ts');
    expect(code.length).toBeGreaterThan(5);
    expect(faultsOfCode(code)).toEqual([]);
  });

  test('every SQL snippet is valid', async () => {
    for (const { page, line, text } of snippets.filter(({ language }) => language === 'sql'))
      await expect(parse(text), `${page}:${line}`).resolves.toBeDefined();
  });
});
