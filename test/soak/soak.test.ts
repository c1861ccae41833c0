import { expect, test } from 'vitest';
import { startPgBouncer, pgbouncerAvailable } from '../support/pgbouncer.js';
import { createDatabase, startServer, type TestDatabase } from '../support/servers.js';
import { Dice } from './dice.js';
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
      const { database, pooledUrl, crash } = await setting();
      const dice = new Dice(seed);
      const scene: Stage = { database, directory: await makeStory(), pooledUrl, crash };
      await database.query('create table witness (name text, what int)');
      for (let scenes = 0; scenes < 2; scenes++) {
        const cast = castOf(dice, scene);
        const crashAfterMs = crash && dice.roll(8) === 0 ? dice.roll(400) : undefined;
        const { endings, healing } = await playChapter(scene, cast, crashAfterMs).catch((error: unknown) => {
          throw new Error(`SOAK_SEED=${seed}: ${JSON.stringify(cast)}, crash ${crashAfterMs}`, { cause: error });
        });
        for (const each of [...endings.map((end) => end.replace(/ at message \d+/, '')), ...healing.map((code) => `healed after ${code}`)])
          counts[each] = (counts[each] ?? 0) + 1;
        if (crashAfterMs !== undefined) counts['server crashed'] = (counts['server crashed'] ?? 0) + 1;
      }
      counts['chapters'] = (counts['chapters'] ?? 0) + 1;
      if (minutes > 0) {
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

type Setting = () => Promise<{ database: TestDatabase; pooledUrl: string | undefined; crash: (() => Promise<void>) | undefined }>;

// A server of its own is crashed at times; CI has no time for that.
async function stage(): Promise<Setting> {
  if (minutes === 0) return async () => ({ database: await createDatabase(), pooledUrl: undefined, crash: undefined });
  const server = await startServer({ settings: { max_connections: 100, synchronous_commit: 'on' } });
  const bouncer = pgbouncerAvailable ? await startPgBouncer(server.url) : undefined;
  const crash = async () => {
    await server.stop('immediate');
    await server.start();
  };
  return async () => {
    const database = await server.createDatabase();
    return { database, pooledUrl: bouncer?.urlOf(database.url), crash };
  };
}
