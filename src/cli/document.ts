import { verbs } from './commands.js';
import { commonFlags } from './program.js';
import type { Verb } from './verb.js';

const introduction = `# Commands

Every verb of the command line. Each is a function of \`ensure-migrated/commands\` first, \`(options, verbOptions)\`, with the lock, the checks and the
journal of a boot. Results go to stdout, progress to stderr. \`--json\` prints the result, or \`{ "error": { "code", ... } }\`.

Exit codes: 0 done, or in sync; 75 try again later; 78 a person must act (also for words on the command line that make no sense); 130 and 143
stopped by a signal. Colours only on a terminal, and not where \`NO_COLOR\` is set.

This page is written from the table in src/cli: \`UPDATE_DOCS=1 npx vitest run test/cli/document.test.ts\` writes it anew.`;

/** The text of docs/commands.md. */
export function renderCommands(): string {
  const list = verbs.map(({ name, summary }) => `| [${name}](#${name}) | ${summary} |`);
  const overview = ['| verb | |', '| --- | --- |', ...list].join('\n');
  const common = `## Flags of every verb\n\n${flagsTable(commonFlags)}`;
  return `${[introduction, overview, common, ...verbs.map(renderVerb)].join('\n\n')}\n`;
}

function renderVerb({ name, arguments: args, description, flags, examples }: Verb): string {
  const usage = `\`ensure-migrated ${[name, args].filter(Boolean).join(' ')}\``;
  const lines = ['```sh', ...examples, '```'].join('\n');
  return [`## ${name}`, usage, description, ...(flags ? [flagsTable(flags)] : []), lines].join('\n\n');
}

function flagsTable(flags: Readonly<Record<string, string>>): string {
  return ['| flag | |', '| --- | --- |', ...Object.entries(flags).map(([flag, sentence]) => `| \`${flag}\` | ${sentence} |`)].join('\n');
}
