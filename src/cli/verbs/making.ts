import { init, revision } from '../../commands/index.js';
import { initText, revisionText } from '../text.js';
import { flagText, type Verb } from '../verb.js';

/** The verbs that write files. */
export const making: readonly Verb[] = [
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
];
