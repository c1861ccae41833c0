import { current, downgrade, type DowngradeQuestion, history, init, revision, stamp, status, upgrade } from '../commands/index.js';
import { readTarget } from './target.js';
import { currentText, historyText, initText, outcomeText, revisionText, stampedText, statusText } from './text.js';
import { flagText, type Input, type Verb } from './verb.js';

/** Every verb of the command line, in the order in which --help and docs/commands.md list them. */
export const verbs: readonly Verb[] = [
  {
    name: 'init',
    summary: 'Set a project up.',
    description:
      'Writes a configuration file and, where there is none, a first migration, and gives the lines for the file in which the application boots. Overwrites nothing. A knexfile is read as it stands: then it only gives the lines. Needs no database.',
    flags: {
      '--extension <extension>': 'Of the files: js, mjs, cjs, ts, mts, cts, or sql for the migration alone. Default: as the project is.',
    },
    examples: ['ensure-migrated init', 'ensure-migrated init --extension sql'],
    run: async (options, input) => {
      const result = await init(options, { extension: flagText(input, 'extension') });
      return { result, text: () => initText(result) };
    },
  },
  {
    name: 'revision',
    arguments: '<message>',
    summary: 'Write a new migration.',
    description:
      'Writes a migration that does nothing yet, named so that it sorts after all others. Warns of a message that does not say what it changes. Needs no database.',
    flags: {
      '--extension <extension>': 'js, mjs, cjs, ts, mts, cts or sql. Default: migrations.extension, then as the last migration.',
      '--directory <directory>': 'One of the directories of the migrations. Default: the last.',
      '--stub <file>': 'The template to fill in. Default: migrations.stub.',
    },
    examples: ['ensure-migrated revision "add patient email"', 'ensure-migrated revision "index orders by customer" --extension sql'],
    run: async (options, input) => {
      const flag = (name: string) => flagText(input, name);
      const asked = { extension: flag('extension'), directory: flag('directory'), stub: flag('stub') };
      const result = await revision(options, { message: input.args[0] ?? '', ...asked });
      return { result, text: (screen) => revisionText(result, screen) };
    },
  },
  {
    name: 'upgrade',
    arguments: '[target]',
    summary: 'Apply pending migrations.',
    description:
      'Applies what is pending up to the target, as a boot does: the same lock, checks and journal. Targets: head (default), +2, a name or a unique part of it.',
    examples: ['ensure-migrated upgrade', 'ensure-migrated upgrade +1', 'ensure-migrated upgrade patient_email'],
    run: async (options, { args: [target] }) => {
      const result = await upgrade(options, target === undefined ? {} : { target: readTarget(target) });
      return { result, text: (screen) => outcomeText(result, screen) };
    },
  },
  {
    name: 'downgrade',
    arguments: '<target>',
    summary: 'Take applied migrations back.',
    description:
      'Takes migrations back in reverse of the order in which they ran, down to the target: -1, a name (which stays applied), or base. Asks first, unless the environment is test. Refuses before the first one where a down is missing.',
    flags: { '--yes': 'Do not ask.' },
    examples: ['ensure-migrated downgrade -1', 'ensure-migrated downgrade patient_email --yes', 'ensure-migrated downgrade base'],
    run: async (options, { args: [target = ''], flags, ask }) => {
      const confirm = ask && (async (question: DowngradeQuestion) => await ask(downgradeQuestion(question)));
      const result = await downgrade(options, { target: readTarget(target), yes: flags['yes'] === true, confirm });
      return { result, text: (screen) => outcomeText(result, screen) };
    },
  },
  {
    name: 'current',
    summary: "Show the database's revision.",
    description: 'Shows the newest applied migration, and (head) when it is the newest of the code.',
    flags: { '--wait': 'Return once the database is at head: for init containers and scripts.' },
    examples: ['ensure-migrated current', 'ensure-migrated current --wait'],
    run: async (options, { flags }) => {
      const result = await current(options, { wait: flags['wait'] === true });
      return { result, text: () => currentText(result) };
    },
  },
  {
    name: 'history',
    arguments: '[range]',
    summary: 'List the migrations of code and database.',
    description:
      'Lists what was applied, in the order in which it ran, and what is pending. A range is from:to; either side may be left out. --verbose adds who applied it, from where, and whether the file is still the same.',
    flags: { '-v, --verbose': 'Tell also who applied it, and how.' },
    examples: ['ensure-migrated history', 'ensure-migrated history --verbose', 'ensure-migrated history patient_email:'],
    run: async (options, { args: [range], flags }) => {
      const result = await history(options, rangeOf(range));
      return { result, text: (screen) => historyText(result, screen, flags['verbose'] === true ? 'verbose' : 'short') };
    },
  },
  {
    name: 'status',
    summary: 'Tell whether code and database match.',
    description:
      'Compares code and database, names what does not match, and for each finding the one command that mends it. Exit code 0 in sync, 78 not.',
    examples: ['ensure-migrated status', 'ensure-migrated status --json'],
    run: async (options) => {
      const result = await status(options);
      return { result, text: (screen) => statusText(result, screen), exitCode: result.inSync ? 0 : 78 };
    },
  },
  {
    name: 'stamp',
    arguments: '<target>',
    summary: 'Record migrations without running them.',
    description:
      'Makes the history end at the target (head, base, a name or a unique part of it) without running anything. It first runs the migrations in a scratch database, which needs CREATEDB, and refuses a stamp that would lie: what the recorded migrations make must be in the schema, what the unrecorded ones make must be gone.',
    flags: {
      '--purge': 'Take out names that are not among the files, and second rows of one migration.',
      '--force': 'Record it all the same, and that it was forced.',
      '--reason <text>': 'Why; kept in the journal.',
    },
    examples: [
      'ensure-migrated stamp head',
      'ensure-migrated stamp patient_email --reason "restored from a dump"',
      'ensure-migrated stamp head --purge',
    ],
    run: async (options, { args: [target = ''], flags: { purge, force, reason } }) => {
      const asked = { purge: purge === true, force: force === true, reason: typeof reason === 'string' ? reason : undefined };
      const result = await stamp(options, { target: readTarget(target), ...asked });
      return { result, text: (screen) => stampedText(result, screen) };
    },
  },
];

function rangeOf(range: Input['args'][number] | undefined): { from?: string; to?: string } {
  if (range === undefined) return {};
  const [from = '', to = ''] = range.includes(':') ? range.split(':', 2) : [range, range];
  return { ...(from && { from }), ...(to && { to }) };
}

function downgradeQuestion({ database, undone }: DowngradeQuestion): string {
  return `Take back in the database "${database}", newest first:\n${undone.map((name) => `  ${name}`).join('\n')}\nGo on?`;
}
