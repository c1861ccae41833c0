import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MigrationError } from './errors.js';

/**
 * Imports a file of the user's, as an ES module or CommonJS, in JavaScript or TypeScript, and gives what it exports. Runs its top level.
 * Throws EM_TYPESCRIPT_UNSUPPORTED, and what the file itself throws.
 */
export async function importFile(file: string): Promise<unknown> {
  // Node first, so that its own type stripping and every registered loader (tsx, ts-node, swc) have their say; then what
  // `node -r ts-node/register` or `coffeescript/register` left for require(); then tsx, for TypeScript only.
  try {
    return await import(/* webpackIgnore: true */ pathToFileURL(file).href);
  } catch (error) {
    if (isUnknown(error) && hooks.has(extname(file))) return createRequire(file)(file);
    if (!/\.[cm]?ts$/.test(file) || !(isUnknown(error) || isBeyondNode(error))) throw error;
    return await importByTsx(file, error);
  }
}

/** The default export of what importFile() gave; two defaults deep, since a TypeScript default export that was compiled to CommonJS is imported as `default.default`. */
export function defaultOf(exports: unknown): unknown {
  let value = exports;
  for (let depth = 0; depth < 2 && hasDefault(value); depth++) value = value.default;
  return value;
}

function hasDefault(value: unknown): value is { readonly default: unknown } {
  return typeof value === 'object' && value !== null && 'default' in value && value.default !== undefined;
}

// As the process had them before we loaded anything: tsx leaves hooks of its own behind, which serve only what it loads.
// The table is the process's own, whoever asks; a bundle in CommonJS has no import.meta.url.
const hooks = new Set(Object.keys(createRequire(process.execPath).extensions));

function isUnknown(error: unknown): boolean {
  return (error as { code?: unknown } | null | undefined)?.code === 'ERR_UNKNOWN_FILE_EXTENSION';
}

// Enums, `import './x.js'` for x.ts, exports in a .cts and TypeScript inside node_modules are beyond Node's type stripping.
function isBeyondNode(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }; // anything may be thrown
  return error instanceof SyntaxError || code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING';
}

// An enum, a namespace: there is code in it that Node would have to write.
function isMoreThanTypes(error: unknown): boolean {
  return (error as { code?: unknown } | null | undefined)?.code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
}

async function importByTsx(file: string, nodeError: unknown): Promise<unknown> {
  const tsx = [file, join(process.cwd(), 'package.json'), import.meta.url].map(findTsx).find((found) => found !== undefined);
  if (tsx === undefined) throw isUnknown(nodeError) || isMoreThanTypes(nodeError) ? unsupported(file, nodeError) : nodeError;
  const { tsImport } = (await import(/* webpackIgnore: true */ pathToFileURL(tsx).href)) as {
    tsImport(url: string, parentUrl: string): Promise<unknown>;
  };
  return await tsImport(pathToFileURL(file).href, import.meta.url);
}

// By its package.json: import.meta.resolve takes no parent without a flag, and require.resolve gives the CommonJS build, which
// cannot be imported (tsx 4.23 looks for its own files in the wrong directory then).
function findTsx(from: string): string | undefined {
  try {
    const require = createRequire(from);
    const path = require.resolve('tsx/package.json');
    const { exports } = require(path) as { exports: Record<string, { import?: { default?: string } }> };
    return join(dirname(path), exports['./esm/api']?.import?.default ?? 'dist/esm/api/index.mjs');
  } catch {
    return undefined;
  }
}

function unsupported(file: string, cause: unknown): MigrationError {
  return new MigrationError('EM_TYPESCRIPT_UNSUPPORTED', `${file} is TypeScript, which Node ${process.version} cannot load by itself.`, {
    cause,
  });
}
