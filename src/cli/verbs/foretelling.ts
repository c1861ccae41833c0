import { readLintFlags } from '../lint-flags.js';
import { lintIn } from '../lint-format.js';
import { isPageAsked, pageFlag } from '../page.js';
import { planText } from '../plan-text.js';
import type { Screen } from '../screen.js';
import { readTarget } from '../target.js';
import type { Input, Sites, Verb } from '../verb.js';

/** The verbs that tell what would run. */
export const foretelling: readonly Verb[] = [
  {
    name: 'plan',
    arguments: '[target]',
    summary: 'Show what an upgrade would run.',
    description:
      'Shows each pending migration up to the target with the statements that it would send, and what is found of code and database. Changes nothing and takes no lock: the code of the migrations is run against a connection that only records, and what they read is answered from the database. What that cannot know is marked as approximate or opaque, with the reason. With --trace they are run, after those that are applied, in a scratch database beside this one that is dropped afterwards, and each statement is shown with what it locked, rewrote, scanned and built there. With --html it becomes a page for a browser, with the locks on each table and who waits for them; without a target it has what preflight says, too.',
    flags: { '--trace': 'Run it in a scratch copy of the schema, which needs CREATEDB, and tell what each statement does.', ...pageFlag },
    sites: 'each',
    examples: [
      'ensure-migrated plan',
      'ensure-migrated plan +1',
      'ensure-migrated plan --trace',
      'ensure-migrated plan --json',
      'ensure-migrated plan --trace --html plan.html',
    ],
    run: async (options, { args: [target], flags }) => {
      const result = await (
        await import('../../commands/plan.js')
      ).plan(options, { trace: flags['trace'] === true, ...(target !== undefined && { target: readTarget(target) }) });
      const told = { result, text: (screen: Screen) => planText(result, screen) };
      if (!isPageAsked(flags)) return told;
      // It is about all that is pending, of which the plan has what the lint says: nothing is captured again.
      const foresee = async () => await (await import('../../commands/preflight.js')).preflight({ ...options, lint: false });
      const preflight = target === undefined ? await foresee() : undefined;
      return { ...told, page: [{ plan: result, ...(preflight && { preflight }) }] };
    },
  },
  {
    name: 'lint',
    arguments: '[files...]',
    summary: 'Judge migrations for a review, and in CI.',
    description:
      'Tells what is dangerous about migrations, and which of them older releases cannot live with: see docs/lint.md. Takes names of migrations, or the paths of changed files. With a database it judges what is pending against its catalog (of the files: applied ones too, each by itself); without one all migrations, by their text alone, and says what it could not judge. Changes nothing. Exit code 78 when there is a finding of level error.',
    flags: {
      '--format <format>': 'text, json, sarif (2.1.0), or github (annotations of a workflow). Default: text.',
      '--catalog <which>': 'ask, or none: connect to nothing. Default: ask where a connection is given.',
      '--released <how>':
        'together: one boot runs all of them; apart: each may be released alone. Default: together with a database, apart without.',
      '--from <revision>': 'Migrations before this one are not judged. Default: lint.from.',
      '--small-table-rows <count>':
        'Tables of fewer rows are spared; 0 where the database is a copy without rows. Default: lint.smallTableRows.',
      '--trace': 'Run what is pending in a scratch copy of the schema, which needs CREATEDB, and hold what was foreseen against it.',
    },
    sites: lintedSites,
    examples: [
      'ensure-migrated lint',
      'ensure-migrated lint migrations/0007_orders.js migrations/0008_notes.sql',
      'ensure-migrated lint --catalog none --from 0007_orders --format sarif > lint.sarif',
      'ensure-migrated lint --small-table-rows 0 --trace --format github',
    ],
    run: async (options, input) => {
      const { format, lintOptions, over } = readLintFlags(options, input);
      const result = await (await import('../../commands/lint.js')).lint(over, lintOptions);
      return { result, text: (screen) => lintIn(format, result, screen), exitCode: result.ok ? 0 : 78 };
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
      const result = await (
        await import('../../commands/script.js')
      ).script(options, { range, idempotent: idempotent === true, scratch: scratch === true });
      return { result, text: () => result.sql.trimEnd() };
    },
  },
];

// A report of SARIF is one document. Without a catalog nothing but the files is judged.
function lintedSites({ flags }: Pick<Input, 'flags'>): Sites {
  const how = flags['format'] === 'sarif' ? 'one' : 'each';
  return flags['catalog'] === 'none' ? `${how} files` : how;
}
