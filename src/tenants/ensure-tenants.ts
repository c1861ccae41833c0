import { callUnder, memberCall, type Call } from '../call.js';
import { resolveConfig, type Options, type TenantSettings } from '../config/index.js';
import { isMigrationError, MigrationError, withLine, type Member } from '../errors.js';
import { errorsOf } from '../finding.js';
import { runFleet } from '../fleet.js';
import type { Fields } from '../log.js';
import { nothingToDo, type Outcome } from '../outcome.js';
import { aroundPooler, isPooled } from '../pooler.js';
import { asMigrationError, openDatabase, type Listing, type Opened } from '../run-call.js';
import { openSession } from '../session/index.js';
import { FleetLock, fleetKey } from './fleet-lock.js';
import { optionsOf } from './options.js';
import { isBehind, Surveyor, type Seen } from './survey.js';
import { tell } from './told.js';
import { lockTimedOut, TenantWait } from './waiting.js';

/** What the boot of one history is, and how it is told. */
export interface TenantsRequest {
  readonly options: Options;
  readonly tenants: TenantSettings;
  readonly bootOne: (call: Call, booting: { readonly listing: Listing }) => Promise<Outcome>;
  /** What a log may hold of an error. */
  readonly toldOf: (error: MigrationError) => Fields;
}

/**
 * Brings every tenant to head. Asks first, on one connection and without a lock, which of them are behind: none is the usual case. Otherwise those are
 * booted as single databases are, some at once, under a lock for all of them; a process that waits for it goes on as soon as all are at head.
 * Throws EM_NOT_ALL_MIGRATED with what each came to.
 */
export async function ensureTenants(call: Call, request: TenantsRequest): Promise<Outcome> {
  const names = await waitedFor(call, request.tenants.schemas());
  await using opened = await openDatabase(withoutHistory(call));
  return await new Tenants(request, { ...opened, call }, names).run();
}

// The user's function may hang. That is a wait of the call like any other, which ends with EM_CALL_TIMEOUT.
async function waitedFor<T>(call: Call, work: Promise<T>): Promise<T> {
  const answers: T[] = [];
  const answered = work.then((answer) => answers.push(answer));
  answered.catch(() => undefined); // a call that is stopped does not get to hear it
  while (answers.length === 0) await call.wait(call.patienceMs, answered);
  return answers[0] as T;
}

// What is asked first is the server and the code, no history: that of the application's own schema is not of these tenants.
function withoutHistory(call: Call): Call {
  return callUnder(call, { migrations: { ...call.config.migrations, schemaName: 'pg_catalog' } });
}

class Tenants {
  private readonly surveyor: Surveyor;
  private readonly seen = new Map<string, Seen>();
  private maxConnections = Infinity;
  private backup: string | undefined;

  private readonly call: Call;

  constructor(
    private readonly request: TenantsRequest,
    private readonly opened: Opened,
    private readonly names: readonly string[],
  ) {
    this.call = opened.call;
    this.surveyor = new Surveyor(opened);
  }

  async run(): Promise<Outcome> {
    const { call } = this;
    const behind = await call.report.phase('read', async () => await this.survey(this.names));
    if (behind.length > 0) this.tellBehind(behind.length);
    const members = await this.bring(behind);
    const all = await this.seeToBackfills(members);
    await this.workInBackground(all);
    return tell(call, all, this.backup);
  }

  private async bring(behind: readonly string[]): Promise<readonly Member[]> {
    const { mode } = this.call.config;
    if (mode === 'wait') return await this.waitForAll(behind);
    // A standby lends no lock: there each boot says by itself what is the matter.
    if (behind.length === 0 || mode === 'verify' || this.opened.history.facts.inRecovery) return await this.bootAll(behind);
    return await aroundPooler(this.opened, async (direct) => await this.underLock(direct, behind));
  }

  /** Gives those that are behind. */
  private async survey(names: readonly string[]): Promise<readonly string[]> {
    const { seen, maxConnections } = await this.surveyor.survey(names);
    for (const each of seen) this.seen.set(each.name, each);
    this.maxConnections = Math.min(this.maxConnections, maxConnections);
    return seen.filter(isBehind).map(({ name }) => name);
  }

  private async underLock(direct: Opened, behind: readonly string[]): Promise<readonly Member[]> {
    const { call } = this;
    const pooled = isPooled(direct);
    await using own = pooled ? await openSession(call) : undefined; // what is asked meanwhile is not to be held in its transaction
    const key = fleetKey(call.config.migrations.tableName);
    const lock = new FleetLock({ call, session: own ?? direct.session, key, scope: pooled ? 'xact' : 'session' });
    await lock.session.hold(pooled ? 'pooled' : 'direct', direct.history.facts);
    const wait = new TenantWait({ call, session: direct.session, surveyor: new Surveyor(direct), key }, behind);
    const end = await call.report.phase('lock', () => wait.until(async () => await lock.tryTake()));
    if (end.why === 'timed-out') throw lockTimedOut(end);
    try {
      const still = await this.survey(behind); // with the lock, this is the truth
      if (still.length > 0) await this.backUp(direct, lock);
      return await this.bootAll(still);
    } catch (error) {
      throw this.backup !== undefined && isMigrationError(error) ? withLine(error, `backup: ${this.backup}`) : error;
    } finally {
      await lock.release();
    }
  }

  // Once for the database, before the first tenant is begun.
  private async backUp({ history: { facts } }: Opened, { session, scope }: FleetLock): Promise<void> {
    const { call } = this;
    const settings = call.config.backup;
    if (!settings) return;
    const { takeBackup } = await import('../backup/index.js');
    const request = { call, session, scope, facts, revision: undefined };
    this.backup = (await call.report.phase('backup', async () => await takeBackup(settings, request))).name;
  }

  // What waiting does not mend ends it for all: the boots of those say what it is.
  private async waitForAll(behind: readonly string[]): Promise<readonly Member[]> {
    const { call, surveyor } = this;
    if (behind.length === 0) return await this.bootAll([]);
    const key = fleetKey(call.config.migrations.tableName);
    const wait = new TenantWait({ call, session: this.opened.session, surveyor, key }, behind);
    const first = behind.flatMap((name) => this.seen.get(name) ?? []);
    const { why } = await wait.until((seen) => [...first, ...seen].some(isLasting));
    const still = await this.survey(behind);
    if (why === 'at-head') return still.length === 0 ? await this.bootAll([]) : await this.waitForAll(still);
    return await this.bootAll(still);
  }

  private async bootAll(behind: readonly string[]): Promise<readonly Member[]> {
    const isBegun = new Set(behind);
    const run = async (name: string) => {
      const seen = this.seen.get(name);
      if (seen?.state && !isBegun.has(name)) return nothingToDo(this.call, seen.state);
      if (this.call.config.mode === 'wait' && !isLasting(seen)) throw notWaitedFor(seen, this.call);
      return await this.bootTenant(name, 'manual');
    };
    const atHead = this.names.filter((name) => !isBegun.has(name));
    const all = async () => await this.runAll(run, [...atHead, ...behind]);
    return behind.length === 0 ? await all() : await this.call.report.phase('apply', all);
  }

  private async runAll(run: (name: string) => Promise<Outcome>, order: readonly string[]): Promise<readonly Member[]> {
    const { names, call } = this;
    const { onFailure } = this.request.tenants;
    return await runFleet({ kind: 'tenant', names, order, run, concurrency: this.width(), canary: 0, onFailure, stop: call.stop });
  }

  private tellBehind(behindCount: number): void {
    const { report } = this.call;
    const { concurrency } = this.request.tenants;
    report.info('tenants.behind', { behindCount, ofCount: this.names.length });
    if (concurrency <= this.width()) return;
    report.warn('tenants.narrowed', { concurrency: this.width(), asked: concurrency, maxConnections: this.maxConnections });
  }

  // Each is at work on a connection of its own, and has a second one that looks after it.
  private width(): number {
    return Math.max(1, Math.min(this.request.tenants.concurrency, Math.floor(this.maxConnections / 4)));
  }

  private async bootTenant(name: string, backfills: 'manual' | 'blocking'): Promise<Outcome> {
    const { options, bootOne, toldOf } = this.request;
    const config = { ...resolveConfig(optionsOf(options, name)), backup: false as const, backfills };
    const call = memberCall(this.call, config, { tenant: name });
    try {
      const outcome = await bootOne(call, { listing: () => Promise.resolve(this.opened.migrations) });
      const { status, to, applied, timings } = outcome;
      call.report[status === 'migrated' ? 'info' : 'debug']('tenant.ready', {
        status,
        revision: to,
        appliedCount: applied.length,
        timings,
      });
      return outcome;
    } catch (error) {
      const failure = asMigrationError(call, error);
      call.report.error('tenant.failed', toldOf(failure));
      throw failure;
    }
  }

  // When the lock is let go, since they may take hours.
  private async seeToBackfills(members: readonly Member[]): Promise<readonly Member[]> {
    const { mode, backfills } = this.call.config;
    const how = mode === 'apply' && backfills === 'blocking' ? 'blocking' : 'manual';
    const before = new Map(members.map(({ name, outcome }) => [name, outcome as Outcome]));
    const isDue = (name: string) => (before.get(name)?.backfills ? how === 'blocking' : this.seen.get(name)?.unfinishedBackfills === true);
    const due = new Set(this.names.filter(isDue));
    if (due.size === 0) return members;
    const run = async (name: string) => {
      const outcome = before.get(name) as Outcome;
      if (!due.has(name)) return outcome;
      const { backfills: left } = await this.bootTenant(name, how);
      const { backfills: _, ...rest } = outcome;
      return Object.freeze({ ...rest, ...(left && { backfills: left }) });
    };
    return await this.runAll(run, [...this.names.filter((name) => !due.has(name)), ...due]);
  }

  private async workInBackground(members: readonly Member[]): Promise<void> {
    const { mode, backfills } = this.call.config;
    const names = members.filter(({ outcome }) => outcome?.backfills !== undefined).map(({ name }) => name);
    if (mode !== 'apply' || backfills !== 'background' || names.length === 0) return;
    const { options } = this.request;
    (await import('./backfills.js')).workThroughTenants({ options, names, migrations: this.opened.migrations });
  }
}

// Without a history, as it is before the first migration, and at work: that may pass.
function isLasting(seen: Seen | undefined): boolean {
  return errorsOf(seen?.state?.findings ?? []).length > 0;
}

function notWaitedFor(seen: Seen | undefined, { config }: Call): MigrationError {
  const pending = seen?.state?.pending.map(({ name }) => name) ?? [];
  const what =
    pending.length > 0
      ? `not applied: ${pending.slice(0, 5).join(', ')}`
      : 'it has no history, or the run that migrates it has not ended well';
  return new MigrationError(
    'EM_WAIT_TIMEOUT',
    `nobody has brought it to head, and nothing has moved for ${config.timeouts.lockMs} ms; ${what}`,
  );
}
