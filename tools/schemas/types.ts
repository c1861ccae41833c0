import path from 'node:path';
import {
  AnyType,
  createFormatter,
  createParser,
  createProgram,
  NeverType,
  SchemaGenerator,
  type CompletedConfig,
  type MutableParser,
  type SubNodeParser,
} from 'ts-json-schema-generator';
import type { Schema } from './schema.js';

const root = path.join(import.meta.dirname, '../..');

/** The types of the library, read once. */
export interface Types {
  /** The schemas of an exported type, and of all that it is made of, by their names. */
  definitionsOf(type: string): Record<string, Schema>;
}

/** Reads the types of src/ as TypeScript sees them. Takes some seconds. */
export function readTypes(): Types {
  const config = {
    path: path.join(root, 'tools/schemas/*.ts'),
    tsconfig: path.join(root, 'tsconfig.json'),
    skipTypeCheck: true,
    expose: 'export',
    topRef: true,
    jsDoc: 'extended',
    markdownDescription: false,
    fullDescription: false,
    sortProps: false,
    strictTuples: false,
    encodeRefs: true,
    minify: false,
    additionalProperties: true,
    discriminatorType: 'json-schema',
    functions: 'hide',
    extraTags: [],
  } as unknown as CompletedConfig;
  const program = createProgram(config);
  const parser = createParser(program, config, (chain: MutableParser) => void chain.addNodeParser(opaque));
  const generator = new SchemaGenerator(program, parser, createFormatter(config), config);
  return { definitionsOf: (type) => generator.createSchema(type).definitions as Record<string, Schema> };
}

// What cannot stand in JSON, and what others have declared, page by page.
const unwritable = ['AbortSignal', 'Check', 'Knex', 'Logger', 'MigrationHook', 'MigrationModule', 'MigrationSource', 'URL'];
const foreign = ['ConnectionOptions'];

const opaque: SubNodeParser = {
  supportsNode: (node) => [...unwritable, ...foreign].includes(referenceOf(node)),
  createType: (node) => (foreign.includes(referenceOf(node)) ? new AnyType() : new NeverType()),
};

// By its shape, not by its kind: the generator brings a TypeScript of its own, whose numbers are others.
function referenceOf(node: object): string {
  const { typeName } = node as { typeName?: { getText(): string } };
  return typeName?.getText() ?? '';
}
