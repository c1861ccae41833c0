import { setTimeout as sleep } from 'node:timers/promises';
import { ensureMigrated, isMigrationError } from '../../src/index.js';
import { bootTenants, createSchemas, directoryOf, names, ranIn, type Scene } from '../boot/tenants-fixture.js';
import { startBoot } from '../support/boot.js';
import type { TestDatabase } from '../support/servers.js';
import type { Dice } from './dice.js';
import { startSeveringProxy } from './severing-proxy.js';
import { untilAllHaveGone } from './truth.js';

const timeouts = { lockMs: 20_000, leaseMs: 3_000, connectMs: 10_000 };
const expected = /^EM_(NOT_ALL_MIGRATED|LOST_SESSION|ABORTED|CONNECT_TIMEOUT|LOCK_TIMEOUT|CALL_TIMEOUT)$/;

/** Several calls over the same tenants at once, most of which die. What stays in each tenant is recorded, and the next call brings all to head. */
export async function playTenants(database: TestDatabase, dice: Dice, crash?: () => Promise<void>): Promise<readonly string[]> {
  const schemas = Array.from({ length: 2 + dice.roll(4) }, (_, index) => `t${index + 1}`);
  const scene: Scene = { database, directory: await directoryOf() };
  await createSchemas(database, schemas);
  const crashing = crash && dice.roll(6) === 0 ? sleep(dice.roll(600)).then(crash) : undefined;
  const endings = await Promise.all(Array.from({ length: 1 + dice.roll(3) }, async () => await playCall(scene, schemas, dice)));
  await crashing;
  await expectConsistent(database, schemas);
  await bootTenants(scene, schemas, { timeouts });
  await expectConsistent(database, schemas, 'at head');
  return endings.map((ending) => `tenants: ${ending}`);
}

async function playCall({ database, directory }: Scene, schemas: readonly string[], dice: Dice): Promise<string> {
  const tenants = { schemas, concurrency: 1 + dice.roll(3) };
  const atMessage = 1 + dice.roll(60 * schemas.length);
  if (dice.roll(3) === 0) {
    const process = startBoot({ connection: database.url, directory, timeouts, tenants });
    await Promise.race([sleep(10 * atMessage), process.ended]);
    process.signal(dice.pick(['SIGKILL', 'SIGTERM']));
    const { code, signal } = await process.ended;
    return `ended with ${signal ?? code}`;
  }
  const dead = new AbortController();
  const death = dice.roll(4) === 0 ? undefined : { atMessage, when: dice.pick(['before', 'after'] as const) };
  await using proxy = await startSeveringProxy(database.url, death, () => dead.abort());
  try {
    await ensureMigrated({ connection: proxy.url, migrations: directory, logger: false, timeouts, tenants, signal: dead.signal });
    return 'done';
  } catch (error) {
    if (proxy.severed) return 'died';
    if (isMigrationError(error) && expected.test(error.code)) return error.code;
    throw error;
  }
}

async function expectConsistent(database: TestDatabase, schemas: readonly string[], where?: 'at head'): Promise<void> {
  await untilAllHaveGone(database);
  for (const schema of schemas) {
    const isThere = async (table: string) =>
      (await database.query('select to_regclass($1) is not null as there', [`${schema}.${table}`]))[0]?.['there'] === true;
    const counted = async (table: string) =>
      (await isThere(table))
        ? ((await database.query(`select count(*)::int as count from ${schema}.${table}`))[0]?.['count'] as number)
        : 0;
    const [recorded, count] = [await counted('knex_migrations'), await counted('ran')];
    const ran = count === 0 ? [] : ((await ranIn(database, schema)) ?? []);
    const isRight =
      names.join().startsWith(ran.join()) &&
      count === ran.length &&
      recorded === count &&
      (where === undefined || ran.length === names.length);
    if (!isRight) throw new Error(`${schema}: ${ran.join()}; ${recorded} are recorded, and ${count} have run`);
  }
}
