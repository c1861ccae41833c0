import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2019, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2019.js';
import { expect } from 'vitest';
import { root } from './majors.js';

const compiled = new Map<string, ValidateFunction>();

// The drafts differ in names that are not used here; that of 2019 has `unevaluatedProperties`.
function validatorOf(name: string, prepare: (schema: AnySchemaObject) => AnySchemaObject = (schema) => schema): ValidateFunction {
  const known = compiled.get(name);
  if (known) return known;
  const ajv = new Ajv2019({ allErrors: true, strict: false, formats: { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) } });
  const { $schema: _, ...schema } = JSON.parse(readFileSync(path.join(root, 'schemas', `${name}.json`), 'utf8')) as AnySchemaObject;
  const validator = ajv.compile(prepare(schema));
  compiled.set(name, validator);
  return validator;
}

/** What schemas/config.json has against options; undefined where they cannot be written as JSON. */
export function configFaults(options: unknown): string[] | undefined {
  if (!isWritable(options)) return undefined;
  const validate = validatorOf('config');
  validate(options);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function isWritable(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || ['string', 'boolean'].includes(typeof value)) return true;
  if (Array.isArray(value)) return value.every(isWritable);
  return typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isWritable);
}

/** Holds what a verb has printed with --json, or the result that it would print, against its schema; a field that is not in there is a fault, too. */
export function expectPrinted(verb: string, printed: unknown): void {
  const validate = validatorOf(verb, closed);
  const value = JSON.parse(typeof printed === 'string' ? printed : JSON.stringify(printed)) as unknown;
  const faults = validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message, params }) => [instancePath, message, params]);
  expect(faults, `${verb} --json`).toEqual([]);
}

// The schemas let a reader live with fields of later releases; ours of today are all in there.
function closed(schema: AnySchemaObject): AnySchemaObject {
  const definitions = Object.entries(schema['definitions'] as Record<string, AnySchemaObject>);
  return { ...closedAt(schema), definitions: Object.fromEntries(definitions.map(([name, each]) => [name, within(each)])) };
}

const closedAt = (schema: AnySchemaObject): AnySchemaObject => ({ ...within(schema), unevaluatedProperties: false });

function within(schema: AnySchemaObject): AnySchemaObject {
  const { properties, items, anyOf } = schema as {
    properties?: Record<string, AnySchemaObject>;
    items?: AnySchemaObject;
    anyOf?: AnySchemaObject[];
  };
  return {
    ...schema,
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, closedAt(each)])) }),
    ...(items && { items: closedAt(items) }),
    ...(anyOf && { anyOf: anyOf.map(within) }),
  };
}
