import { describe, expect, test } from 'vitest';
import { waitUntilRuns } from '../support/boot.js';
import { startProxy, type Proxy } from '../support/proxy.js';
import { startRewritingProxy } from '../support/rewriting-proxy.js';
import { makeScene, rowValue, untouched, type Hostile, type Scene } from '../support/scene.js';
import { describeWithSmallDisk } from '../support/small-disk.js';

// Checked when the transaction commits, not before.
const deferred = `create table child (id int references patients (id) deferrable initially deferred); insert into child values (999);`;
const raises = `create function refuse() returns trigger language plpgsql as $f$ begin raise exception 'not this one: ${rowValue}'; end $f$;
  create constraint trigger refuse after insert on log deferrable initially deferred for each row execute function refuse();
  insert into log values ('refused');`;
const code = (sql: string) => `await knex.raw(${JSON.stringify(sql)});`;

/** The first migration by itself, so that what comes next is the one under test. */
async function bootFirst(scene: Scene): Promise<void> {
  const first = (await import(`${scene.directory}/0001_before.js`)) as object;
  await scene.boot({ migrations: { modules: { '0001_before.js': first } }, transaction: 'each' });
}

describe('a COMMIT that fails is reported as not applied, and is not:', () => {
  test.each<[string, Hostile]>([
    ['of a migration in code', { body: code(deferred) }],
    ['of a script', { extension: '.sql', text: `insert into log values ('0002');\n${deferred}` }],
    ['of a set in one transaction', { body: code(deferred), options: { transaction: 'all' } }],
    ['of a set of which the last is a script', { extension: '.sql', text: deferred, options: { transaction: 'all' } }],
  ])('%s', async (_of, hostile) => {
    const scene = await makeScene(hostile);
    await bootFirst(scene);
    const error = await scene.fail();
    const names = `0002_hostile${hostile.extension ?? '.js'}${hostile.options ? ', 0003_after.js' : ''}`;
    expect(error.message.split('\n  ')).toEqual([
      `the COMMIT of ${names} failed, nothing of it was applied: insert or update on table "child" violates foreign key constraint "child_id_fkey" (SQLSTATE 23503)`,
      'detail: Key (id)=(999) is not present in table "patients".',
      'Correct the migration, or the data that it meets, then start the service again: the migration was not applied.',
    ]);
    expect(error).toMatchObject({ code: 'EM_NOT_COMMITTED', retryable: false, exitCode: 78, outcome: { applied: [] } });
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed', errorCode: 'EM_NOT_COMMITTED' } });
    await scene.heal();
  });

  test('what a deferred trigger raised stands in the error, not in the journal', async () => {
    const scene = await makeScene({ body: code(raises) });
    const error = await scene.fail();
    expect(error).toMatchObject({ code: 'EM_NOT_COMMITTED', retryable: false, exitCode: 78 });
    expect(error.message).toContain(`not this one: ${rowValue} (SQLSTATE P0001)`);
    const attempt = { status: 'failed', sqlState: 'P0001', message: 'EM_NOT_COMMITTED' };
    expect(await scene.aftermath()).toMatchObject({ ...untouched, attempt });
    await scene.heal();
  });

  test.each<[string, Hostile]>([
    ['in code', { body: code('create table stray (id int)') }],
    ['in SQL', { extension: '.sql', text: 'create table stray (id int);\n' }],
  ])('one that is answered with ROLLBACK, without an error, of a migration %s', async (_how, hostile) => {
    const scene = await makeScene(hostile);
    await bootFirst(scene);
    const connection = await startRewritingProxy(scene.database.url, { in: `values ('0002_hostile`, from: 'commit;', to: 'rollback;' });
    const error = await scene.fail({ connection });
    expect(error).toMatchObject({ code: 'EM_NOT_COMMITTED', retryable: true, exitCode: 75 });
    expect(error.message).toMatch(/0002_hostile.*: the server answered the COMMIT with ROLLBACK: nothing was applied/);
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed' }, attempt: { status: 'failed' } });
    await scene.heal();
  });
});

const stray = 'create table stray (id int)';
const record = `values ('0002_hostile`;

async function makeLossy(hostile: Hostile): Promise<{ scene: Scene; proxy: Proxy; connection: string }> {
  const scene = await makeScene(hostile);
  await bootFirst(scene);
  const proxy = await startProxy(scene.database.url);
  return { scene, proxy, connection: proxy.urlOf(scene.database.url) };
}

describe('a COMMIT of which the answer is lost is looked up, and reported for what it was:', () => {
  const kinds: [string, Hostile][] = [
    ['of a migration in code', { body: code(stray) }],
    ['of a script', { extension: '.sql', text: `insert into log values ('0002');\n${stray};\n` }],
    ['of a set in one transaction', { body: code(stray), options: { transaction: 'all' } }],
  ];

  test.each(kinds)('applied, when the server had it: %s', async (_of, hostile) => {
    const { scene, proxy, connection } = await makeLossy(hostile);
    const lost = proxy.dropReplyOf(record);
    const error = await scene.fail({ connection });
    await lost;
    expect(error.code).toBe('EM_LOST_SESSION');
    expect(error.message).toMatch(/COMMIT was lost; it was looked up: the migration IS applied and recorded/);
    const { history, tables } = await scene.aftermath();
    expect(history).toContain(`0002_hostile${hostile.extension ?? '.js'}`);
    expect(tables).toEqual(['log', 'patients', 'stray']);
    expect((await scene.boot()).applied.map(({ name }) => name)).toEqual(hostile.options ? [] : ['0003_after.js']);
    expect(await scene.boot()).toMatchObject({ status: 'in-sync' });
    expect(await scene.aftermath()).toMatchObject({ log: ['0001', '0002', '0003'], isLocked: [0], owner: { state: 'clear' } });
  });

  test.each(kinds)('not applied, when the server never had it: %s', async (_of, hostile) => {
    const { scene, proxy, connection } = await makeLossy(hostile);
    const lost = proxy.dropRequest(record);
    const error = await scene.fail({ connection });
    await lost;
    expect(error.code).toBe('EM_LOST_SESSION');
    expect(error.message).toMatch(/COMMIT was lost; it was looked up: the migration is NOT applied/);
    const { history, tables, log } = await scene.aftermath();
    expect({ history, tables, log }).toEqual({ history: untouched.history, tables: untouched.tables, log: untouched.log });
    await scene.heal();
  });

  test('not recorded, when the record of a migration outside a transaction never arrived', async () => {
    const { scene, proxy, connection } = await makeLossy({ body: code(stray), transaction: false });
    const lost = proxy.dropRequest(record);
    const error = await scene.fail({ connection });
    await lost;
    expect(error.message).toMatch(/looked up: the migration is NOT recorded; what it did outside a transaction stays/);
    expect(await scene.fail()).toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
    await scene.undo(`drop table stray; delete from log where name = '0002'`);
    await scene.heal();
  });

  test('of the server that is cut off while it commits it waits for the end, and says the truth', async () => {
    const sleeps = raises.replace(/raise exception .*?; end/, 'perform pg_sleep(2); return null; end');
    const { scene, proxy, connection } = await makeLossy({ body: code(sleeps) });
    const failing = scene.fail({ connection });
    await waitUntilRuns(scene.database, 'reset session authorization'); // the record, which ends in COMMIT
    proxy.cut();
    const { message } = await failing;
    const applied = (await scene.aftermath()).history.includes('0002_hostile.js');
    expect(message).toContain(`looked up: the migration ${applied ? 'IS applied and recorded' : 'is NOT applied'}`);
  });

  test('when nobody can be asked, that is said', async () => {
    const { scene, proxy, connection } = await makeLossy({ body: code(stray) });
    const lost = proxy.dropReplyOf(record).then(async () => await proxy.refuse());
    const error = await scene.fail({ connection, timeouts: { connectMs: 300 } });
    await lost;
    expect(error).toMatchObject({ code: 'EM_LOST_SESSION', retryable: true });
    expect(error.message).toMatch(/the server could not be asked: it is either wholly applied or not at all/);
    expect(await scene.boot()).toMatchObject({ status: 'migrated', applied: [{ name: '0003_after.js' }] });
  });

  test('the answer to the release is lost: all is applied, and the next boot has nothing to do', async () => {
    const { scene, proxy, connection } = await makeLossy({ body: code(stray) });
    const lost = proxy.dropReplyOf('pg_advisory_unlock');
    expect(await scene.fail({ connection })).toMatchObject({ code: 'EM_LOST_SESSION', outcome: { applied: [{}, {}] } });
    await lost;
    expect(await scene.boot()).toMatchObject({ status: 'in-sync' });
  });
});

describeWithSmallDisk('a full disk', (makeSmallDisk) => {
  const write = `insert into big select repeat(md5(n::text), 30) from generate_series(1, 10000) n;`;

  test.each<[string, string, string]>([
    ['in a statement', write, 'EM_MIGRATION_FAILED'],
    [
      'in the COMMIT',
      `create function fill() returns trigger language plpgsql as $f$ begin ${write} return null; end $f$;
       create constraint trigger fill after insert on log deferrable initially deferred for each row execute function fill();
       insert into log values ('filled');`,
      'EM_NOT_COMMITTED',
    ],
  ])('%s is reported as not applied, and is not; once there is space, the same migration is applied', async (_where, sql, errorCode) => {
    const disk = await makeSmallDisk();
    const scene = await makeScene({ body: code(`create table big (line text) tablespace ${disk.tablespace}; ${sql}`) });
    const error = await scene.fail();
    expect(error).toMatchObject({ code: errorCode, retryable: errorCode === 'EM_NOT_COMMITTED' });
    expect(error.message).toMatch(/could not extend file .*No space left on device \(SQLSTATE 53100\)/);
    const attempt = { status: 'failed', sqlState: '53100' };
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed', errorCode }, attempt });
    disk.grow();
    expect(await scene.boot()).toMatchObject({ status: 'migrated', applied: [{ name: '0002_hostile.js' }, { name: '0003_after.js' }] });
    expect(await scene.boot()).toMatchObject({ status: 'in-sync' });
  });
});
