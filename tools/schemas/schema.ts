/** As much of JSON Schema (draft 07) as is written here. */
export interface Schema {
  $ref?: string;
  $comment?: string;
  title?: string;
  description?: string;
  type?: string | readonly string[];
  format?: string;
  enum?: readonly unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: readonly string[];
  anyOf?: readonly Schema[];
  allOf?: readonly Schema[];
  not?: Schema;
  if?: Schema;
  then?: Schema;
  else?: Schema;
}

/** A schema by itself, as a file has it. */
export interface SchemaFile extends Schema {
  $schema: 'http://json-schema.org/draft-07/schema#';
  definitions: Record<string, Schema>;
}

export const draft = 'http://json-schema.org/draft-07/schema#' as const;

/** A reference to a definition. */
export function to(name: string): Schema {
  return { $ref: `#/definitions/${encodeURIComponent(name)}` };
}

/** The definition that a schema is a reference to. */
export function nameOf({ $ref }: Schema): string | undefined {
  return $ref === undefined ? undefined : decodeURIComponent($ref.replace('#/definitions/', ''));
}

/** The schemas directly inside of one. */
function partsOf({ items, properties = {}, additionalProperties, anyOf = [], allOf = [], ...rest }: Schema): Schema[] {
  const single = [items, additionalProperties, rest.not, rest.if, rest.then, rest.else].filter((each) => typeof each === 'object');
  return [...single, ...Object.values(properties), ...anyOf, ...allOf];
}

/** Those of the definitions that a schema needs, in the order in which it comes to them. */
export function neededBy(
  schema: Schema,
  all: Readonly<Record<string, Schema>>,
  found: Record<string, Schema> = {},
): Record<string, Schema> {
  const name = nameOf(schema);
  const definition = name === undefined ? undefined : all[name];
  if (name !== undefined && definition !== undefined && found[name] === undefined) {
    found[name] = definition;
    neededBy(definition, all, found);
  }
  for (const part of partsOf(schema)) neededBy(part, all, found);
  return found;
}

/** The same schema, made anew from the inside out. */
export function rebuilt(schema: Schema, change: (schema: Schema, key: string) => Schema, key = ''): Schema {
  const inner = (each: Schema, name = '') => rebuilt(each, change, name);
  const { items, properties, additionalProperties, anyOf, allOf, not } = schema;
  return change(
    {
      ...schema,
      ...(items && { items: inner(items) }),
      ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, inner(each, name)])) }),
      ...(typeof additionalProperties === 'object' && { additionalProperties: inner(additionalProperties) }),
      ...(anyOf && { anyOf: anyOf.map((each) => inner(each)) }),
      ...(allOf && { allOf: allOf.map((each) => inner(each)) }),
      ...(not && { not: inner(not) }),
    },
    key,
  );
}

/** Whether no value is one: what the generator makes of a type that JSON does not have. */
export function isNothing({ not }: Schema): boolean {
  return not !== undefined && Object.keys(not).length === 0;
}
