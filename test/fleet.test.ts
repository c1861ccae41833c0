import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MigrationError, type ErrorCode } from '../src/errors.js';
import { runFleet, type Fleet } from '../src/fleet.js';
import type { Outcome } from '../src/outcome.js';

const inSync: Outcome = { status: 'in-sync', from: undefined, to: undefined, applied: [], findings: [], timings: {} };
const names = ['a', 'b', 'c', 'd', 'e', 'f'];

interface Told {
  readonly fleet?: Partial<Fleet>;
  readonly failing?: Readonly<Record<string, ErrorCode>>;
}

/** Runs six of them, and keeps what was begun and how many at once. */
async function run({ fleet = {}, failing = {} }: Told) {
  const begun: string[] = [];
  let [atWork, most] = [0, 0];
  const one = async (name: string) => {
    begun.push(name);
    most = Math.max(most, ++atWork);
    await setImmediate();
    atWork--;
    const code = failing[name];
    if (code) throw new MigrationError(code, `${name} has failed`);
    return inSync;
  };
  const all: Fleet = {
    kind: 'database',
    names,
    run: one,
    concurrency: 2,
    canary: 0,
    onFailure: 'stop',
    stop: new AbortController().signal,
    ...fleet,
  };
  const ended = await runFleet(all).catch((error: unknown) => error as MigrationError);
  const members = ended instanceof MigrationError ? ended.members : ended;
  return { begun, most, error: ended instanceof MigrationError ? ended : undefined, statuses: members.map(({ status }) => status) };
}

async function failureOf(fleet: Partial<Fleet>): Promise<MigrationError> {
  const all = { kind: 'database', names, concurrency: 2, canary: 0, onFailure: 'continue', ...fleet } as Fleet;
  return await runFleet(all).then(
    () => expect.unreachable('it did not fail'),
    (thrown: unknown) => thrown as MigrationError,
  );
}

describe('a fleet', () => {
  test('runs no more at once than it may, and says what each came to, in their order', async () => {
    const { most, error, statuses } = await run({ fleet: { concurrency: 4 } });
    expect([most, error, statuses]).toEqual([4, undefined, names.map(() => 'in-sync')]);
  });

  test.each([
    ['stop', 'stop' as const, ['a', 'b', 'c'], ['in-sync', 'failed', 'in-sync', 'not-begun', 'not-begun', 'not-begun']],
    ['continue', 'continue' as const, names, ['in-sync', 'failed', 'in-sync', 'failed', 'in-sync', 'in-sync']],
    ['{ max: 1 }', { max: 1 }, ['a', 'b', 'c', 'd', 'e'], ['in-sync', 'failed', 'in-sync', 'failed', 'in-sync', 'not-begun']],
    ['{ max: 2 }', { max: 2 }, names, ['in-sync', 'failed', 'in-sync', 'failed', 'in-sync', 'in-sync']],
  ])('whose onFailure is %s begins so many after a failure', async (_title, onFailure, begun, statuses) => {
    const told = await run({ fleet: { onFailure }, failing: { b: 'EM_OUT_OF_SYNC', d: 'EM_BLOCKED' } });
    expect([told.begun, told.statuses]).toEqual([begun, statuses]);
  });

  test('of tenants begins no more once their server cannot be reached, whatever onFailure says', async () => {
    const told = await run({ fleet: { kind: 'tenant', onFailure: 'continue' }, failing: { b: 'EM_CONNECT_TIMEOUT' } });
    expect([told.begun, told.statuses]).toEqual([
      ['a', 'b', 'c'],
      ['in-sync', 'failed', 'in-sync', 'not-begun', 'not-begun', 'not-begun'],
    ]);
  });

  test('with a canary runs that alone first, and nothing else once it has failed', async () => {
    const well = await run({ fleet: { canary: 1, concurrency: 6 } });
    expect([well.begun, well.most]).toEqual([names, 5]);
    const ill = await run({ fleet: { canary: 1, onFailure: 'continue' }, failing: { a: 'EM_OUT_OF_SYNC' } });
    expect([ill.begun, ill.statuses.slice(0, 2)]).toEqual([['a'], ['failed', 'not-begun']]);
  });

  test('that is told to stop begins no more, and ends with the reason and with what each came to', async () => {
    const stop = new AbortController();
    const reason = new MigrationError('EM_ABORTED', 'stopped by SIGTERM');
    const begun: string[] = [];
    const one = (name: string) => {
      begun.push(name);
      if (name === 'b') stop.abort(reason);
      return Promise.resolve(inSync);
    };
    const all: Fleet = { kind: 'tenant', names, run: one, concurrency: 1, canary: 0, onFailure: 'continue', stop: stop.signal };
    const error = await runFleet(all).catch((thrown: unknown) => thrown as MigrationError);
    expect(error).toMatchObject({ code: 'EM_ABORTED', exitCode: 143, message: reason.message });
    expect((error as MigrationError).members.map(({ status }) => status).join()).toBe(`in-sync,in-sync${',not-begun'.repeat(4)}`);
    expect(begun).toEqual(['a', 'b']);
  });

  test('that is told to stop while its canary runs begins none of the others, though that ends well', async () => {
    const stop = new AbortController();
    const begun: string[] = [];
    const one = (name: string) => {
      begun.push(name);
      stop.abort(new MigrationError('EM_ABORTED', 'stopped by SIGTERM'));
      return Promise.resolve(inSync);
    };
    const { members } = await failureOf({ run: one, canary: 1, stop: stop.signal });
    expect([begun, members.map(({ status }) => status).slice(0, 2)]).toEqual([['a'], ['in-sync', 'not-begun']]);
  });

  test('does not wait for ever for one that does not stop, and tells what it knows by then', async () => {
    const stop = new AbortController();
    const one = async (name: string) => {
      if (name !== 'b') return inSync;
      stop.abort(new MigrationError('EM_ABORTED', 'stopped by SIGTERM'));
      return await new Promise<never>(() => undefined);
    };
    const { members, code } = await failureOf({ kind: 'tenant', run: one, order: [...names].reverse(), concurrency: 1, stop: stop.signal });
    expect(code).toBe('EM_ABORTED');
    expect(members.map(({ name, status, error }) => `${name} ${error?.code ?? status}`)).toEqual([
      ...['a not-begun', 'b EM_ABORTED', 'c in-sync', 'd in-sync', 'e in-sync', 'f in-sync'],
    ]);
  });

  test('names what has failed, with its own code and remedy, and what was not begun', async () => {
    const { error } = await run({ fleet: { concurrency: 1 }, failing: { b: 'EM_OUT_OF_SYNC' } });
    expect(error?.message.split('\n').slice(0, 5)).toEqual([
      '5 of 6 databases are not at head (1 failed, 4 not begun):',
      '  - database b: EM_OUT_OF_SYNC: b has failed',
      '      Follow the remedy of each finding.',
      '  - database c: not begun',
      '  - database d: not begun',
    ]);
    expect(error?.findings.map(({ code, level }) => [code, level])).toEqual([
      ['not-migrated', 'error'],
      ...['c', 'd', 'e', 'f'].map(() => ['not-migrated', 'warn']),
    ]);
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', exitCode: 78, retryable: false });
    expect([error?.members, ...(error?.members ?? [])].every((told) => Object.isFrozen(told))).toBe(true);
  });

  test('is worth another try only where each failure is', async () => {
    const both = await run({ fleet: { onFailure: 'continue' }, failing: { b: 'EM_BLOCKED', c: 'EM_CONNECT_TIMEOUT' } });
    expect(both.error).toMatchObject({ exitCode: 75, retryable: true });
    const one = await run({ fleet: { onFailure: 'continue' }, failing: { b: 'EM_BLOCKED', c: 'EM_OUT_OF_SYNC' } });
    expect(one.error?.exitCode).toBe(78);
  });
});
