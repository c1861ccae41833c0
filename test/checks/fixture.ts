import path from 'node:path';
import { expect } from 'vitest';
import { startCall } from '../../src/call.js';
import { runChecks, type CheckInput } from '../../src/checks/index.js';
import { resolveConfig, ruleTable, type Options, type Rule, type RulesInput } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { inSchema, readHistory, tablesOf } from '../../src/history/index.js';
import { openSession } from '../../src/session/index.js';
import { listMigrations, type LoadedMigration } from '../../src/source/index.js';
import { directoryOf } from '../source/fixture.js';

/** Runs `work` with what the checks would be given on this database. The session is a bare one: `session.hold()` has not overridden anything. */
export async function withInput<T>(url: string, options: Options, work: (input: CheckInput) => Promise<T>): Promise<T> {
  using call = startCall(resolveConfig({ connection: url, logger: false, application: { name: 'app' }, ...options }));
  await using session = await openSession(call);
  const { facts, applied, journal } = await readHistory(session, tablesOf(call.config.migrations));
  const bare = tablesOf(call.config.migrations);
  const schema = bare.schema ?? facts.schema;
  const tables = inSchema(bare, schema ?? undefined);
  return await work({ call, session, facts, tables, applied, journal, pending: [], direction: 'up', pooled: false });
}

/** Every rule off but the given ones. */
export function only(rules: RulesInput): RulesInput {
  return { ...Object.fromEntries(Object.keys(ruleTable).map((name) => [name, name.startsWith('history-') ? undefined : 'off'])), ...rules };
}

interface Raising {
  readonly options?: Options;
  readonly input?: Partial<CheckInput>;
}

/** What one check finds at its default level. Proves on the way that it finds nothing when it is off. */
export async function findingsOf(url: string, rule: Rule, { options = {}, input = {} }: Raising = {}): Promise<readonly Finding[]> {
  const run = async (level: RulesInput[Rule]): Promise<readonly Finding[]> =>
    await withInput(url, { ...options, rules: only({ [rule]: level }) }, async (given) => await runChecks({ ...given, ...input }));
  expect(await run('off')).toEqual([]);
  return await run(ruleTable[rule].level);
}

/** The migrations of a directory that holds these files, loaded. */
export async function load(files: Readonly<Record<string, string>>): Promise<LoadedMigration[]> {
  const directory = directoryOf({ 'package.json': '{ "type": "module" }', ...files });
  const { migrations } = resolveConfig({ connection: 'postgres://localhost/none', migrations: directory });
  const listed = await listMigrations(migrations);
  return await Promise.all(listed.map(async (migration) => await migration.load()));
}

/** `a.sql` for a finding at /tmp/.../a.sql: the directory is another one each time. */
export function withoutDirectories(findings: readonly Finding[]): Finding[] {
  return findings.map(({ at, ...finding }) => ({
    ...finding,
    ...(at && { at: { ...at, ...(at.file && { file: path.basename(at.file) }) } }),
  }));
}
