import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { autogenerate, downgrade, upgrade } from '../../src/commands/index.js';
import type { Finding, MigrationError } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';
import { beyond, features, inSchema, oneWay, schemaOf, scriptOf, unclean, type Feature } from './features.js';
import { linesOf, makeProject } from './project.js';
import { expectPrinted } from '../support/json-schemas.js';

type Side = 'before' | 'after';

// Of so many changes each would be a migration of its own.
const rules = { 'multiple-table-locks': 'off', 'work-while-locked': 'off' } as const;

interface Generation {
  readonly all: readonly Feature[];
  readonly from: Side;
  readonly to: Side;
}

/**
 * Generates all of them at once, runs what was generated, takes it back, and looks at the catalogs each time. Gives what the lint has against it, but
 * for remarks.
 */
async function generated({ all, from, to }: Generation): Promise<readonly Finding[]> {
  const project = await makeProject(scriptOf(all, from), scriptOf(all, to));
  const { database } = project;
  const options = { ...project.options, rules };
  const model = await createDatabase();
  await model.query(scriptOf(all, to));
  await upgrade(options);
  const before = await linesOf(database);
  const generated = await autogenerate(options, { message: 'Change the model', allowDataLoss: true, extension: 'js' });
  expectPrinted('revision', generated);
  const { migrations, findings } = generated;
  await upgrade(options);
  expect(await linesOf(database)).toEqual(await linesOf(model));
  if (to === 'after') expect(await autogenerate(options, { message: 'Again' })).toEqual({ migrations: [], findings: [] });
  await downgrade(options, { target: { steps: migrations.length }, yes: true });
  expect(await linesOf(database)).toEqual(before);
  return findings.filter(({ level }) => level !== 'info');
}

function byRule(all: readonly Feature[], findings: readonly Finding[]): Record<string, readonly string[]> {
  const rules = [...new Set(findings.map(({ code }) => code))];
  const isAgainst = (code: string, index: number) =>
    findings.some((finding) => finding.code === code && finding.message.includes(schemaOf(index)));
  return Object.fromEntries(rules.map((code) => [code, all.flatMap(({ name }, index) => (isAgainst(code, index) ? [name] : [])).sort()]));
}

describe(`${features.length + oneWay.length} changes of a schema are generated, applied, and taken back, and the lint has nothing against them but what is known`, () => {
  test('in one direction', async () => {
    const all = [...features, ...oneWay];
    expect(byRule(all, await generated({ all, from: 'before', to: 'after' }))).toEqual(unclean('after'));
  });
  test('in the other', async () => {
    expect(byRule(features, await generated({ all: features, from: 'after', to: 'before' }))).toEqual(unclean('before'));
  });
});

test('what is beyond it is refused, each object by its name, and no file stays', async () => {
  const chosen = beyond.map(([name, base, change]) => ({ name, before: base, after: `${base} ${change}` }));
  const { directory, options } = await makeProject(scriptOf(chosen, 'before'), scriptOf(chosen, 'after'));
  const refused = (await autogenerate(options, { message: 'Beyond' }).catch((error: unknown) => error)) as MigrationError;
  expect(refused.code).toBe('EM_DIFF_INCOMPLETE');
  const messages = refused.findings.map(({ message }) => message);
  const unseen = beyond.filter(([, , , left], index) => {
    const what = inSchema(left, index);
    return !messages.some((message) => message.startsWith(what) && (what !== 'cast' || message.includes(schemaOf(index))));
  });
  expect(unseen.map(([name]) => name)).toEqual([]);
  expect(refused.message).toMatch(/column f002\.t\.c was changed: was `text storage external`, is `text`/);
  expect(await readdir(`${directory}/migrations`)).toHaveLength(2);
});

test('what can be generated in one direction only is refused in the other', async () => {
  const { options } = await makeProject(scriptOf(oneWay, 'after'), scriptOf(oneWay, 'before'));
  const refused = (await autogenerate(options, { message: 'Back', allowDataLoss: true }).catch(
    (error: unknown) => error,
  )) as MigrationError;
  expect(refused).toMatchObject({ code: 'EM_DIFF_INCOMPLETE', message: expect.stringContaining('unsafe use of new value') as string });
});
