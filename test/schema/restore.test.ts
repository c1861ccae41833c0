import { beforeAll, expect, test } from 'vitest';
import { diffSchema, fingerprint, isSameSchema, readSchema, type Schema } from '../../src/schema/index.js';
import { beyond, features, scriptOf, type Feature } from '../autogenerate/features.js';
import { describeWithClientTools, dumpOf } from '../support/client-tools.js';
import { major } from '../support/majors.js';
import { createDatabase } from '../support/servers.js';
import { fixture, queryOf } from './fixture.js';

// 15 and 18 are at hand; `npm run test:matrix` brings the others.
const targets = [...new Set([15, 18, major])].filter((each) => each >= 15).sort((a, b) => a - b);
const source = 15;

/** What the fixture does not have, or has once: every feature of the models, each in a schema of its own. */
const everything: readonly Feature[] = [
  ...features,
  ...beyond.map(([name, base, change, , since = 14]) => ({ name, before: base, after: `${base} ${change}`, since })),
].filter(({ since = 14 }) => since <= source);

describeWithClientTools('a dump of PostgreSQL 15', () => {
  let original: Schema;
  let dump: string;
  beforeAll(async () => {
    const database = await createDatabase({ major: source });
    await database.query(fixture);
    await database.query(scriptOf(everything, 'after'));
    original = await readSchema(queryOf(database));
    dump = dumpOf(database, ['--schema-only']);
  });

  test.each(targets)('has the same fingerprint in PostgreSQL %i', async (target) => {
    const database = await createDatabase({ major: target });
    await database.query(dump);
    const restored = await readSchema(queryOf(database));
    expect(diffSchema(original, restored)).toEqual([]);
    expect(isSameSchema(fingerprint(original), fingerprint(restored))).toBe(true);
    expect(fingerprint(restored).core).toBe(fingerprint(original).core);
    expect(restored.lines.length).toBeGreaterThan(800);
  });
});
