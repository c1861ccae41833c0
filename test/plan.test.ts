import { describe, expect, test } from 'vitest';
import { planUpgrade, type PlanRequest } from '../src/plan.js';
import { migrationId, type LoadedMigration } from '../src/source/index.js';

function loaded(name: string, config: LoadedMigration['config'] = {}): LoadedMigration {
  const up = () => undefined;
  return {
    name,
    id: migrationId(name),
    file: undefined,
    checksum: undefined,
    config,
    up,
    down: up,
    verify: undefined,
    knexEntry: undefined,
  };
}

const outside = { transaction: false };

function plan(pending: readonly LoadedMigration[], given: Partial<PlanRequest> = {}) {
  return planUpgrade({
    pending,
    applied: [],
    migrations: pending,
    transaction: 'each',
    disableTransactions: false,
    pooled: false,
    ...given,
  });
}

describe('a plan', () => {
  test('takes what is pending in its order and counts it', () => {
    const { steps, transaction } = plan([loaded('02_b.js'), loaded('03_c.js')], { applied: ['01_a.js'] });
    expect(steps.map(({ name, number, of, direction }) => [name, number, of, direction])).toEqual([
      ['02_b.js', 1, 2, 'up'],
      ['03_c.js', 2, 2, 'up'],
    ]);
    expect(transaction).toBe('each');
  });
  test('of nothing has no step', () => {
    expect(plan([]).steps).toEqual([]);
  });
  test.each([
    [undefined, false, true],
    [undefined, true, false],
    [false, false, false],
    [true, true, true],
  ])('with config.transaction %s and disableTransactions %s runs in a transaction: %s', (own, disableTransactions, expected) => {
    const migration = loaded('01_a.js', own === undefined ? {} : { transaction: own });
    expect(plan([migration], { disableTransactions }).steps.map((step) => step.transaction)).toEqual([expected]);
  });
  test.each([
    [[], '02_b.js', '02_b.js'],
    [['01_a.ts'], '02_b.js', '02_b.ts'],
    [['01_a'], '02_b.js', '02_b'],
    [['00_z.sql', '01_a.ts'], '02_b.mjs', '02_b.ts'],
    [['01_a.ts', '01_b.js'], '02_b.js', '02_b.js'],
    [['01_a.ts'], '02_b.sql', '02_b.sql'],
  ])('after the history %j records %s as %s', (applied, name, recorded) => {
    expect(plan([loaded(name)], { applied }).steps.map((step) => step.name)).toEqual([recorded]);
  });
});

describe('one transaction for all', () => {
  test('is planned where every migration may run in one', () => {
    expect(plan([loaded('01_a.js'), loaded('02_b.js')], { transaction: 'all' }).transaction).toBe('all');
  });
  test('is planned behind a pooler without being asked for', () => {
    expect(plan([loaded('01_a.js')], { pooled: true }).transaction).toBe('all');
  });
  test.each([
    [
      'behind a pooler',
      { pooled: true },
      'cannot run outside a transaction behind a connection pooler: 02_b.js, 03_c.js',
      'directConnection',
    ],
    [
      'when it was asked for',
      { transaction: 'all' },
      `transaction: 'all' was asked for, but these migrations run outside a transaction: 02_b.js, 03_c.js`,
      `transaction: 'each'`,
    ],
  ] as const)('is refused %s for migrations that run outside a transaction, by name', (_when, given, message, remedy) => {
    expect(() => plan([loaded('01_a.js'), loaded('02_b.js', outside), loaded('03_c.js', outside)], given)).toThrow(
      expect.objectContaining({
        code: 'EM_PLAN_REFUSED',
        message: expect.stringContaining(message) as string,
        remedy: expect.stringContaining(remedy) as string,
      }),
    );
  });
});
