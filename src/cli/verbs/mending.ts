import type { RepairAction, RepairQuestion } from '../../commands/index.js';
import { repairedText, repairQuestionText } from '../repair-text.js';
import { flagText, type Input, type Verb } from '../verb.js';

/** The verbs that mend what is on record. */
export const mending: readonly Verb[] = [
  {
    name: 'repair',
    arguments: '<action> [migrations...]',
    summary: 'Mend what is on record, or free what a dead process has locked.',
    description: `Mends what history and journal say of migrations, shows it first and asks once; it runs no migration, and touches nothing that one has made. Who did it and why goes on record. Actions:

- accept: an edited file is right as it stands, or with --all each of them is;
- forget: an applied migration whose file is gone is no longer recorded;
- done, undone: all of an unfinished migration is there, or nothing;
- compatible, breaking: releases that do not know an applied migration may start beside it, or not;
- deduplicate: of a migration that is recorded twice the older row stays;
- lock: shows who holds the locks, and clears knex's when it is stuck; --terminate also ends the session that holds the migration lock.`,
    flags: {
      '--all': 'With accept: all migrations that are edited, in place of names.',
      '--reason <text>': 'Why, in a few words, for the record. On a terminal it is asked for.',
      '--yes': 'Do not ask.',
      '--terminate': 'With lock: end the session that holds the migration lock.',
    },
    examples: [
      'ensure-migrated repair accept patient_email --reason "only a comment was changed"',
      'ensure-migrated repair accept --all --reason "the compiler has another target"',
      'ensure-migrated repair undone 20260401_totals --reason "dropped totals by hand"',
      'ensure-migrated repair lock --reason "the deploy job was killed"',
    ],
    run: async (options, input) => {
      const { args, flags, ask } = input;
      const [action = '', ...migrations] = args;
      const { repair, repairActions } = await import('../../commands/repair.js');
      const result = await repair(options, {
        action: action as RepairAction, // the library says what is none
        migration: migrations.length > 1 ? migrations : migrations[0],
        all: flags['all'] === true,
        reason: await reasonOf(input, repairActions),
        yes: flags['yes'] === true,
        terminate: flags['terminate'] === true,
        confirm: ask && (async (question: RepairQuestion) => await ask(repairQuestionText(question))),
      });
      return { result, text: () => repairedText(result) };
    },
  },
];

async function reasonOf(input: Input, actions: readonly string[]): Promise<string> {
  const isAction = actions.includes(input.args[0] ?? '');
  return flagText(input, 'reason') ?? (isAction ? await input.askText?.('Why? (for the record)') : undefined) ?? '';
}
