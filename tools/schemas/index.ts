import { renderConfigSchema } from './config.js';
import { renderOutputSchemas } from './output.js';
import type { SchemaFile } from './schema.js';
import type { Types } from './types.js';

export { readTypes, type Types } from './types.js';
export type { Schema, SchemaFile } from './schema.js';

/** Every file of schemas/, by its name without `.json`. */
export function renderSchemas(types: Types): Record<string, SchemaFile> {
  return { config: renderConfigSchema(types), ...renderOutputSchemas(types) };
}
