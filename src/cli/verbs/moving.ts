import { downgrade, upgrade, type DowngradeQuestion } from '../../commands/index.js';
import type { AllOptions } from '../../config/index.js';
import { ensureAllMigrated } from '../../ensure-all.js';
import { isMigrationError, type Member } from '../../errors.js';
import { outcomeCells } from '../cells.js';
import { toldOfSites, type SiteTold } from '../sites-text.js';
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
      const result = await upgrade(options, target === undefined ? {} : { target: readTarget(target) });
      return { result, text: (screen) => outcomeText(result, screen), rows: [outcomeCells(result)] };
    },
    runAll: async (all, { onProgress }) => toldOfSites(await upgradeAll({ ...all, logger: false, onProgress })),
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
      const result = await downgrade(options, { target: readTarget(target, '-'), yes: flags['yes'] === true, confirm });
      return { result, text: (screen) => outcomeText(result, screen) };
    },
  },
];

// As a deploy job does it; nobody is left at work when a command line ends.
async function upgradeAll(all: AllOptions): Promise<SiteTold[]> {
  const databases = all.databases.map((entry) => ({
    ...entry,
    mode: 'apply' as const,
    backfills: awaited(entry.backfills ?? all.backfills),
  }));
  try {
    return (await ensureAllMigrated({ ...all, mode: 'apply', databases })).map(({ name, ...outcome }) => siteTold({ name, outcome }));
  } catch (error) {
    if (!isMigrationError(error, 'EM_NOT_ALL_MIGRATED')) throw error;
    return error.members.map(siteTold);
  }
}

function awaited(backfills = process.env['ENSURE_MIGRATED_BACKFILLS']): 'blocking' | 'manual' {
  return backfills === 'blocking' ? 'blocking' : 'manual';
}

function siteTold({ name, outcome, error }: Pick<Member, 'name' | 'outcome' | 'error'>): SiteTold {
  const where = { database: name };
  if (!outcome) return { where, ...(error && { error }) };
  return { where, told: { result: outcome, text: (screen) => outcomeText(outcome, screen), rows: [outcomeCells(outcome)] } };
}

function downgradeQuestion({ database, undone, losses }: DowngradeQuestion): string {
  const lines = [...undone.map((name) => `  ${name}`), ...losses.map(({ message }) => `Attention: ${message}.`)];
  return `Take back in the database "${database}", newest first:\n${lines.join('\n')}\nGo on?`;
}
