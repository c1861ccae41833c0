import { baseline, stamp } from '../../commands/index.js';
import { readTarget } from '../target.js';
import { baselinedText, stampedText } from '../text.js';
import type { Verb } from '../verb.js';

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
      const result = await baseline(options, { at: typeof at === 'string' ? at : undefined });
      return { result, text: (screen) => baselinedText(result, screen) };
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
      const result = await stamp(options, { target: readTarget(target), ...asked });
      return { result, text: (screen) => stampedText(result, screen) };
    },
  },
];
