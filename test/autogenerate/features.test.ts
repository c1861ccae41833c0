import { describe, expect, test } from 'vitest';
import { autogenerate, downgrade, upgrade } from '../../src/commands/index.js';
import type { MigrationError } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';
import { beyond, features, inSchema, oneWay, schemaOf, scriptOf, type Feature } from './features.js';
import { linesOf, makeProject } from './project.js';

type Side = 'before' | 'after';

/** Generates all of them at once, runs what was generated, takes it back, and looks at the catalogs each time. */
async function generated(all: readonly Feature[], from: Side, to: Side): Promise<void> {
  const { database, options } = await makeProject(scriptOf(all, from), scriptOf(all, to));
  const model = await createDatabase();
  await model.query(scriptOf(all, to));
  await upgrade(options);
  const before = await linesOf(database);
  const { migrations } = await autogenerate(options, { message: 'Change the model', allowDataLoss: true, extension: 'js' });
  await upgrade(options);
  expect(await linesOf(database)).toEqual(await linesOf(model));
  expect(await autogenerate(options, { message: 'Again' })).toEqual({ migrations: [], findings: [] });
  await downgrade(options, { target: { steps: migrations.length }, yes: true });
  expect(await linesOf(database)).toEqual(before);
}

const half = Math.ceil(features.length / 2);
const halves: readonly [string, readonly Feature[]][] = [
  ['tables, columns and constraints', features.slice(0, half)],
  ['types, views, code and rights', features.slice(half)],
];

describe(`${features.length + oneWay.length} changes of a schema are generated, applied, and taken back`, () => {
  test.each(halves)('%s', async (_what, all) => {
    await generated([...all, ...oneWay], 'before', 'after');
  });
  test.each(halves)('and in the other direction: %s', async (_what, all) => {
    await generated(all, 'after', 'before');
  });
});

test('what is beyond it is refused, each object by its name', async () => {
  const chosen = beyond.map(([name, base, change]) => ({ name, before: base, after: `${base} ${change}` }));
  const { options } = await makeProject(scriptOf(chosen, 'before'), scriptOf(chosen, 'after'));
  const refused = (await autogenerate(options, { message: 'Beyond' }).catch((error: unknown) => error)) as MigrationError;
  expect(refused.code).toBe('EM_DIFF_INCOMPLETE');
  const messages = refused.findings.map(({ message }) => message);
  const unseen = beyond.filter(([, , , left], index) => {
    const what = inSchema(left, index);
    return !messages.some((message) => message.startsWith(what) && (what !== 'cast' || message.includes(schemaOf(index))));
  });
  expect(unseen.map(([name]) => name)).toEqual([]);
});

test('what can be generated in one direction only is refused in the other', async () => {
  const { options } = await makeProject(scriptOf(oneWay, 'after'), scriptOf(oneWay, 'before'));
  const refused = (await autogenerate(options, { message: 'Back', allowDataLoss: true }).catch(
    (error: unknown) => error,
  )) as MigrationError;
  expect(refused).toMatchObject({ code: 'EM_DIFF_INCOMPLETE', message: expect.stringContaining('unsafe use of new value') as string });
});
