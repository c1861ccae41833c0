import { verbs } from '../../src/cli/commands.js';
import type { Verb } from '../../src/cli/verb.js';
import { draft, isNothing, neededBy, rebuilt, to, type Schema, type SchemaFile } from './schema.js';
import type { Types } from './types.js';

/** The schema of what each verb prints with `--json`, by the name of its file; `error` is that of what all of them print when they fail. */
export function renderOutputSchemas(types: Types): Record<string, SchemaFile> {
  const { Printed = {}, Around = {}, ...others } = { ...types.definitionsOf('Printed'), ...types.definitionsOf('Around') };
  const around = Object.fromEntries(Object.entries({ ...others, ...shapes(Around) }).map(([name, each]) => [name, worded(each)]));
  const files = verbs.map((verb): [string, SchemaFile] => [
    verb.name,
    outputOf(verb, worded(Printed.properties?.[verb.name] ?? {}), around),
  ]);
  const failure: Schema = { title: 'What ensure-migrated prints with --json when it fails', ...around['Failure'] };
  return { ...Object.fromEntries(files), error: fileOf(failure, around) };
}

function outputOf(verb: Verb, result: Schema, definitions: Readonly<Record<string, Schema>>): SchemaFile {
  const several: Schema = {
    description: 'Of several histories: each, with where it is.',
    type: 'array',
    items: { anyOf: [...elementsOf(result), to('Failure'), to('NotBegun')].map((each) => ({ allOf: [to('Where'), each] })) },
  };
  const root: Schema = {
    title: `What \`ensure-migrated ${verb.name} --json\` prints`,
    description: verb.summary,
    anyOf: [...formsOf(result), to('Failure'), ...(isForSeveral(verb) ? [several] : [])],
  };
  return fileOf(root, definitions);
}

function fileOf(root: Schema, definitions: Readonly<Record<string, Schema>>): SchemaFile {
  return { $schema: draft, ...root, definitions: neededBy(root, definitions) };
}

function formsOf(result: Schema): readonly Schema[] {
  return result.anyOf ?? [result];
}

// What is a list of one history is an element for each of its entries there.
function elementsOf(result: Schema): Schema[] {
  return formsOf(result).map((form) => form.items ?? form);
}

function isForSeveral({ sites }: Verb): boolean {
  return typeof sites === 'function' || Boolean(sites?.startsWith('each'));
}

function shapes({ properties = {} }: Schema): Record<string, Schema> {
  return {
    Failure: {
      description: 'It has failed: docs/errors.md has a section for each code.',
      type: 'object',
      properties: { error: properties['failure'] ?? {} },
      required: ['error'],
    },
    NotBegun: {
      description: 'It was not begun, since one before it has failed.',
      type: 'object',
      properties: { status: { const: 'not-begun' } },
      required: ['status'],
    },
  };
}

/** What a name says of a number, and that a later release may know more codes. */
function worded(definition: Schema): Schema {
  return rebuilt(definition, (schema, key) => {
    if (schema.type === 'number') return { ...schema, type: isDuration(key) ? 'number' : 'integer', minimum: 0 };
    if (key === 'timings')
      return { ...schema, properties: Object.fromEntries(Object.keys(schema.properties ?? {}).map((name) => [name, milliseconds])) };
    if (schema.properties) return { ...schema, properties: printedOf(schema.properties) };
    const isErrorCode = schema.enum?.includes('EM_INTERNAL');
    if (!isErrorCode) return schema;
    const { enum: codes = [], type: _, ...rest } = schema;
    return { ...rest, anyOf: [{ enum: codes }, { type: 'string', pattern: '^EM_[A-Z_]+$' }] };
  });
}

// What is always undefined is never printed.
function printedOf(properties: Record<string, Schema>): Record<string, Schema> {
  return Object.fromEntries(Object.entries(properties).filter(([, each]) => !isNothing(each)));
}

const milliseconds: Schema = { type: 'number', minimum: 0 };

function isDuration(name: string): boolean {
  return /(^ms|Ms|PerSecond)$/.test(name);
}
