import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startPgBouncer, pgbouncerAvailable } from '../support/pgbouncer.js';
import { createDatabase, databaseAt, startServer, startStandby, type TestDatabase } from '../support/servers.js';
import { faults, type Fault, type Move } from '../model-checking/moves.js';
import { Replay } from '../model-checking/replay.js';
import { asItIs, type Rules } from '../model-checking/rules.js';
import { search, tracesOf } from '../model-checking/search.js';
import { start, type Way } from '../model-checking/state.js';
import { poll } from '../support/boot.js';
import { Dice } from './dice.js';
import { playTenants } from './tenants-story.js';
import { castOf, makeStory, playChapter, type Stage } from './story.js';

// `npm run soak -- --minutes 30`; CI plays a few chapters. SOAK_SEED repeats one.
const minutes = Number(process.env['SOAK_MINUTES'] ?? 0);
const seeded = process.env['SOAK_SEED'];
const shortCount = 3;

test(
  'whoever dies at whichever message, everything that stays in the database is recorded, and the next boot heals it',
  async () => {
    const until = Date.now() + minutes * 60_000;
    const counts: Record<string, number> = {};
    const setting = await stage();
    let seed = seeded === undefined ? (minutes > 0 ? Date.now() % 1_000_000 : 1) : Number(seeded);
    for (let chapter = 0; minutes > 0 ? Date.now() < until : chapter < shortCount; chapter++, seed++) {
      const { database, crash, ...around } = await setting();
      const dice = new Dice(seed);
      const count = (each: string) => (counts[each] = (counts[each] ?? 0) + 1);
      if (minutes > 0 && dice.roll(4) === 0) {
        const endings = await playTenants(database, dice, crash).catch((error: unknown) => {
          throw new Error(`SOAK_SEED=${seed}: tenants`, { cause: error });
        });
        endings.forEach(count);
        await database.drop().catch(() => undefined);
        continue;
      }
      const scene: Stage = { database, directory: await makeStory(), crash, ...around };
      await database.query('create table witness (name text, what int)');
      await using lag = await lagOf(scene.replica, dice);
      for (let scenes = 0; scenes < 2; scenes++) {
        const cast = castOf(dice, scene);
        const crashAfterMs = crash && dice.roll(8) === 0 ? dice.roll(400) : undefined;
        const { endings, healing } = await playChapter(scene, cast, crashAfterMs).catch((error: unknown) => {
          throw new Error(`SOAK_SEED=${seed}: ${JSON.stringify(cast)}, crash ${crashAfterMs}`, { cause: error });
        });
        [...endings.map((end) => end.replace(/ at message \d+/, '')), ...healing.map((code) => `healed after ${code}`)].forEach(count);
        if (crashAfterMs !== undefined) count('server crashed');
      }
      count('chapters');
      if (minutes > 0) {
        await lag[Symbol.asyncDispose](); // the session that lets replay go on would end with the database
        await database.drop().catch(() => undefined);
        if (chapter % 20 === 0) console.log(seed, JSON.stringify(counts));
      }
    }
    console.log(JSON.stringify(counts));
    expect(counts['chapters']).toBeGreaterThan(0);
  },
  60_000 + minutes * 60_000,
);

// No sampling: every message of a boot of an empty database is the last one once, be it heard by the server or not, alone and beside a second boot.
test.skipIf(minutes === 0)(
  'a boot may die at each of its messages',
  async () => {
    const database = await createDatabase();
    const directory = await makeStory();
    let diedCount = 0;
    for (const others of [0, 1])
      for (const when of ['before', 'after'] as const)
        for (let atMessage = 1, isOver = false; !isOver; atMessage++) {
          await database.query('drop schema public cascade; create schema public; create table witness (name text, what int)');
          const cast = [
            { role: 'boot', death: { atMessage, when } } as const,
            ...Array.from({ length: others }, () => ({ role: 'boot', death: undefined }) as const),
          ];
          const { endings } = await playChapter({ database, directory }, cast).catch((error: unknown) => {
            throw new Error(`${when} message ${atMessage}, beside ${others}`, { cause: error });
          });
          isOver = !endings[0]?.includes('died');
          if (!isOver) diedCount++;
        }
    console.log(`died at ${diedCount} places`);
    expect(diedCount).toBeGreaterThan(100);
  },
  1_200_000,
);

const twoBoots = start('aB', ['up', 'up']);
const bootAndDowngrade = start('aB', ['up', 'down'], 'a');

test('in no order of messages, deaths, crashes and stops does a migration run twice, get lost, or keep the next boot out', () => {
  for (const first of [twoBoots, bootAndDowngrade]) {
    const { states, edges, fault } = search(first, faults);
    expect(fault).toBeUndefined();
    expect(states.size).toBeGreaterThan(5_000);
    expect(edges.length).toBeGreaterThan(4 * states.size);
  }
});

/** `hear 1 x3, die 1`: three messages of process 1 are heard, then it dies. */
function traceOf(text: string): Move[] {
  return text.split(', ').flatMap((each) => {
    const [move = '', times = '1'] = each.split(' x');
    return Array<Move>(Number(times)).fill(move);
  });
}

test.for<[keyof Rules, string, string]>([
  ['rechecks', 'the history is aa', 'hear 1 x6, die 1, hear 2, hear 1, notice 1, hear 2 x6'],
  ['recordsWithIt', 'a ran 1 times, and is recorded 0 times', 'hear 1 x6'],
  ['announces', 'B ran 1 times, and is recorded 0 times', 'hear 1 x10'],
  ['provesPossession', '1 writes the history without the lock', 'hear 1 x6, lose 1, hear 1'],
  ['provesPossessionOfFailed', 'B ran 1 times, and is recorded 0 times', 'hear 1 x8, lose 1, hear 1, hear 2 x7, hear 1, hear 2'],
  ['endsWithSession', 'the next boot never ends', 'hear 1 x4, die 1, hear 2 x4, hear 1, notice 1, die 2, notice 2'],
  ['reclaims', 'the next boot never ends', 'hear 1 x4, die 1, notice 1, die 2, notice 2'],
])('without "%s" the model shows a fault: %s', ([rule, what, trace]) => {
  const { fault } = search(twoBoots, ['die', 'lose'], { ...asItIs, [rule]: false });
  expect(fault).toEqual({ what, trace: traceOf(trace) });
});

test.each([
  [
    'is killed while its COMMIT is on its way, which arrives; the next takes over',
    'hear 1 x6, hear 2, die 1, hear 2, hear 1, hear 2, notice 1, hear 2 x9',
  ],
  ['is killed between a statement and its record', 'hear 1 x10, die 1, hear 2, notice 1, hear 2 x2'],
  ['loses its session, and the server crashes under the next', 'hear 1 x7, sever 1, hear 2 x5, crash'],
  ['is told to stop before and in a migration', 'hear 1 x2, stop 1, hear 1 x3, hear 2 x5, stop 2, hear 2 x3'],
  ['is told to stop while it announces a statement, which it does not send any more', 'hear 1 x8, stop 1, hear 1 x4, hear 2 x9'],
  [
    'loses the lock, and says nothing of what its successor does',
    'hear 1 x8, lose 1, hear 1, hear 2 x7, hear 1, hear 2, hear 1, die 2, notice 2',
  ],
])('a boot %s, as the model has it', { timeout: 20_000 }, async (_, trace) => {
  const replay = await replaying();
  await replay.play(twoBoots, traceOf(trace));
});

let prepared: Promise<Replay> | undefined;
function replaying(): Promise<Replay> {
  return (prepared ??= createDatabase().then(async (database) => await Replay.prepare(database, 'aB')));
}

// Together they go along each move of these graphs; in `--minutes`, as far as they come.
const walks: readonly (readonly [ways: readonly Way[], history: string, possible: readonly Fault[]])[] = [
  ...faults.map((each) => [['up', 'up'], '', [each]] as const),
  ...faults.map((each) => [['up', 'down'], 'a', [each]] as const),
  [['up', 'up'], '', ['die', 'lose']],
  [['up', 'up', 'up'], '', ['die']],
  [['up', 'up', 'up'], '', ['lose']],
  [['up', 'up', 'down'], 'a', ['die']],
];

test.skipIf(minutes === 0).each(walks)(
  '%s from "%s", with %s: the library goes along each move of the model',
  async (ways, history, possible) => {
    const first = start('aB', ways, history);
    const graph = search(first, possible);
    expect(graph.fault).toBeUndefined();
    const replay = await replaying();
    const until = Date.now() + (minutes * 60_000) / walks.length;
    let [played, left] = [0, 0];
    for (const trace of tracesOf(graph)) {
      if (Date.now() > until) left++;
      else await replay.play(first, trace);
      played++;
    }
    console.log(
      `${ways.join()} ${possible.join()}: ${graph.states.size} states, ${graph.edges.length} moves; ${played - left} of ${played} traces played`,
    );
  },
  300_000 + minutes * 60_000,
);

type Setting = () => Promise<{ database: TestDatabase } & Pick<Stage, 'pooledUrl' | 'replica' | 'crash'>>;

// A server of its own is crashed at times; CI has no time for that.
async function stage(): Promise<Setting> {
  if (minutes === 0) return async () => ({ database: await createDatabase() });
  const server = await startServer({ settings: { max_connections: 100, synchronous_commit: 'on' } });
  const standby = await startStandby(server, { settings: { recovery_min_apply_delay: '150ms' } });
  const bouncer = pgbouncerAvailable ? await startPgBouncer(server.url) : undefined;
  const crash = async () => {
    await server.stop('immediate');
    await server.start();
  };
  return async () => {
    const database = await server.createDatabase();
    const replica = databaseAt(standby.url.replace(/postgres$/, database.name));
    return { database, pooledUrl: bouncer?.urlOf(database.url), replica, crash };
  };
}

// Once it has the database: it lags by a moment always, and now and then its replay stands still for longer.
async function lagOf(replica: TestDatabase | undefined, dice: Dice): Promise<AsyncDisposable> {
  await poll(async () => (replica === undefined || (await replica.query('select from witness').catch(() => undefined))) ?? undefined);
  const pausedMs = dice.roll(3) === 0 ? dice.roll(2_000) : 0;
  if (pausedMs > 0) await replica?.query('select pg_wal_replay_pause()');
  const resumed = sleep(pausedMs).then(async () => pausedMs > 0 && (await replica?.query('select pg_wal_replay_resume()')));
  return { [Symbol.asyncDispose]: async () => void (await resumed) };
}
