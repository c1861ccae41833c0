import { backupText, restoredText } from '../text.js';
import { flagText, type Verb } from '../verb.js';

/** The verbs for backups. */
export const keeping: readonly Verb[] = [
  {
    name: 'backup',
    summary: 'Take a backup of the whole database.',
    description:
      'Writes a dump (pg_dump, custom format) into the directory, or runs the command of the option backup. Waits for the lock, so that nobody migrates meanwhile, and changes nothing. The file is named by database, revision and time, and has been read back before it has that name.',
    flags: {
      '--directory <directory>': 'Where to; it must exist. Default: what the option backup says.',
      '--keep-count <count>':
        'Remove older backups of this database than the newest of these. Default: what the option says, else none is removed.',
    },
    examples: ['ensure-migrated backup', 'ensure-migrated backup --directory /var/backups/clinic --keep-count 7'],
    run: async (options, input) => {
      const count = flagText(input, 'keepCount');
      const result = await (
        await import('../../commands/backup.js')
      ).backup(options, {
        directory: flagText(input, 'directory'),
        keepCount: count === undefined ? undefined : Number(count),
      });
      return { result, text: () => backupText(result) };
    },
  },
  {
    name: 'restore',
    arguments: '<file>',
    summary: 'Put a backup back whole, into an empty or a new database.',
    description:
      'Reads the file to its end first, then restores it in one transaction, with owners and rights; what fails leaves nothing behind. Never on top of another schema: the database of the connection must be empty, or is made with --create.',
    flags: { '--create [database]': 'Make the database of the connection, or one of this name on the same server.' },
    examples: [
      'ensure-migrated restore clinic-0007_orders-20260731T020000000Z.dump --create clinic_restored',
      'DATABASE_URL=postgres://app@db/clinic ensure-migrated restore clinic.dump --create',
    ],
    run: async (options, { args: [file = ''], flags: { create } }) => {
      const result = await (
        await import('../../commands/restore.js')
      ).restore(options, { file, create: create === false ? undefined : create });
      return { result, text: () => restoredText(result) };
    },
  },
];
