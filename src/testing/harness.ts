import { upgrade } from '../commands/index.js';
import type { TestDatabase } from './database.js';
import { openDesk, type Desk } from './desk.js';
import type { OnLeak } from './leaks.js';
import { newRun } from './names.js';
import { prepareEmpty, readProject, type MigratingOptions, type Project } from './project.js';
import { readSeed, type Seed } from './seed.js';
import { openServer, type ServerOptions, type TestServer } from './server.js';
import { sweep, sweepOwn } from './sweep.js';
import { prepareTemplate } from './template.js';
import { learnOnce, openClone, openOwn, type Workshop } from './workshop.js';

/** What `startTestDatabases` can be asked. Nothing has to be given: `./migrations`, and an embedded PostgreSQL. */
export interface TestDatabasesOptions extends MigratingOptions, ServerOptions {
  /** Rows that every test finds. */
  readonly seed?: Seed | undefined;
  /** Whatever else the template depends on and nobody can see: what the migrations or the seed import. */
  readonly key?: string | undefined;
  /** What becomes of sessions that a test leaves open. Default `warn`. */
  readonly onLeak?: OnLeak | undefined;
  /** Called with the name of each phase as it begins: `server.starting`, `template.building` and so on. */
  readonly onPhase?: ((phase: string) => void) | undefined;
}

/** Makes test databases for as long as it is not stopped. */
export interface Harness extends AsyncDisposable {
  /** A database at head with the seed in it: a copy of the template. One for each worker, with `reset()` between its tests. */
  acquire(): Promise<TestDatabase>;
  /** An empty database. */
  empty(): Promise<TestDatabase>;
  /** A database at this revision: the name of a migration, or a part of it that only one has. */
  at(revision: string): Promise<TestDatabase>;
  /** Drops all databases of this run but those that are kept, and ends an embedded server. */
  stop(): Promise<void>;
}

/**
 * Starts the harness: finds a server or starts one, drops what dead runs have left, and makes a template at head by `ensureMigrated` itself,
 * or takes the one that is there. Holds one connection. Throws EM_TEST_SERVER, and what `ensureMigrated` throws.
 */
export async function startTestDatabases(options: TestDatabasesOptions = {}): Promise<Harness> {
  const run = await startRun(options);
  return {
    acquire: async () => await openClone(run.workshop),
    empty: async () => await openOwn(run.workshop, async (url) => await prepareEmpty(run.project, url)),
    at: async (revision) => await openOwn(run.workshop, async (url) => await migrateTo(run.project, url, revision)),
    stop: run.stop,
    [Symbol.asyncDispose]: run.stop,
  };
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

/** See {@link startTestDatabases}. */
export async function startRun(options: TestDatabasesOptions): Promise<Run> {
  const tell = options.onPhase ?? (() => undefined);
  const project = await readProject(options);
  tell('server.starting');
  const server = await openServer(options);
  try {
    const desk = await openDesk({ url: server.url, run: newRun(), as: 'owner' });
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
      stop: async () => await (stopping ??= stop(desk, server)),
    };
  } catch (error) {
    await server.remove();
    throw error;
  }
}

/** Reads the migrations and the seed, and makes the template, or takes the one that is there. */
export async function openWorkshop(desk: Desk, options: TestDatabasesOptions): Promise<Workshop> {
  const { key = '', onLeak = 'warn', onPhase: tell = () => undefined, knex } = options;
  const [project, seed] = [await readProject(options), await readSeed(options.seed)];
  const template = await prepareTemplate({ desk, project, seed, key, tell });
  return { desk, template, onLeak, knex, learn: learnOnce(desk) };
}

async function stop(desk: Desk, server: TestServer): Promise<void> {
  try {
    await sweepOwn(desk);
  } finally {
    await desk.link.close();
    await server.remove();
  }
}

async function migrateTo(project: Project, url: string, revision: string): Promise<void> {
  await prepareEmpty(project, url);
  await upgrade(await project.optionsOf(url), { target: { to: revision } });
}
