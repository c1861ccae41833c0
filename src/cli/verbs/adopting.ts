import { readFile } from 'node:fs/promises';
import type { ForeignToolName } from '../../commands/index.js';
import { messageOf, MigrationError } from '../../errors.js';
import { readTarget } from '../target.js';
import { baselinedText, importedText, stampedText } from '../text.js';
import { flagText, type Verb } from '../verb.js';

/** The verbs that record without running. */
export const adopting: readonly Verb[] = [
  {
    name: 'baseline',
    summary: 'Adopt an existing database.',
    description:
      'Without migrations it writes the schema as the first one (pg_dump is needed), so that a fresh database can be built from the same files; with migrations, --at names the one at which the database stands. It first runs them in a scratch database, which needs CREATEDB, compares the catalogs, and refuses with every difference. Then it records them without running them.',
    flags: { '--at <revision>': 'The migration at which the database stands: a name or a unique part of it.' },
    examples: ['ensure-migrated baseline', 'ensure-migrated baseline --at patient_email'],
    run: async (options, { flags: { at } }) => {
      const result = await (await import('../../commands/baseline.js')).baseline(options, { at: typeof at === 'string' ? at : undefined });
      return { result, text: (screen) => baselinedText(result, screen) };
    },
  },
  {
    name: 'import-history',
    summary: 'Take over the history of another tool.',
    description:
      'For a project that has moved its migrations here from Alembic, Prisma, node-pg-migrate, umzug or drizzle. It reads what that tool has on record, finds each of those among the files (by name, or by the hash of the file), runs the files up to the newest of them in a scratch database, which needs CREATEDB, and compares the catalogs. Then it records them without running them. What belongs to the other tool is never written.',
    flags: {
      '--from <tool>': 'alembic, prisma, node-pg-migrate, umzug or drizzle.',
      '--table <name>': 'Where that tool keeps its history, as table or schema.table. Default: where it does by itself.',
      '--map <file>': 'A JSON object: for a name that the tool has on record, the name of the file here.',
    },
    examples: ['ensure-migrated import-history --from prisma', 'ensure-migrated import-history --from alembic --map names.json'],
    run: async (options, input) => {
      const map = flagText(input, 'map');
      const names = map === undefined ? undefined : await readNames(map);
      const from = (flagText(input, 'from') ?? '') as ForeignToolName; // what else it may be is refused
      const result = await (
        await import('../../commands/import-history.js')
      ).importHistory(options, { from, table: flagText(input, 'table'), names });
      return { result, text: (screen) => importedText(result, screen) };
    },
  },
  {
    name: 'stamp',
    arguments: '<target>',
    summary: 'Record migrations without running them.',
    description:
      'Makes the history end at the target (head, base, a name or a unique part of it) without running anything. It first runs the migrations in a scratch database, which needs CREATEDB, and refuses a stamp that would lie: what the recorded migrations make must be in the schema, what the unrecorded ones make must be gone. Backfills that the recorded ones would have enqueued are not enqueued.',
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
      const result = await (await import('../../commands/stamp.js')).stamp(options, { target: readTarget(target), ...asked });
      return { result, text: (screen) => stampedText(result, screen) };
    },
  },
];

async function readNames(file: string): Promise<Readonly<Record<string, string>>> {
  const remedy = 'Give a file with a JSON object: { "<name there>": "<file here>" }. Nothing was changed.';
  try {
    const names: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (isNames(names)) return names;
  } catch (cause) {
    throw new MigrationError('EM_CONFIG_INVALID', `--map ${file}: ${messageOf(cause)}`, { cause, remedy });
  }
  throw new MigrationError('EM_CONFIG_INVALID', `--map ${file}: expected an object of names`, { remedy });
}

function isNames(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((name) => typeof name === 'string')
  );
}
