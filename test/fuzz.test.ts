import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { problemsOf, resolveConfig, resolveDatabases, type AllOptions } from '../src/config/index.js';
import { optionTable } from '../src/config/table.js';
import { isMigrationError } from '../src/errors.js';
import { migrationId, splitSql } from '../src/source/index.js';
import { readTarget } from '../src/cli/target.js';

const numRuns = 300;

/** What is not refused in our own words is a fault: a TypeError of ours, say, that tells a person nothing. */
function refusedInOurWords(work: () => unknown, code: Parameters<typeof isMigrationError>[1]): void {
  try {
    work();
  } catch (error) {
    if (!isMigrationError(error, code)) throw error;
    expect(error.remedy).not.toBe('');
  }
}

// Values of all kinds, and such as come near to what is expected.
const near = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.func(fc.anything()),
  fc.constant(new URL('file:///a b')),
);
const nested = fc.dictionary(
  fc.oneof(
    fc.string(),
    fc.constantFrom('name', 'migrations', 'schemas', 'directory', 'after', 'level', 'max', 'connection', 'files', 'run'),
  ),
  fc.oneof(near, fc.array(near, { maxLength: 3 })),
  { maxKeys: 4 },
);
const value = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
  near,
  nested,
  fc.array(nested, { maxLength: 3 }),
);
const names = Object.keys(optionTable);
const options = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value, { maxKeys: 5 });

describe('whatever it is given', () => {
  test('options are read, or refused with EM_CONFIG_INVALID', () => {
    fc.assert(
      fc.property(options, (given) => refusedInOurWords(() => resolveConfig(given), 'EM_CONFIG_INVALID')),
      { numRuns },
    );
  });

  test('each option by itself, too', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), value, (name, given) =>
        refusedInOurWords(() => resolveConfig({ connection: 'postgres://localhost/none', [name]: given }), 'EM_CONFIG_INVALID'),
      ),
      { numRuns: 3 * numRuns },
    );
  });

  test('options of several databases are read, or refused with EM_CONFIG_INVALID', () => {
    const several = fc.record(
      { databases: fc.oneof(value, fc.array(fc.oneof(options, value), { maxLength: 3 })), onFailure: value, canary: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(several, (given) => refusedInOurWords(() => resolveDatabases(given as unknown as AllOptions), 'EM_CONFIG_INVALID')),
      { numRuns },
    );
  });

  test('the problems of a configuration file are sentences', () => {
    fc.assert(
      fc.property(fc.oneof(options, value), (given) => {
        for (const problem of problemsOf(given)) expect(problem).toMatch(/\S/);
      }),
      { numRuns },
    );
  });

  test('a target of the command line is read, or refused with EM_PLAN_REFUSED', () => {
    fc.assert(
      fc.property(fc.string(), (text) => refusedInOurWords(() => readTarget(text), 'EM_PLAN_REFUSED')),
      { numRuns },
    );
  });

  test('the text of a script is split, or refused with EM_MIGRATION_INVALID', async () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(';', "'", '"', '$$', '$a$', '--', '/*', '*/', '\n', '\r\n', 'select 1', 'é', '\u{1f600}', 'begin', "E'\\", '\0'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const text = pieces.join('');
        const split = await splitSql({ file: '/m/1.sql', text }).catch((error: unknown) => {
          if (!isMigrationError(error, 'EM_MIGRATION_INVALID')) throw error;
          return [];
        });
        for (const statement of split) expect(text).toContain(statement.text);
      }),
      { numRuns },
    );
  });

  test('a name and its id are the same migration', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(migrationId(migrationId(name))).toBe(migrationId(name).replace(/\.[cm]?[jt]s$/, ''));
      }),
      { numRuns },
    );
  });
});
