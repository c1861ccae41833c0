import { migrationsTable } from './migrations.js';
import { ruleTable } from './rules.js';
import { optionTable, type OptionRow } from './table.js';
import { timeoutTable } from './timeouts.js';

const introduction = `# Options

Every option of \`ensureMigrated(options)\`. An option that is given comes first, then the environment, then the default; a variable that
is set to nothing is not set. All problems are reported in one error, EM_CONFIG_INVALID, which never shows a password.

This page is written from the tables in src/config: \`UPDATE_DOCS=1 npx vitest run test/config.test.ts\` writes it anew.`;

/** The text of docs/options.md. */
export function renderOptionsTable(): string {
  const sections = [
    introduction,
    renderOptions(),
    '## migrations',
    renderMigrations(),
    '## timeouts',
    renderTimeouts(),
    '## rules',
    renderRules(),
  ];
  return `${sections.join('\n\n')}\n`;
}

function renderOptions(): string {
  const rows = Object.entries<OptionRow>(optionTable).map(([name, row]) => [code(name), defaultOf(row), variablesOf(row), row.sentence]);
  return table(['option', 'default', 'environment', 'what it does'], rows);
}

function defaultOf(row: OptionRow): string {
  return row.shown ?? (row.default === undefined ? '' : code(typeof row.default === 'string' ? row.default : JSON.stringify(row.default)));
}

const variablesOf = (row: OptionRow) => (row.environment ?? []).map(code).join(', then ');

function renderMigrations(): string {
  const rows = Object.entries(migrationsTable).map(([name, row]) => [code(name), row.shown ?? '', row.sentence]);
  return table(['key', 'default', 'what it does'], rows);
}

function renderTimeouts(): string {
  const rows = Object.entries(timeoutTable).map(([name, row]) => [code(name), String(row.default), row.sentence]);
  return table(['timeout', 'default (ms)', 'what it bounds'], rows);
}

function renderRules(): string {
  const rows = Object.entries(ruleTable).map(([name, row]) => [
    code(name),
    'fixed' in row ? `${row.level} (fixed)` : row.level,
    row.sentence,
  ]);
  return table(['rule', 'default', 'what it finds'], rows);
}

const code = (text: string) => `\`${text}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
