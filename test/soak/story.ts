import { setTimeout as sleep } from 'node:timers/promises';
import knex from 'knex';
import { downgrade, repair } from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type Options } from '../../src/index.js';
import { startBoot } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { startKnex } from '../support/knex-cli.js';
import type { TestDatabase } from '../support/servers.js';
import type { Dice } from './dice.js';
import { startSeveringProxy, type Death } from './severing-proxy.js';
import { expectConsistent, lookAt, type Look } from './truth.js';

/** Two in a transaction, one concurrent build, and one outside a transaction that cannot be looked up afterwards. */
const bodies = {
  '1_a.js': `await knex.raw('create table if not exists items (id int)'); await mark();`,
  '2_b.js': `await mark(); await knex.raw('select pg_sleep(0.01)'); await knex.raw('alter table items add column if not exists note text');`,
  '3_index.js': `await knex.raw('create index concurrently items_id on items (id)');`,
  '4_alone.js': `await mark();`,
  '5_c.js': `await mark(); await knex.raw('select count(*) from items');`,
};
export const names = Object.keys(bodies);
const outside = new Set(['3_index.js', '4_alone.js']);

export async function makeStory(): Promise<string> {
  const files = Object.entries(bodies).map(([name, body]): [string, string] => {
    const mark = (what: number) => `const mark = () => knex.raw("insert into witness values ('${name}', ${what})");`;
    const down = name === '3_index.js' ? `await knex.raw('drop index concurrently items_id');` : 'await mark();';
    return [
      name,
      `exports.config = { transaction: ${!outside.has(name)} };
exports.up = async (knex) => { ${mark(1)} ${body} };
exports.down = async (knex) => { ${mark(-1)} ${down} };\n`,
    ];
  });
  return await makeDirectory(Object.fromEntries(files));
}

export interface Stage {
  readonly database: TestDatabase;
  readonly directory: string;
  /** Where a boot behind a pooler connects; none: there are no such boots. */
  readonly pooledUrl?: string | undefined;
  /** Shows what the primary shows some time later; paused for a while at the start of a chapter. */
  readonly replica?: TestDatabase | undefined;
  /** A crash of the server in the middle of a chapter. */
  readonly crash?: (() => Promise<void>) | undefined;
}

/**
 * `process`: a real one, which is told to stop or killed at a time, not at a message; `knex-cli`: knex's own, killed; `operator`: ends whatever session of ours there is;
 * `replicated`: a boot that returns when the replica shows it all.
 */
type Role = 'boot' | 'process' | 'pooled' | 'replicated' | 'downgrade' | 'knex' | 'knex-cli' | 'operator';
export interface Actor {
  readonly role: Role;
  readonly death: Death | undefined;
}

/** What happens in a chapter: some act at once, and most of them die; the seed decides. */
export function castOf(dice: Dice, { pooledUrl, replica }: Stage): readonly Actor[] {
  const roles: readonly Role[] = [
    'boot',
    'boot',
    'boot',
    'downgrade',
    'knex',
    ...(pooledUrl ? (['pooled', 'process', 'operator', 'knex-cli'] as const) : []),
    ...(replica ? (['replicated', 'replicated'] as const) : []),
  ];
  return Array.from({ length: 1 + dice.roll(3) }, () => {
    const death = { atMessage: 1 + dice.roll(45), when: dice.pick(['before', 'after'] as const) };
    return { role: dice.pick(roles), death: dice.roll(4) === 0 ? undefined : death };
  });
}

interface Chapter {
  readonly cast: readonly Actor[];
  readonly endings: readonly string[];
  readonly healing: readonly string[];
}

/** Lets the cast act, holds the truth against what is left, and brings the database to head again. Throws what is not as it must be. */
export async function playChapter(stage: Stage, cast: readonly Actor[], crashAfterMs?: number): Promise<Chapter> {
  const crashing = crashAfterMs === undefined ? undefined : sleep(crashAfterMs).then(() => stage.crash?.());
  const isFollowed = crashAfterMs === undefined && !cast.some(({ role }) => role === 'downgrade');
  const endings = await Promise.all(cast.map(async (actor) => `${actor.role}: ${await play(stage, actor, isFollowed)}`));
  await crashing;
  const knexDied = cast.some(({ role, death }) => role.startsWith('knex') && (death !== undefined || crashAfterMs !== undefined));
  expectConsistent(await lookAt(stage.database), { knexDied });
  const healing = await heal(stage, knexDied);
  const last = await lookAt(stage.database);
  expectConsistent(last, { knexDied });
  if (last.history.join() !== names.join() || (last.isLocked && !knexDied) || (last.ownerState ?? 'clear') !== 'clear')
    throw new Error(`not healed: ${JSON.stringify(last)}`);
  if (knexDied) await tidyAfterKnex(stage.database);
  return { cast, endings, healing };
}

// What knex has done twice, or left locked with nothing pending, is no fault of the scene that comes next.
async function tidyAfterKnex(database: TestDatabase): Promise<void> {
  await database.query('update knex_migrations_lock set is_locked = 0');
  await database.query(`truncate witness; insert into witness select name, 1 from knex_migrations where name <> '3_index.js'`);
}

const timeouts = { lockMs: 20_000, leaseMs: 3_000, connectMs: 10_000 };
const expected =
  /^(EM_REPLICA_BEHIND|EM_LOST_SESSION|EM_CONNECT_TIMEOUT|EM_LOCK_TIMEOUT|EM_KNEX_LOCKED|EM_OUT_OF_SYNC|EM_PLAN_REFUSED|EM_ABORTED|EM_CALL_TIMEOUT|EM_NOT_COMMITTED)$/;

async function play(stage: Stage, { role, death }: Actor, isFollowed: boolean): Promise<string> {
  const dead = new AbortController();
  await using proxy = await startSeveringProxy((role === 'pooled' && stage.pooledUrl) || stage.database.url, death, () => dead.abort());
  try {
    if (role === 'knex-cli') return await playKnex(stage, death);
    if (role === 'process') return await playProcess(stage, death);
    if (role === 'operator') return await endSessions(stage, 10 * (death?.atMessage ?? 0));
    await act(role, { url: proxy.url, directory: stage.directory, dead: dead.signal, replica: stage.replica });
    if (role === 'replicated' && isFollowed) await expectShown(stage.replica);
    return 'done';
  } catch (error) {
    if (proxy.severed) return `died at message ${death?.atMessage}`;
    if (role === 'knex') return `knex: ${String((error as Error).message).slice(0, 60)}`;
    if (isMigrationError(error) && expected.test(error.code)) return error.code;
    throw error;
  }
}

async function playProcess({ database, directory }: Stage, death: Death | undefined): Promise<string> {
  const process = startBoot({ connection: database.url, directory, timeouts });
  if (death !== undefined) {
    await Promise.race([sleep(20 * death.atMessage), process.ended]);
    process.signal(death.when === 'before' ? 'SIGKILL' : 'SIGTERM');
  }
  const { code, signal } = await process.ended;
  return `ended with ${signal ?? code}`;
}

async function playKnex({ database, directory }: Stage, death: Death | undefined): Promise<string> {
  const command = (death?.atMessage ?? 0) % 2 === 0 ? 'migrate:latest' : 'migrate:up';
  const process = startKnex(command, { url: database.url, directory });
  if (death !== undefined) {
    await Promise.race([sleep(30 * death.atMessage), process.ended]);
    process.signal('SIGKILL');
  }
  const { code, signal } = await process.ended;
  return `${command} ended with ${signal ?? code}`;
}

// Nobody takes anything back meanwhile, so what it showed when the call returned it shows still.
async function expectShown(replica: TestDatabase | undefined): Promise<void> {
  const shown = await replica?.query(`select name from knex_migrations order by id`);
  if (shown?.map(({ name }) => name as string).join() !== names.join()) throw new Error(`the replica shows ${JSON.stringify(shown)}`);
}

async function endSessions({ database }: Stage, afterMs: number): Promise<string> {
  await sleep(afterMs);
  const ours = `datname = current_database() and application_name like 'ensure-migrated/%'`;
  const ended = await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${ours}`).catch(() => []);
  return ended.length > 0 ? 'ended a session' : 'found nobody';
}

interface Acting {
  readonly url: string;
  readonly directory: string;
  readonly dead: AbortSignal;
  readonly replica: TestDatabase | undefined;
}

async function act(role: Role, { url, directory, dead, replica }: Acting): Promise<void> {
  const options: Options = {
    connection: url,
    migrations: directory,
    logger: false,
    timeouts,
    signal: dead,
    rules: { 'history-unmanaged': 'off' },
  };
  if (role === 'knex') return await migrateWithKnex(url, directory);
  if (role === 'downgrade') return void (await downgrade(options, { target: { steps: 1 }, yes: true }));
  const replicas = role === 'replicated' && replica ? [{ connection: replica.url, timeoutMs: 3_000 }] : [];
  await ensureMigrated({ ...options, replicas, application: { name: role } });
}

async function migrateWithKnex(url: string, directory: string): Promise<void> {
  const theirs = knex({ client: 'pg', connection: url, pool: { min: 0, max: 1 }, acquireConnectionTimeout: 3_000 });
  try {
    await theirs.migrate.latest({ directory });
  } finally {
    await theirs.destroy();
  }
}

/** The next boots: each comes to head, or refuses with the code that stands in the documents for what is there. */
async function heal(stage: Stage, knexDied: boolean): Promise<readonly string[]> {
  const options: Options = {
    connection: stage.database.url,
    migrations: stage.directory,
    logger: false,
    rules: { 'history-unmanaged': 'off' },
  };
  const steps: string[] = [];
  for (let tries = 0; tries < 6; tries++) {
    try {
      await ensureMigrated({ ...options, timeouts: { lockMs: 1_000 } });
      return steps;
    } catch (error) {
      if (!isMigrationError(error)) throw error;
      steps.push(error.code);
      if (error.code === 'EM_KNEX_LOCKED' && knexDied) await stage.database.query('update knex_migrations_lock set is_locked = 0');
      // Outside a transaction knex keeps no record of what it has begun: a person looks, and removes the index of which nobody knows.
      else if (error.code === 'EM_MIGRATION_FAILED' && knexDied) await stage.database.query('drop index if exists items_id');
      else if (error.code === 'EM_OUT_OF_SYNC') await settle(options, await lookAt(stage.database));
      else if (error.code !== 'EM_LOCK_TIMEOUT') throw error;
    }
  }
  throw new Error(`six boots have not healed it: ${steps.join()}`);
}

// What a person would do about the one that cannot be looked up: he looks whether its row is there.
async function settle(options: Options, look: Look): Promise<void> {
  const name = '4_alone.js';
  if (!look.unfinished.includes(name)) throw new Error(`refused, and nothing is unfinished: ${JSON.stringify(look)}`);
  const isThere = (look.witness[name] ?? 0) > 0;
  const wasGoingDown = look.history.includes(name);
  const action = isThere === wasGoingDown ? 'undone' : 'done';
  await repair(options, { action, migration: name, reason: 'seen by its witness', yes: true });
}
