import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { TestProject } from 'vitest/node';
import { loadConfigFile } from '../config-file/index.js';
import type { Options } from '../config/index.js';
import { messageOf } from '../errors.js';
import { startRun, type Run, type TestDatabasesOptions } from './harness.js';
import { openServer, type TestServer } from './server.js';
import type { Template } from './template.js';
import { ticketKey, writeTicket, type Ticket } from './ticket.js';
import type { Workshop } from './workshop.js';

/** What the setup can be asked beyond what the configuration file of the project says. */
export interface VitestOptions extends TestDatabasesOptions {
  /** Which of several databases this is; see `databaseTest`. Default `default`. */
  readonly name?: string | undefined;
}

type Setup = (project: TestProject) => Promise<() => Promise<void>>;

/** For `globalSetup`: reads the configuration file of the project, and makes test databases for its tests. See {@link setupDatabases}. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  return await setupDatabases()(project);
}

/**
 * A setup with options of its own, for a file that is named in `globalSetup` and exports it as default. In watch mode a changed migration, or
 * a changed seed file, builds the template anew and runs all tests again.
 */
export function setupDatabases(options: VitestOptions = {}): Setup {
  return async (project) => {
    const setting = await readSetting(options, project.config.root);
    const server = await shareServer(setting.harness);
    const run = await startRun({ ...setting.harness, url: server.url }, 'template').catch(async (error: unknown) => {
      await server.leave();
      throw error;
    });
    const working: Working = { project, run, setting, password: server.embedded ? 'shown' : 'masked' };
    await provide(working, run.workshop);
    if (project.vitest.config.watch) watch(working);
    return async () => {
      try {
        await run.stop();
      } finally {
        await server.leave();
      }
    };
  };
}

interface Setting {
  readonly name: string;
  readonly harness: TestDatabasesOptions;
  /** Where the configuration file is whose knex the workers load. */
  readonly configured: string | undefined;
}

async function readSetting({ name = 'default', ...harness }: VitestOptions, directory: string): Promise<Setting> {
  const { file, options } = await loadConfigFile({ directory, environment: harness.environment, flags: migratingOf(harness) });
  const migrations = options.migrations ?? (options.knex === undefined ? path.join(directory, 'migrations') : undefined);
  const configured = file !== undefined && options.knex !== undefined ? directory : undefined;
  return { name, configured, harness: { ...harness, ...migratingOf({ ...options, migrations }) } };
}

// The rest of a configuration is about the real database, and has no say here.
function migratingOf({ migrations, knex, transaction, rules, application, timeouts }: Options): Options {
  const all = { migrations, knex, transaction, rules, application, timeouts };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

interface Working {
  readonly project: TestProject;
  readonly run: Run;
  readonly setting: Setting;
  readonly password: Ticket['password'];
}

async function provide({ project, run, setting, password }: Working, workshop: Workshop): Promise<void> {
  const { name, configured } = setting;
  const ticket = await writeTicket({ ...workshop, url: run.server.url }, { configured, password });
  (project.provide as (key: string, value: unknown) => void)(ticketKey(name), ticket);
}

function watch(working: Working): void {
  const { project, run, setting } = working;
  const { directories } = run.project.config.migrations;
  const { seed } = setting.harness;
  const seeds = seed === undefined || typeof seed === 'function' ? [] : [seed].flat().map(String);
  const places = [...directories, ...seeds.map((each) => path.resolve(each))];
  project.vitest.config.forceRerunTriggers.push(...places.flatMap((place) => [place, `${place}/**`]));
  project.vitest.vite.watcher.add(places);
  project.onTestsRerun(async () => {
    try {
      const buildMs = await rebuildElsewhere(working);
      const workshop = await run.prepare();
      const template = workshop.template();
      await provide(working, { ...workshop, template: () => ({ ...template, buildMs: buildMs ?? template.buildMs }) });
    } catch (error) {
      project.vitest.logger.error(`The test databases are as they were: ${messageOf(error)}`);
    }
  });
}

// What has been imported once stays what it was in this thread. Where options cannot be handed over (a function), it has to do.
async function rebuildElsewhere({ run: { server, workshop }, setting: { harness } }: Working): Promise<Template['buildMs']> {
  const { onPhase: _, knex: _knex, ...options } = harness;
  if (typeof options.seed === 'function' || harness.knex !== undefined) return undefined;
  const worker = new Worker(new URL('./rebuild.js', import.meta.url), { workerData: { url: server.url, run: workshop.desk.run, options } });
  let buildMs: Template['buildMs'];
  worker.once('message', (told: Template['buildMs']) => (buildMs = told));
  await new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
  return buildMs;
}

interface Shared extends TestServer {
  /** The last one to leave stops it. */
  leave(): Promise<void>;
}

type SharedServers = Map<string, { readonly server: Promise<TestServer>; users: number }>;

// Each project of vitest may have this module once more.
const place = Symbol.for('ensure-migrated/vitest/setup');
const shared = ((globalThis as Record<symbol, unknown>)[place] ??= new Map()) as SharedServers;

/** One server for all projects of a run of vitest that want the same. */
async function shareServer({ url, postgres, settings, listen }: TestDatabasesOptions): Promise<Shared> {
  const key = JSON.stringify([url, postgres, settings, listen]);
  const entry = shared.get(key) ?? { server: openServer({ url, postgres, settings, listen }), users: 0 };
  shared.set(key, entry);
  entry.users++;
  const server = await entry.server.catch((error: unknown) => {
    if (shared.get(key) === entry) shared.delete(key);
    throw error;
  });
  const leave = async () => {
    if (--entry.users > 0) return;
    shared.delete(key);
    await server.remove();
  };
  return { ...server, leave };
}
