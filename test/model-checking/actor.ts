import { downgrade } from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type Options } from '../../src/index.js';
import { HoldingProxy } from './holding-proxy.js';
import type { Process } from './state.js';

/** What can be seen from outside of a state: of the model's, or of the database and the proxies. */
export type Seen = Record<string, unknown>;

export const quiet: Options = { logger: false, rules: { 'history-unmanaged': 'off' }, timeouts: { leaseMs: 60_000 } };

/** One real process of the model: a call of the library, behind a proxy that holds its messages. */
export class Actor implements AsyncDisposable {
  private readonly told = new AbortController();
  private end = '';
  private ended: Promise<void> = Promise.resolve();
  private isDead = false;

  private constructor(
    private readonly process: Process,
    private readonly proxy: HoldingProxy,
  ) {}

  static async start(process: Process, url: string, directory: string): Promise<Actor> {
    let looks = 0;
    const proxy = await HoldingProxy.start(url, (sql) => stepOf(sql, () => ++looks));
    const actor = new Actor(process, proxy);
    const application = { name: `p${process.run}` };
    const options: Options = { ...quiet, connection: proxy.url, migrations: directory, application, signal: actor.told.signal };
    const call = process.way === 'up' ? ensureMigrated(options) : downgrade(options, { target: { steps: 1 }, yes: true });
    actor.ended = call.then(
      () => void (actor.end = 'ready'),
      (error: unknown) => void (actor.end = endOf(error)),
    );
    await actor.settle();
    return actor;
  }

  get pid(): number {
    return this.proxy.pid;
  }

  async settle(): Promise<void> {
    if (!this.isDead) await Promise.race([this.proxy.held(), this.ended]);
  }

  async act(what: 'hear' | 'die' | 'notice' | 'stop' | 'lose'): Promise<void> {
    const { proxy } = this;
    if (what === 'lose') await proxy.slipIn('select pg_catalog.pg_advisory_unlock_all()');
    else if (what === 'notice') proxy.notice();
    else if (what === 'die') {
      this.isDead = true;
      proxy.die();
      this.told.abort();
    } else if (what === 'stop') {
      const cancelled = proxy.nextCancel();
      this.told.abort();
      await cancelled;
    } else {
      await proxy.release();
      await this.settle();
    }
  }

  shown({ sessions }: Seen): Seen {
    const session = (sessions as Record<string, string>)[`ensure-migrated/p${this.process.run}`];
    const client = this.isDead ? 'dead' : this.end || 'alive';
    return { client, backend: session ? 'alive' : 'gone', at: session ? this.proxy.step : '', isOpen: session === 'idle in transaction' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.told.abort();
    await this.proxy[Symbol.asyncDispose]();
    await this.ended;
  }
}

function endOf(error: unknown): string {
  const code = isMigrationError(error) ? error.code : String(error);
  const ends = {
    EM_OUT_OF_SYNC: 'refused',
    EM_PLAN_REFUSED: 'refused',
    EM_LOCK_LOST: 'failed',
    EM_LOST_SESSION: 'lost',
    EM_ABORTED: 'aborted',
  };
  return ends[code as 'EM_ABORTED'] ?? code;
}

/** Which step of the model a message is. */
function stepOf(sql: string, nextLook: () => number): string | undefined {
  const migration = /'\d_(\w)\.js'/.exec(sql)?.[1] ?? /effects values \('(\w)', -?1\)/.exec(sql)?.[1] ?? '';
  const step = steps.find(([, sign]) => sign.test(sql))?.[0];
  if (step === 'look' && nextLook() > 1) return undefined; // it is what a run reads once more at its end
  return step && (ofMigration.has(step) ? `${step} ${migration}` : step);
}

const steps: readonly (readonly [string, RegExp])[] = [
  ['look', /select false, pg_catalog\.pg_backend_pid/],
  ['lock', /pg_try_advisory_lock/],
  ['claimed', /build_object\('flag'/],
  ['claim', /^begin[^;]*;[^;]*; lock table .*knex_migrations_lock/],
  ['record', /^(begin[^;]*;\s*)?reset role;[\s\S]*"status":"done"[\s\S]*commit;$/],
  ['begin', /"status":"started"/],
  ['undone', /"status":"(undone|failed)"/],
  ['unfinished', /"status":"unfinished"/],
  ['refuse', /'statement', '\d_.*"failed":true/],
  ['announce', /'statement', '\d_/],
  ['body', /^[\s\S]*begin[\s\S]*insert into effects values \('\w/],
  ['statement', /^insert into effects/],
  ['owner', /^insert into [^;]*'owner'/],
  ['release', /pg_advisory_unlock/],
];
const ofMigration = new Set(['record', 'begin', 'undone', 'unfinished', 'announce', 'refuse', 'body', 'statement']);
