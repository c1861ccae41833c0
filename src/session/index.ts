import type { Knex } from 'knex';
import type pg from 'pg';
import type { Call } from '../call.js';
import type { PgConfig } from '../config/index.js';
import { messageOf, MigrationError } from '../errors.js';
import { identifier } from '../sql.js';
import { bindKnex } from './bound-knex.js';
import { requestCancel } from './cancel.js';
import { connect, connectOnce } from './connect.js';
import { startLease, type Lease } from './lease.js';
import { leaseSettings, renderSettings, sessionSettings, type Setting } from './settings.js';
import { Wire, type Answer, type Message } from './wire.js';

export { isRetryable } from './connect.js';
export { renderSettings, type Setting } from './settings.js';
export { StepConnection, TransactionEnded, type Failure } from './step-connection.js';
export { Wire, type Answer, type Message } from './wire.js';

/** One pinned connection: the lock, the checks and the migrations all run on it, so losing it loses all of them in the same instant. */
export class Session implements AsyncDisposable {
  private lease: Lease | undefined;
  private settings: readonly Setting[] = [];

  constructor(
    private readonly call: Call,
    readonly wire: Wire,
    /** Settings that the user's knex asks for: searchPath and what pool.afterCreate did. */
    readonly userSettings: readonly Setting[],
  ) {}

  /** Sends one statement and gives its rows. Throws what the server said, or EM_LOST_SESSION. */
  async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { results } = await this.send({ text, values });
    return (results.at(-1)?.rows ?? []) as Row[];
  }

  /** Sends one message, which may hold several statements. */
  async send(message: string | Message): Promise<Answer> {
    try {
      return await this.wire.send(message);
    } catch (error) {
      throw this.lostOr(error);
    }
  }

  /** Sends several statements as one message; see {@link Wire.collect}. Throws EM_LOST_SESSION only. */
  async collect(text: string): Promise<{ rows: unknown[][][]; error: unknown }> {
    const answer = await this.wire.collect(text).catch((error: unknown) => ({ rows: [], error }));
    if (this.wire.lost) throw this.lostOr(answer.error);
    return answer;
  }

  /** EM_LOST_SESSION when the connection is gone, with the first thing that was heard of it; else the error as it is. */
  lostOr(error: unknown): unknown {
    const { lost } = this.wire;
    if (!lost) return error;
    const { leaseMs } = this.call.config.timeouts;
    const lag = Math.round(this.lease?.worstLagMs ?? 0);
    const why =
      lag > leaseMs / 2 ? `; the event loop of this process was blocked for ${lag} ms, the lease is ${leaseMs} ms (timeouts.leaseMs)` : '';
    return new MigrationError('EM_LOST_SESSION', `the session with the server was lost: ${messageOf(lost)}${why}`, { cause: lost });
  }

  /**
   * Makes possession a lease: applies the session settings, starts the heartbeat. Behind a pooler nothing is set on the session,
   * which belongs to others; the lease stands in the transaction (SET LOCAL) there.
   */
  async hold(pooled: 'direct' | 'pooled'): Promise<void> {
    const { leaseMs } = this.call.config.timeouts;
    if (pooled === 'direct') {
      this.settings = await this.accepted([...sessionSettings(leaseMs), ...this.userSettings]);
    } else {
      this.settings = [...leaseSettings(leaseMs).slice(1), ...this.userSettings];
    }
    this.lease ??= startLease(this.wire, leaseMs);
  }

  /** The text that puts the session back to what it should be, whatever a migration set. */
  renderSettings(scope: 'session' | 'local' = 'session'): string {
    return renderSettings(this.settings, scope);
  }

  /** Whether a server that loses us mid-statement stops it; off, an orphaned concurrent build ends well and is adopted by the next boot. */
  renderConnectionCheck(how: 'on' | 'off'): string {
    const check = this.settings.filter(([name]) => name === 'client_connection_check_interval');
    return check.length === 0 ? '' : renderSettings(how === 'on' ? check : [['client_connection_check_interval', '0']]);
  }

  // All in one message; only when a server refuses one are they sent one by one, and that one is left out.
  private async accepted(settings: readonly Setting[]): Promise<readonly Setting[]> {
    try {
      await this.wire.send(renderSettings(settings));
      return settings;
    } catch (error) {
      if (this.wire.lost) throw this.lostOr(error);
    }
    const kept: Setting[] = [];
    for (const setting of settings) {
      try {
        await this.wire.send(renderSettings([setting]));
        kept.push(setting);
      } catch (error) {
        if (this.wire.lost) throw this.lostOr(error);
        this.call.report.debug('connect.setting-refused', { setting: setting[0], reason: messageOf(error) });
      }
    }
    return kept;
  }

  /** A knex on this connection, for one step; see {@link bindKnex}. */
  async knex(facade: pg.Client): Promise<Knex> {
    return await bindKnex(facade, this.wire, this.call.config.knex);
  }

  /** Cancels the running statement from the side, without a login. */
  async cancel(): Promise<void> {
    const cancelled = requestCancel(this.wire);
    this.wire.barrier = cancelled;
    await cancelled;
  }

  /** A second connection to the same place; throws what pg throws, without trying again. */
  async openSecond(source: () => Promise<PgConfig>, role: string): Promise<Wire> {
    const application = `ensure-migrated/${this.call.config.application.name}${role}`.slice(0, 63);
    return new Wire(await connectOnce(await source(), application, this.call.stop));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lease?.[Symbol.dispose]();
    await this.wire.close();
  }
}

/** Opens one connection; see {@link connect} for its retries. `direct` uses `directConnection`, which goes around a pooler. */
export async function openSession(call: Call, which: 'connection' | 'directConnection' = 'connection'): Promise<Session> {
  const source = (which === 'directConnection' && call.config.directConnection) || call.config.connection;
  const client = await connect(call, source, '');
  const wire = new Wire(client);
  try {
    return new Session(call, wire, await userSettings(wire, call.config.knex));
  } catch (error) {
    await wire.close();
    throw error;
  }
}

type AfterCreate = (client: pg.Client, done: (error?: Error) => void) => void;

// What an existing project sets on each connection of its pool also holds for its migrations.
async function userSettings(wire: Wire, knex: Knex | undefined): Promise<Setting[]> {
  const config = knex?.client as { config?: { searchPath?: string | string[]; pool?: { afterCreate?: AfterCreate } } } | undefined;
  const settings: Setting[] = [];
  const { searchPath, pool } = config?.config ?? {};
  if (searchPath) settings.push(['search_path', [searchPath].flat().map(identifier).join(', ')]);
  const afterCreate = pool?.afterCreate;
  if (!afterCreate) return settings;
  await new Promise<void>((resolve, reject) => afterCreate(wire.client, (error) => (error ? reject(error) : resolve())));
  const { results } = await wire.send(`select name, setting from pg_catalog.pg_settings where source = 'session'`);
  const rows = (results[0]?.rows ?? []) as { name: string; setting: string }[];
  return [...settings, ...rows.map(({ name, setting }): Setting => [name, setting])];
}
