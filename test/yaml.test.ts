import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { optionTable } from '../src/config/table.js';
import { timeoutTable } from '../src/config/timeouts.js';
import { errorTable } from '../src/errors.js';
import { makeDirectory } from './support/directories.js';
import { root } from './support/majors.js';
import { readPages } from './support/markdown.js';
import { startScript } from './support/process.js';

const files = ['examples', '.github'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => ({ name: path.join(folder, name), text: readFileSync(path.join(root, folder, name), 'utf8') })),
);
const snippets = readPages().flatMap(({ snippets: all }) => all.filter(({ language }) => language === 'yaml'));
const sources = [...files, ...snippets.map(({ page, line, text }) => ({ name: `${page}:${line}`, text }))];

/** Every object below a value. */
function objectsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(objectsIn)];
}

describe.each(sources)('$name', ({ text }) => {
  const documents = parseAllDocuments(text);
  const objects = documents.flatMap((document) => objectsIn(document.toJS()));

  test('is YAML, each key once', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(objects.length).toBeGreaterThan(0);
  });

  test('sets variables, modes, exit codes and probes that there are', () => {
    const maps = objects.flatMap(({ env, environment }) => [env, environment]).filter((each) => !Array.isArray(each));
    const pairs = [...maps.flatMap((map) => Object.entries(map ?? {})), ...objects.map(({ name, value }) => [name, value] as const)];
    const ours = pairs.filter(([name]) => String(name).startsWith('ENSURE_MIGRATED_'));
    const variables = Object.values(optionTable).flatMap((row): readonly string[] => ('environment' in row ? row.environment : []));
    for (const [name] of ours) expect(variables).toContain(name);
    for (const [name, value] of ours) if (name === 'ENSURE_MIGRATED_MODE') expect(['apply', 'wait', 'verify', 'off']).toContain(value);
    const codes: unknown[] = Object.values(errorTable).map(({ exit }) => exit);
    for (const { values } of objects.filter(({ operator }) => operator === 'In'))
      expect(codes).toEqual(expect.arrayContaining(values as unknown[]));
    for (const { startupProbe } of objects) {
      if (startupProbe === undefined) continue;
      const { periodSeconds, failureThreshold } = startupProbe as { periodSeconds: number; failureThreshold: number };
      expect(periodSeconds * failureThreshold * 1000).toBeGreaterThanOrEqual(timeoutTable.callMs.default);
    }
  });

  test('uses actions of a major version, and files and scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object };
    for (const { uses } of objects) {
      if (typeof uses !== 'string') continue;
      if (uses.startsWith('./')) expect(existsSync(path.join(root, uses))).toBe(true);
      else expect(uses).toMatch(/^[\w-]+\/[\w/-]+@v\d+$/);
    }
    const runs = objects.map(({ run }) => (typeof run === 'string' ? run : '')).join('\n');
    for (const [, file = ''] of runs.matchAll(/(?:^|node )(\.ci\/[\w.-]+)/gm))
      expect([file, existsSync(path.join(root, file))]).toEqual([file, true]);
    for (const [, script = ''] of runs.matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toHaveProperty(script);
  });
});

test('there is something to look at', () => {
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['.github/workflows/ci.yml', '.github/workflows/release.yml']));
  expect(snippets.length).toBeGreaterThan(3);
});

describe('.ci/release-notes.js', () => {
  const changelog =
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-05\n\n### Added\n- a thing\n\n## [1.2.2] - 2026-01-01\n\n- older\n';

  async function notes(tag: string, { text = changelog, version = '1.2.3' } = {}) {
    const cwd = await makeDirectory({
      'package.json': JSON.stringify({ version: '1.2.3' }),
      'package-lock.json': JSON.stringify({ version }),
      'CHANGELOG.md': text,
    });
    const { code, stdout, stderr } = await startScript(path.join(root, '.ci/release-notes.js'), { args: [tag], cwd }).ended;
    return { code, stdout, stderr };
  }

  test('gives what the changelog says of the version', async () => {
    expect(await notes('v1.2.3')).toEqual({ code: 0, stdout: '### Added\n- a thing\n', stderr: '' });
  });

  test('refuses what does not agree, and says all of it', async () => {
    const text = '# Changelog\n\n## [Unreleased]\n\n- something\n\n## [1.2.2] - 2026-01-01\n';
    const { code, stdout, stderr } = await notes('v1.2.4', { text, version: '1.2.2' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    for (const part of ['the tag is v1.2.4', 'package-lock.json is 1.2.2', 'no heading "## [1.2.3] - YYYY-MM-DD"', 'under [Unreleased]'])
      expect(stderr).toContain(part);
  });
});
