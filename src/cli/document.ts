import { verbs } from './commands.js';
import { commonFlags } from './program.js';
import type { Sites, Verb } from './verb.js';

const introduction = `# Commands

Every verb of the command line. Each is a function of \`ensure-migrated/commands\` first, \`(options, verbOptions)\`, with the lock, the checks and the
journal of a boot. Results go to stdout, progress to stderr. \`--json\` prints the result, or \`{ "error": { "code", ... } }\`:
the package has [a schema](stability.md#json) of it for each verb.

Exit codes: 0 done, or in sync; 75 try again later; 78 a person must act (also for words on the command line that make no sense); 130 and 143
stopped by a signal. Colours only on a terminal, and not where \`NO_COLOR\` is set. \`--version\` alone prints the version.
There is no shell completion: as a rule it runs as \`npx ensure-migrated\`, for which no shell would ask it, and \`<verb> --help\` tells the flags.

This page is written from the table in src/cli: \`UPDATE_DOCS=1 npx vitest run test/cli/document.test.ts\` writes it anew.`;

/** The text of docs/commands.md. */
export function renderCommands(): string {
  const list = verbs.map(({ name, summary }) => `| [${name}](#${name}) | ${summary} |`);
  const overview = ['| verb | |', '| --- | --- |', ...list].join('\n');
  const common = `## Flags of every verb\n\n${flagsTable(commonFlags)}\n\n${severalText()}`;
  return `${[introduction, overview, common, ...verbs.map(renderVerb)].join('\n\n')}\n`;
}

function severalText(): string {
  const named = (kind: Sites) => verbs.filter(({ sites }) => kindOf(sites) === kind).map(({ name }) => name);
  return `Where the configuration file has several histories, ${named('each').join(', ')} work on all of them, or on those that are chosen, and print one table, or a section for each; with
\`--json\` a list in which each has its \`database\`, \`tenant\` or \`stream\`. A line that failed has the code of its error, and the whole error stands below. The exit code is 0 when all is well,
else 78, or 75 where that is true of each that failed. ${named('one files').join(' and ')} are about files, and need a choice only where those differ. All others are about one history, which must be chosen.`;
}

// Of what depends on a flag: as it is without.
function kindOf(sites: Verb['sites']): Sites {
  return typeof sites === 'function' ? sites({ flags: {} }) : (sites ?? 'one');
}

function renderVerb({ name, arguments: args, description, flags, examples }: Verb): string {
  const usage = `\`ensure-migrated ${[name, args].filter(Boolean).join(' ')}\``;
  const lines = ['```sh', ...examples, '```'].join('\n');
  return [`## ${name}`, usage, description, ...(flags ? [flagsTable(flags)] : []), lines].join('\n\n');
}

function flagsTable(flags: Readonly<Record<string, string>>): string {
  return ['| flag | |', '| --- | --- |', ...Object.entries(flags).map(([flag, sentence]) => `| \`${flag}\` | ${sentence} |`)].join('\n');
}
