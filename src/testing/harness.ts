import { upgrade } from '../commands/upgrade.js';
import { isMigrationError, MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import { bootAtOnce, type Boot, type BootTask } from './boots.js';
import type { TestDatabase } from './database.js';
import { openDesk, type Desk } from './desk.js';
import type { OnIdle, OnLeak } from './leaks.js';
import { newRun } from './names.js';
import { refuseUnsound } from './options.js';
import { prepareEmpty, readProject, type MigratingOptions, type Project } from './project.js';
import { readSeed, type Seed } from './seed.js';
import { openServer, type ServerOptions, type TestServer } from './server.js';
import { sweep, sweepOwn } from './sweep.js';
import { prepareTemplate, type TemplateRequest } from './template.js';
import type { Trace } from '../traced-steps.js';
import { traceMigrations } from './trace.js';
import { upDownUp } from './up-down-up.js';
import { learnOnce, openClone, openOwn, type Workshop } from './workshop.js';

/** What `startTestDatabases` can be asked. Nothing has to be given: `./migrations`, and an embedded PostgreSQL. */
export interface TestDatabasesOptions extends MigratingOptions, ServerOptions {
  /** Rows that every test finds. */
  readonly seed?: Seed | undefined;
  /** Whatever else the template depends on and nobody can see: what the migrations or the seed import. */
  readonly key?: string | undefined;
  /** What becomes of sessions that a test leaves open. Default `warn`. */
  readonly onLeak?: OnLeak | undefined;
  /** What becomes of the application's idle sessions. Default `keep`. */
  readonly onIdle?: OnIdle | undefined;
  /** A failed test keeps its database: by the fixture of vitest, whose message ends with the URL; else by `reset({ failed: true })`. Default false. */
  readonly keepFailed?: boolean | undefined;
  /** Called with the name of each phase as it begins: `server.starting`, `template.building` and so on. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** Makes test databases for as long as it is not stopped. */
export interface Harness extends AsyncDisposable {
  /** The server's. As DATABASE_URL of another process it leads that one to the same server, and to the same template. */
  readonly url: string;
  /** A database at head with the seed in it: a copy of the template. One for each worker, with `reset()` between its tests. */
  acquire(): Promise<TestDatabase>;
  /** An empty database. Needs no migrations. */
  empty(): Promise<TestDatabase>;
  /** A database at this revision: the name of a migration, or a part of it that only one has. */
  at(revision: string): Promise<TestDatabase>;
  /**
   * Runs each migration up, down and up again, and gives a finding for each object that is not what it was. Expect none:
   * `migration-down-differs`, `migration-up-differs`, and `migration-no-down`, which is a warning.
   */
  upDownUp(): Promise<readonly Finding[]>;
  /**
   * Runs all migrations on an empty database, and tells for each statement which locks it took, and what it rewrote, scanned and indexed, of what was
   * there before its migration: `expect(migrations.flatMap(({ statements }) => statements).flatMap(({ rewritten }) => rewritten)).toEqual([])`.
   * With `from`, a revision, only those after it are told.
   */
  trace(order?: { readonly from?: string | undefined }): Promise<Trace>;
  /** Lets `count` processes boot at once on one database, empty or at a revision. One should migrate, and the others find it in sync. */
  raceBoot(count: number, start?: StartingPoint): Promise<Booted>;
  /**
   * Lets a process boot that is killed, as by kill -9, at the `n`-th event of this name (`step.applied`, `lock.taken`; docs/api.md, "Events"), and gives what
   * is left: what does the next boot make of it? Throws EM_TEST_NOT_KILLED where the event was not seen.
   */
  killAt(phase: string, n?: number, start?: StartingPoint): Promise<Booted>;
  /** Releases all that was acquired, drops all databases of this run but those that are kept, and ends an embedded server. */
  stop(): Promise<void>;
}

/** Where a boot begins: in an empty database, or at a revision. */
export interface StartingPoint {
  readonly at?: string | undefined;
}

/** A test database, and the boots that were started on it. */
export interface Booted {
  readonly db: TestDatabase;
  readonly boots: readonly Boot[];
}

/**
 * Starts the harness: finds a server or starts one, drops what dead runs have left, and makes a template at head by `ensureMigrated` itself,
 * or takes the one that is there. Holds one connection. Throws EM_CONFIG_INVALID, EM_TEST_SERVER, and what `ensureMigrated` throws; but for
 * EM_NO_MIGRATIONS, which is thrown by what needs migrations: all but `empty()`.
 */
export async function startTestDatabases(options: TestDatabasesOptions = {}): Promise<Harness> {
  const run = await startRun(options, 'databases');
  const { project, workshop } = run;
  const empty = async () => await openOwn(workshop, async (url) => await prepareEmpty(project, url));
  const at = async (revision: string) => await openOwn(workshop, async (url) => await migrateTo(project, url, revision));
  const boot = async (count: number, start: StartingPoint | undefined, kill?: BootTask['kill']): Promise<Booted> => {
    const db = await (start?.at === undefined ? empty() : at(start.at));
    return { db, boots: await bootAtOnce({ options: await project.optionsOf(db.url), ...(kill && { kill }) }, count) };
  };
  return {
    url: run.server.url,
    acquire: async () => await openClone(workshop),
    empty,
    at,
    upDownUp: async () => {
      await using db = await empty();
      return await upDownUp(project, db.url);
    },
    trace: async (order) => {
      await using db = await empty();
      return await traceMigrations({ project, url: db.url, from: order?.from });
    },
    raceBoot: async (count, start) => await boot(count, start),
    killAt: async (phase, n = 1, start) => {
      const booted = await boot(1, start, { phase, n });
      if (booted.boots[0]?.is !== 'killed') throw notKilled(phase, n);
      return booted;
    },
    stop: run.stop,
    [Symbol.asyncDispose]: run.stop,
  };
}

function notKilled(phase: string, n: number): MigrationError {
  return new MigrationError('EM_TEST_NOT_KILLED', `the process has booted, or failed, without a ${phase} for the time ${n}`);
}

/** A run of tests: its lock is held, its template is there. */
export interface Run {
  readonly server: TestServer;
  readonly project: Project;
  readonly workshop: Workshop;
  /** Builds the template, or takes the one that is there, from what the files say now. */
  prepare(): Promise<Workshop>;
  stop(): Promise<void>;
}

/** See {@link startTestDatabases}. Without a template, where there are no migrations, only where none is `needed`. */
export async function startRun(options: TestDatabasesOptions, needed: 'template' | 'databases'): Promise<Run> {
  refuseUnsound(options);
  const tell = options.onPhase ?? (() => undefined);
  const project = readProject(options);
  if (needed === 'template') await project.list();
  tell('server.starting');
  const server = await openServer(options);
  let opened: Desk | undefined;
  try {
    const desk = (opened = await openDesk({ url: server.url, run: newRun(), as: 'owner' }));
    tell('sweep.started');
    await sweep(desk);
    const workshop = await openWorkshop(desk, options);
    tell('run.ready');
    let stopping: Promise<void> | undefined;
    return {
      server,
      project,
      workshop,
      prepare: async () => await openWorkshop(desk, options),
      stop: async () => await (stopping ??= stop(workshop, server)),
    };
  } catch (error) {
    await opened?.link.close().catch(() => undefined); // and with it goes the lock that says that the run is alive
    await server.remove();
    throw error;
  }
}

/** Reads the migrations and the seed, and makes the template, or takes the one that is there. */
export async function openWorkshop(desk: Desk, options: TestDatabasesOptions): Promise<Workshop> {
  const { key = '', onLeak = 'warn', onIdle = 'keep', keepFailed = false, onPhase: tell = () => undefined, knex } = options;
  const [project, seed] = [readProject(options), await readSeed(options.seed)];
  const template = await templateOrNone({ desk, project, seed, key, tell });
  return { desk, template, onLeak, onIdle, keepFailed, knex, opened: new Set(), learn: learnOnce(desk) };
}

// Who wants empty databases alone may have no migrations: what needs them throws it.
async function templateOrNone(request: TemplateRequest): Promise<Workshop['template']> {
  try {
    const template = await prepareTemplate(request);
    return () => template;
  } catch (error) {
    if (!isMigrationError(error, 'EM_NO_MIGRATIONS')) throw error;
    return () => {
      throw error;
    };
  }
}

async function stop({ desk, opened }: Workshop, server: TestServer): Promise<void> {
  try {
    for (const database of [...opened]) await database.release();
    await sweepOwn(desk);
    await sweep(desk); // a run that died a moment before we started may have had a statement under way, and held its lock until that ended
  } finally {
    await desk.link.close();
    await server.remove();
  }
}

async function migrateTo(project: Project, url: string, revision: string): Promise<void> {
  await prepareEmpty(project, url);
  await upgrade(await project.optionsOf(url), { target: { to: revision } });
}
