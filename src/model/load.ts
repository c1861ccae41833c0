import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { SchemaSource } from '../config/index.js';
import { isMigrationError, messageOf, MigrationError } from '../errors.js';
import { defaultOf, importFile } from '../import-file.js';
import { findTransactionControl, type MigrationCode, type SqlScript } from '../source/index.js';

/** One file of a model, loaded. */
export interface ModelFile {
  readonly name: string;
  readonly file: string;
  readonly code: MigrationCode | SqlScript;
}

/**
 * Loads the files of a model: imports modules, reads scripts. Runs the top level of modules, and none of their functions. Throws
 * EM_CONFIG_INVALID where none is named, EM_MODEL_INVALID and EM_TYPESCRIPT_UNSUPPORTED.
 */
export async function loadModel(source: SchemaSource | undefined): Promise<readonly ModelFile[]> {
  if (source === undefined || source.files.length === 0) {
    const remedy = 'Name the model: --schema schema.ts, or the option `schema` of the configuration file.';
    throw new MigrationError('EM_CONFIG_INVALID', 'the option `schema` does not say where the model is.', { remedy });
  }
  const files: ModelFile[] = [];
  for (const file of source.files) files.push({ name: basename(file), file, code: await loadCode(file) });
  return files;
}

async function loadCode(file: string): Promise<MigrationCode | SqlScript> {
  try {
    if (!existsSync(file)) throw new Error('there is no such file');
    return file.endsWith('.sql') ? await readScript(file) : codeOf(await importFile(file));
  } catch (cause) {
    if (isMigrationError(cause)) throw cause;
    throw new MigrationError('EM_MODEL_INVALID', `the model ${file} cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

function codeOf(exports: unknown): MigrationCode {
  const value = defaultOf(exports);
  if (typeof value === 'function') return value as MigrationCode;
  throw new Error('its default export is no function; write `export default async (knex) => { ... }`');
}

async function readScript(file: string): Promise<SqlScript> {
  const bytes = readFileSync(file);
  if (!isUtf8(bytes) || bytes.includes(0)) throw new Error('it is not UTF-8 text');
  const script = { file, text: withoutMetaCommands(bytes.toString('utf8').replace(/^\uFEFF/, '')) };
  const control = await findTransactionControl(script);
  if (control) throw new Error(`line ${control.line}: a model runs in one transaction, which is not its own to begin or end`);
  return script;
}

// pg_dump has written them since 2025 (CVE-2025-8714); they are for psql alone.
function withoutMetaCommands(text: string): string {
  return text.replaceAll(/^\\(?:un)?restrict \w+$/gm, '');
}
