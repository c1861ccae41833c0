import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isProduction } from './config/index.js';
import { isMigrationError, messageOf, MigrationError, withoutRemedy } from './errors.js';
import type { Finding } from './finding.js';
import { inSchema, schemaOf } from './history/index.js';
import { readBuilt, withoutOwners } from './likeness.js';
import { replay } from './replay.js';
import type { Opened } from './run-call.js';
import { compareSnapshots, renderSnapshot } from './schema/index.js';
import { withScratch } from './scratch.js';
import type { Session } from './session/index.js';
import type { Migration } from './source/index.js';

const shownCount = 5;

/** The finding `snapshot-stale` where the snapshot is not what all migrations make of an empty scratch database. Writes nothing. Throws EM_CONFIG_INVALID where it cannot be read. */
export async function checkSnapshot(opened: Opened, file: string): Promise<Finding[]> {
  const text = readText(file);
  const remedy = 'Run `ensure-migrated check --write-snapshot`, and commit the file.';
  if (text === undefined)
    return [{ code: 'snapshot-stale', level: 'error', message: `the snapshot ${basename(file)} is not there`, remedy, at: { file } }];
  const found = compareSnapshots(text, await buildSnapshot(opened));
  if (found.length === 0) return [];
  const more = found.length > shownCount ? ` and ${found.length - shownCount} more` : '';
  const message = `the snapshot ${basename(file)} is not what the migrations make: ${found.slice(0, shownCount).join('; ')}${more}`;
  return [{ code: 'snapshot-stale', level: 'error', message, remedy, at: { file } }];
}

/**
 * Writes the snapshot: what all migrations make of an empty scratch database, so that nothing of a developer's own database gets into it. A file that says
 * the same, maybe in the words of another server, is left as it is. Throws EM_CONFIG_INVALID where it cannot be read or written, and what a replay throws.
 */
export async function writeSnapshot(opened: Opened, file: string): Promise<void> {
  const fresh = await buildSnapshot(opened);
  const text = readText(file);
  if (text !== undefined && compareSnapshots(text, fresh).length === 0) return;
  try {
    writeFileSync(file, fresh);
  } catch (cause) {
    throw notPossible(`the snapshot ${file} cannot be written: ${messageOf(cause)}`, cause);
  }
}

/**
 * Writes the snapshot of a project that keeps one, after work that is done: never in production, and only where the file is there, which it is in a
 * checkout, and not where a service is deployed. What hinders it is the finding `snapshot-unwritten`. Throws EM_ABORTED.
 */
export async function refreshSnapshot(opened: Opened): Promise<Finding[]> {
  const { config } = opened.call;
  const file = config.schema?.snapshot;
  if (file === undefined || isProduction(config) || !existsSync(file)) return [];
  try {
    await writeSnapshot(opened, file);
    return [];
  } catch (error) {
    if (!isMigrationError(error) || error.code === 'EM_ABORTED') throw error;
    const message = `the snapshot ${basename(file)} was not written: ${withoutRemedy(error)}`;
    return [{ code: 'snapshot-unwritten', level: 'warn', message, remedy: error.remedy, at: { file } }];
  }
}

async function buildSnapshot(opened: Opened): Promise<string> {
  const { call, session, history, migrations, tables } = opened;
  const schema = schemaOf(tables, history.facts);
  const ours = inSchema(tables, schema);
  const look = async (built: Session) => withoutOwners(await readBuilt(built, ours, call.config.timeouts.lockMs));
  return await withScratch({ call, session }, async (scratch) => {
    const run = async (wanted: readonly Migration[]) => await replay({ call, scratch, migrations: wanted, schema }, look);
    const empty = await run([]);
    return renderSnapshot({ empty, made: await run(migrations) });
  });
}

function readText(file: string): string | undefined {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  } catch (cause) {
    throw notPossible(`the snapshot ${file} cannot be read: ${messageOf(cause)}`, cause);
  }
}

function notPossible(message: string, cause: unknown): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', message, {
    remedy: 'Correct `schema.snapshot`, or let this process read and write there.',
    cause,
  });
}
