import { plan, script } from '../../commands/index.js';
import { planText } from '../plan-text.js';
import { readTarget } from '../target.js';
import type { Verb } from '../verb.js';

/** The verbs that tell what would run. */
export const foretelling: readonly Verb[] = [
  {
    name: 'plan',
    arguments: '[target]',
    summary: 'Show what an upgrade would run.',
    description:
      'Shows each pending migration up to the target with the statements that it would send, and what is found of code and database. Changes nothing and takes no lock: the code of the migrations is run against a connection that only records, and what they read is answered from the database. What that cannot know is marked as approximate or opaque, with the reason. With --trace they are run, after those that are applied, in a scratch database beside this one that is dropped afterwards, and each statement is shown with what it locked, rewrote, scanned and built there.',
    flags: { '--trace': 'Run it in a scratch copy of the schema, which needs CREATEDB, and tell what each statement does.' },
    examples: ['ensure-migrated plan', 'ensure-migrated plan +1', 'ensure-migrated plan --trace', 'ensure-migrated plan --json'],
    run: async (options, { args: [target], flags: { trace } }) => {
      const result = await plan(options, { trace: trace === true, ...(target !== undefined && { target: readTarget(target) }) });
      return { result, text: (screen) => planText(result, screen) };
    },
  },
  {
    name: 'script',
    arguments: '[range]',
    summary: 'Write an upgrade or a downgrade as SQL for psql.',
    description:
      'Writes one script that does what an upgrade would do: it stops unless the history stands where the script starts, takes the migration lock, sets lock_timeout, and runs each migration with its history and journal rows, so that status says in sync afterwards. The range is from:to (default base:head); to before from takes migrations back. Needs no database, unless a migration needs the answer to a statement: that is refused by name, or run with --scratch in a scratch database without data.',
    flags: {
      '--idempotent': 'Pass over what is applied already, instead of stopping.',
      '--scratch': 'Run migrations that need an answer in a scratch database, which needs CREATEDB.',
    },
    examples: [
      'ensure-migrated script > upgrade.sql',
      'ensure-migrated script patient_email:head --idempotent > upgrade.sql',
      'ensure-migrated script head:patient_email > downgrade.sql',
    ],
    run: async (options, { args: [range], flags: { idempotent, scratch } }) => {
      const result = await script(options, { range, idempotent: idempotent === true, scratch: scratch === true });
      return { result, text: () => result.sql.trimEnd() };
    },
  },
];
