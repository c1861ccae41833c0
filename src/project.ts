import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, MigrationError } from './errors.js';

/** What the nearest package.json says of the code in a directory. */
export interface Project {
  /** Where that package.json is; undefined where there is none above. */
  readonly root: string | undefined;
  /** What a .js file is, by Node's rule. */
  readonly type: 'module' | 'commonjs';
  readonly language: 'ts' | 'js';
  /** Whether an import of a TypeScript file names it as it is, and not by the .js that it becomes. */
  readonly importsTypescript: boolean;
  /** The names of what it depends on at run time. */
  readonly dependencies: readonly string[];
}

interface PackageJson {
  readonly type?: unknown;
  readonly dependencies?: object;
}

/** Reads the project that a directory belongs to; the directory need not exist. Throws EM_CONFIG_INVALID for a package.json that is no JSON. */
export function readProject(directory: string): Project {
  const root = rootAbove(directory);
  if (root === undefined) return { root, type: 'commonjs', language: 'js', importsTypescript: false, dependencies: [] };
  const { type, dependencies = {} } = readPackage(join(root, 'package.json'));
  const tsconfig = readTsconfig(join(root, 'tsconfig.json'));
  return {
    root,
    type: type === 'module' ? 'module' : 'commonjs',
    language: tsconfig === undefined ? 'js' : 'ts',
    // A tsconfig.json has comments and is inherited: to look for the words is as good as to read half of it.
    importsTypescript: /"(?:allowImportingTsExtensions|rewriteRelativeImportExtensions)"\s*:\s*true/.test(tsconfig ?? ''),
    dependencies: Object.keys(dependencies),
  };
}

/** Whether Node takes a file for an ES module: by its extension, else by the project. */
export function isModuleFile(file: string, { type }: Project): boolean {
  const [, kind] = /\.([cm]?)[jt]s$/.exec(file) ?? [];
  return kind === 'm' || (kind === '' && type === 'module');
}

function readTsconfig(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function rootAbove(directory: string): string | undefined {
  if (existsSync(join(directory, 'package.json'))) return directory;
  const above = dirname(directory);
  return above === directory ? undefined : rootAbove(above);
}

function readPackage(file: string): PackageJson {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as PackageJson;
  } catch (cause) {
    throw new MigrationError('EM_CONFIG_INVALID', `${file} cannot be read: ${messageOf(cause)}`, { cause, remedy: `Correct ${file}.` });
  }
}
