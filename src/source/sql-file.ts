import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FileEntry } from './files.js';
import { fault, invalidMigrations, loadFailure } from './invalid.js';
import type { Listed, LoadedMigration, MigrationSettings, SqlScript } from './migration.js';
import { downOf } from './select.js';
import { faultsOfSafe } from './shape.js';

/** Reads a .sql migration, and the .down.sql of an .up.sql. What the up file's leading comments say counts for both. Throws EM_MIGRATION_INVALID. */
export function loadSql(listed: Listed & { readonly file: string }, entry: FileEntry): LoadedMigration {
  const { name, id, file, checksum } = listed;
  const up = readScript(name, file);
  const downFile = join(entry.directory, downOf(entry.file));
  const down = downFile !== file && existsSync(downFile) ? readScript(downOf(name), downFile) : undefined;
  return { name, id, file, checksum, config: settingsOf(name, up), up, down, verify: undefined, knexEntry: entry };
}

function readScript(name: string, file: string): SqlScript {
  const bytes = readBytes(name, file);
  // Sent on, a file in another encoding would fill the database with replacement characters, and a zero byte would cut it short.
  if (!isUtf8(bytes) || bytes.includes(0)) {
    const message = 'it is not UTF-8 text.';
    throw invalidMigrations([fault({ code: 'migration-unreadable', name, file, message, remedy: 'Save it as UTF-8.' })]);
  }
  return { file, text: bytes.toString('utf8').replace(/^\uFEFF/, '') };
}

function readBytes(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw loadFailure({ name, file }, cause);
  }
}

const leadingComments = /^(?:\s*--[^\r\n]*(?:[\r\n]+|$))+/;
const setting = /^\s*--\s*(transaction|breaking)\s*:\s*(\S+)\s*$/gim; // one word: a sentence after the colon is a comment like any other

const passedOver = /^\s*--\s*safe\s*:\s*([\w-]+)\s*:\s*(.*?)\s*$/gim; // -- safe: drop-table: nobody reads it since release 41

function settingsOf(name: string, { file, text }: SqlScript): MigrationSettings {
  const comments = leadingComments.exec(text)?.[0] ?? '';
  const safe = Object.fromEntries([...comments.matchAll(passedOver)].map(([, rule = '', reason = '']) => [rule, reason]));
  const found = [...comments.matchAll(setting)].map(([, key = '', value = '']) => [key.toLowerCase(), value.toLowerCase()] as const);
  const findings = found
    .filter(([, value]) => value !== 'true' && value !== 'false')
    .map(([key, value]) => {
      const message = `its comment says ${key}: ${value}, which is neither true nor false.`;
      return fault({ code: 'migration-config', name, file, message, remedy: `Write -- ${key}: true or -- ${key}: false.` });
    });
  for (const what of faultsOfSafe(safe)) {
    const message = `its config${what}.`;
    findings.push(fault({ code: 'migration-config', name, file, message, remedy: 'Write -- safe: <rule>: <reason>.' }));
  }
  if (findings.length > 0) throw invalidMigrations(findings);
  const settings = Object.fromEntries(found.map(([key, value]) => [key, value === 'true']));
  return Object.keys(safe).length > 0 ? { ...settings, safe } : settings;
}
