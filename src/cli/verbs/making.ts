import type { Rename } from '../../commands/index.js';
import type { Options } from '../../config/index.js';
import { MigrationError } from '../../errors.js';
import { generatedText, renameQuestion } from '../model-text.js';
import { initText, revisionText, squashText } from '../text.js';
import { flagText, type Input, type Told, type Verb } from '../verb.js';
import { schemaFlag } from './modelling.js';

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
    sites: 'none',
    examples: ['ensure-migrated init', 'ensure-migrated init --extension sql'],
    run: async (options, input) => {
      const result = await (await import('../../commands/init.js')).init(options, { extension: flagText(input, 'extension') });
      return { result, text: () => initText(result) };
    },
  },
  {
    name: 'revision',
    arguments: '[message]',
    summary: 'Write a new migration.',
    description:
      'Writes a migration that does nothing yet, named so that it sorts after all others. Warns of a message that does not say what it changes. Needs no database.\n\nWith --autogenerate it compares the model with what the migrations make of an empty database, in scratch databases or on the embedded PostgreSQL, and writes what leads from one to the other, with its way back: one migration for each lock step, none where nothing differs. Before the files stay they are run in both directions, and refused unless they make exactly what the model declares. What the lint has against them is told, and written at their head; the exit code is 0 all the same. Needs the package @supabase/pg-delta.',
    flags: {
      '-m, --message <message>': 'The message, for who is used to give it so.',
      '--autogenerate': 'Write what the model says and the migrations do not make yet.',
      ...schemaFlag,
      '--rename <old:new>': 'With --autogenerate: a drop and an add of the same shape are a rename. Several with commas between them.',
      '--allow-data-loss': 'With --autogenerate: write also what destroys rows.',
      '--embedded': 'With --autogenerate: ask no server.',
      '--extension <extension>': 'js, mjs, cjs, ts, mts, cts or sql. Default: migrations.extension, then as the last migration.',
      '--directory <directory>': 'One of the directories of the migrations. Default: the last.',
      '--stub <file>': 'The template to fill in. Default: migrations.stub.',
    },
    sites: 'one files',
    examples: [
      'ensure-migrated revision "add patient email"',
      'ensure-migrated revision --autogenerate "add patient risk score" --schema schema.ts',
      'ensure-migrated revision "index orders by customer" --extension sql',
    ],
    run: async (options, input) => {
      if (input.flags['autogenerate'] === true) return await generated(options, input);
      const flag = (name: string) => flagText(input, name);
      const asked = { extension: flag('extension'), directory: flag('directory'), stub: flag('stub') };
      const result = await (await import('../../commands/revision.js')).revision(options, { message: messageIn(input), ...asked });
      return { result, text: (screen) => revisionText(result, screen) };
    },
  },
  {
    name: 'squash',
    summary: 'Make one migration of old ones.',
    description:
      'Runs the migrations from the first up to a revision in a scratch database, writes what they make as one .sql migration (pg_dump is needed), and proves it in another: up, back where each of them has a way back, and with all that come later. A fresh database runs the new one in place of the old; a database that has run them all counts it as applied, and nothing is written there; one that has run a part is refused, unless the old files are still there.',
    flags: {
      '--to <revision>': 'The last that is squashed: a name or a unique part of it.',
      '--rows <what>': 'Where the old ones write rows: keep (as inserts), or leave-out.',
      '--remove': 'Remove the old files. Default: they stay until every database has them all.',
      '--embedded': 'Ask no server.',
    },
    sites: 'one files',
    examples: ['ensure-migrated squash --to 0050_add_email', 'ensure-migrated squash --to 0050_add_email --rows keep --remove'],
    run: async (options, input) => {
      const { remove, embedded } = input.flags;
      const rows = flagText(input, 'rows') as 'keep' | undefined; // the library says what is none
      const asked = { rows, remove: remove === true, embedded: embedded === true };
      const result = await (await import('../../commands/squash.js')).squash(options, { to: flagText(input, 'to') ?? '', ...asked });
      return { result, text: () => squashText(result) };
    },
  },
];

async function generated(options: Options, input: Input): Promise<Told> {
  const { flags, ask } = input;
  const result = await (
    await import('../../commands/autogenerate.js')
  ).autogenerate(options, {
    message: messageIn(input),
    extension: flagText(input, 'extension'),
    directory: flagText(input, 'directory'),
    renames: flagText(input, 'rename')?.split(','),
    allowDataLoss: flags['allowDataLoss'] === true,
    embedded: flags['embedded'] === true,
    confirmRename: ask && (async (rename: Rename) => await ask(renameQuestion(rename))),
  });
  return { result, text: (screen) => generatedText(result, screen) };
}

function messageIn(input: Input): string {
  const said = [input.args[0], flagText(input, 'message')].filter((each) => each !== undefined);
  if (said.length > 1)
    throw new MigrationError('EM_CONFIG_INVALID', 'the message is given twice', { remedy: 'Give it once. Nothing was written.' });
  return said[0] ?? ''; // without one the library refuses
}
