import { migrationsTable } from '../../src/config/migrations.js';
import { ruleTable } from '../../src/config/rules.js';
import { optionTable, type OptionRow } from '../../src/config/table.js';
import { greatestMs, timeoutTable } from '../../src/config/timeouts.js';
import { draft, isNothing, neededBy, rebuilt, to, type Schema, type SchemaFile } from './schema.js';
import type { Types } from './types.js';

type Definitions = Record<string, Schema>;
type Properties = Record<string, Schema>;

/**
 * The schema of a configuration file that is JSON. Its shape is that of the types `Options` and `AllOptions`, without what cannot be written in JSON; what
 * the options mean, and their defaults, is what the tables in src/config say.
 */
export function renderConfigSchema(types: Types): SchemaFile {
  const written = withoutUnwritable({ ...types.definitionsOf('Options'), ...types.definitionsOf('AllOptions') });
  const definitions = withTables(
    mapped(written, (definition, name) => (foreign.includes(name) ? rebuilt(definition, anyObject) : tightened(definition))),
  );
  const { databases = {} } = definitions['AllOptions']?.properties ?? {};
  const root: Schema = {
    title: 'The configuration of ensure-migrated',
    description: 'ensure-migrated.config.json: docs/configuration.md and docs/options.md.',
    type: 'object',
    properties: { $schema: { type: 'string', description: 'For editors.' }, databases },
    if: { properties: { databases: {} }, required: ['databases'] },
    then: to('AllOptions'),
    else: to('Options'),
  };
  return { $schema: draft, ...root, definitions: neededBy(root, definitions) };
}

// Any client configuration of pg is one: pg may know more keys than we do.
const foreign = ['PgConfig'];

// What @types/node says of TLS is pages long.
function anyObject(schema: Schema): Schema {
  return Object.keys(schema).length === 0 ? { type: 'object' } : schema;
}

function mapped(definitions: Definitions, change: (definition: Schema, name: string) => Schema): Definitions {
  return Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [name, change(definition, name)]));
}

// Functions, and instances of classes: the generator gives `{ "not": {} }` for them.
function withoutUnwritable(definitions: Definitions): Definitions {
  return mapped(definitions, (definition) => rebuilt(definition, writable));
}

function writable(schema: Schema): Schema {
  const { properties, anyOf, items, additionalProperties } = schema;
  if ((items && isNothing(items)) || (typeof additionalProperties === 'object' && isNothing(additionalProperties))) return { not: {} };
  if (properties) return { ...schema, properties: Object.fromEntries(Object.entries(properties).filter(([, each]) => !isNothing(each))) };
  const left = anyOf?.filter((each) => !isNothing(each));
  if (!left) return schema;
  if (left.length > 1) return { ...schema, anyOf: left };
  const { anyOf: _, ...rest } = schema;
  return { ...left[0], ...rest };
}

// As the readers of src/config have it: a key that is not known is refused, and so is a text without a letter.
function tightened(definition: Schema): Schema {
  return rebuilt(definition, (schema) => {
    if (schema.type === 'object') return { ...schema, additionalProperties: false };
    const isFree = isText(schema) && schema.enum === undefined && schema.const === undefined;
    return isFree ? { ...schema, minLength: 1 } : schema;
  });
}

function isText({ type }: Schema): boolean {
  return [type].flat().includes('string');
}

function withTables(definitions: Definitions): Definitions {
  const options = (given: Properties) => described(given, optionTable, optionOf);
  return mapped(definitions, (definition, name) => {
    const { properties = {} } = definition;
    if (['Options', 'AllOptions', 'DatabaseOptions'].includes(name)) return named({ ...definition, properties: options(properties) }, name);
    if (name === 'MigrationsInput')
      return { ...definition, properties: described(properties, migrationsTable, ({ sentence }) => ({ description: sentence })) };
    if (name === 'TimeoutsInput') return { ...definition, properties: described(properties, timeoutTable, timeoutOf) };
    if (name === 'RulesInput') return { ...definition, properties: described(properties, ruleTable, ruleOf) };
    return definition;
  });
}

// An entry of `databases` has no `$schema`.
function named(definition: Schema, name: string): Schema {
  if (name === 'DatabaseOptions') return definition;
  return { ...definition, properties: { $schema: true as unknown as Schema, ...definition.properties } };
}

function described<Row>(properties: Properties, table: Readonly<Record<string, Row>>, saying: (row: Row) => Schema): Properties {
  const says = (name: string): Schema => (Object.hasOwn(table, name) ? saying(table[name] as Row) : {});
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, { ...schema, ...says(name) }]));
}

function optionOf({ sentence, default: value, environment = [] }: OptionRow): Schema {
  const instead = environment.length === 0 ? '' : ` ${environment.join(', then ')} of the environment beats what stands here.`;
  return { description: `${sentence}${instead}`, ...(['string', 'boolean'].includes(typeof value) && { default: value }) };
}

function timeoutOf({ sentence, default: value, least = 1 }: { sentence: string; default: number; least?: number }): Schema {
  return { type: 'integer', description: sentence, default: value, minimum: least, maximum: greatestMs };
}

// In place of the reference, since draft 07 passes over what stands beside one.
const hardened = {
  $ref: undefined,
  anyOf: [
    { const: 'error' },
    { type: 'object', properties: { level: { const: 'error' } }, required: ['level'], additionalProperties: false },
  ],
} as unknown as Schema;

function ruleOf({ sentence, level, fixed }: { sentence: string; level: string; fixed?: true }): Schema {
  return { description: sentence, default: level, ...(fixed && hardened) };
}
