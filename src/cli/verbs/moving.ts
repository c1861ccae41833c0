import type { DowngradeQuestion } from '../../commands/index.js';
import { outcomeCells } from '../cells.js';
import { readTarget } from '../target.js';
import { outcomeText } from '../text.js';
import type { Verb } from '../verb.js';

/** The verbs that run migrations. */
export const moving: readonly Verb[] = [
  {
    name: 'upgrade',
    arguments: '[target]',
    summary: 'Apply pending migrations.',
    description:
      'Applies what is pending up to the target, as a boot does: the same lock, checks and journal. Targets: head (default), +2, a name or a unique part of it.',
    examples: [
      'ensure-migrated upgrade',
      'ensure-migrated upgrade +1',
      'ensure-migrated upgrade patient_email',
      'ensure-migrated upgrade --database "eu-*"',
    ],
    sites: 'each',
    writes: true,
    run: async (options, { args: [target] }) => {
      const result = await (
        await import('../../commands/upgrade.js')
      ).upgrade(options, target === undefined ? {} : { target: readTarget(target) });
      return { result, text: (screen) => outcomeText(result, screen), rows: [outcomeCells(result)] };
    },
    runAll: async (options, { onProgress }) =>
      await (await import('../upgrade-all.js')).upgradeAll({ ...options, logger: false, onProgress }),
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
      const result = await (
        await import('../../commands/downgrade.js')
      ).downgrade(options, { target: readTarget(target, '-'), yes: flags['yes'] === true, confirm });
      return { result, text: (screen) => outcomeText(result, screen) };
    },
  },
];

function downgradeQuestion({ database, undone, losses }: DowngradeQuestion): string {
  const lines = [...undone.map((name) => `  ${name}`), ...losses.map(({ message }) => `Attention: ${message}.`)];
  return `Take back in the database "${database}", newest first:\n${lines.join('\n')}\nGo on?`;
}
