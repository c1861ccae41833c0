import type { Knex } from 'knex';
import { stopLimitMs, type Call } from '../call.js';
import type { Connect, PgConfig } from '../config/index.js';
import { messageOf, MigrationError, sqlStateOf } from '../errors.js';
import { applicationName } from './application-name.js';
import { requestCancel } from './cancel.js';
import { connect, connectOnce, given, type Patience } from './connect.js';
import type { Follower, Hear } from './follower.js';
import { startLease, type Lease } from './lease.js';
import { leaseSettings, renderSettings, sessionSettings, transactionSettings, type Setting } from './settings.js';
import { readUserSettings } from './user-settings.js';
import { keepVigil } from './vigil.js';
import { Wire, type Answer, type Message } from './wire.js';

export { applicationName } from './application-name.js';
export { connectAtOnce, isRetryable } from './connect.js';
export { afterSilence } from './lease.js';
export { whenEnded } from './ended.js';
export { guarded, type GuardedQuery } from './guarded.js';
export { atDatabase, readLogin, type Login } from './login.js';
export { renderSettings, type Setting } from './settings.js';
export { describeSessions } from './blockers.js';
export type { Follower, Hear, Sending } from './follower.js';
export { isSubmittable, streamText, type Submittable } from './submittable.js';
export { isPlainText, Wire, type Answer, type Message } from './wire.js';

/** What a recording connection is made of; see offline.ts. Loaded on first use, since a boot has no need of it. */
export async function loadOffline(): Promise<typeof import('./offline.js')> {
  return await import('./offline.js');
}

/** One pinned connection: the lock, the checks and the migrations all run on it, so losing it loses all of them in the same instant. */
export class Session implements AsyncDisposable {
  private lease: Lease | undefined;
  private settings: readonly Setting[] = [];
  private cancelling: Promise<void> | undefined;
  private readonly closing = new AbortController();
  private readonly seconds = new Set<Wire>();
  private connect: Connect | undefined;
  private vigil: Disposable | undefined;
  private direct = false;
  private role = 'none';
  /** Hears each statement that a migration sends, with the migration's name; see {@link Hear}. */
  onStatement: ((migration: string, ...statement: Parameters<Hear>) => void) | undefined;
  /** Follows what migrations send; each message then goes by itself, a script not together with its record. */
  follower: Follower | undefined;

  constructor(
    private readonly call: Call,
    readonly wire: Wire,
    /** Settings that the user asks for: the option searchPath, or that of knex, and what its pool.afterCreate did. */
    readonly userSettings: readonly Setting[],
  ) {
    call.stop.addEventListener('abort', () => this.stop(), { once: true, signal: this.closing.signal });
  }

  // Whatever runs is cancelled, be it ours or a migration's; what does not clean up in time loses the connection, and the lock with it.
  private stop(): void {
    void this.cancel();
    const giveUp = () => [this.wire, ...this.seconds].forEach((wire) => wire.destroy(new Error('told to stop')));
    setTimeout(giveUp, stopLimitMs.session).unref();
  }

  /** How long a statement of our own may wait for a table that somebody has locked. */
  get lockPatienceMs(): number {
    return Math.max(1, Math.round(Math.min(this.call.config.timeouts.lockMs, this.call.patienceMs)));
  }

  /**
   * For statements of our own that follow in the message, and until its transaction ends: nothing of it stays on a session, which may be a pooler's. None of them
   * waits for ever for a table, and no limit that the role has for an application ends them. One statement.
   */
  renderOwn(): string {
    const limits = [['lock_timeout', String(this.lockPatienceMs)] as const, ['statement_timeout', '0'] as const];
    return renderSettings([...this.userSettings, ...limits], 'local');
  }

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

  /**
   * EM_LOST_SESSION when the connection is gone, with the first thing that was heard of it; EM_ABORTED when that, or a cancel, is because we
   * were told to stop; else the error as it is.
   */
  lostOr(error: unknown): unknown {
    const { lost } = this.wire;
    if (this.call.stop.aborted && (lost || sqlStateOf(error) === '57014')) return this.call.stop.reason;
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
  async hold(
    pooled: 'direct' | 'pooled',
    { serverVersion, role }: { readonly serverVersion: number; readonly role: string },
  ): Promise<void> {
    const { leaseMs } = this.call.config.timeouts;
    this.role = role;
    const first = role === 'none' ? this.userSettings : [['role', role] as const, ...this.userSettings]; // ours win
    if (pooled === 'direct') {
      this.direct = true;
      this.settings = await this.accepted([...first, ...sessionSettings(leaseMs, serverVersion)]);
    } else {
      this.settings = [...first, ...transactionSettings(leaseMs, serverVersion)];
    }
    this.lease ??= startLease(this.wire, leaseMs);
  }

  /** The text that puts the session back to what it should be, whatever a migration set. */
  renderSettings(scope: 'session' | 'local' = 'session'): string {
    return renderSettings(this.settings, scope);
  }

  /** Makes the role what it was when the session began, until the end of the transaction. One statement. */
  renderRole(): string {
    return renderSettings([['role', this.role]], 'local');
  }

  /** The lease alone, for the message that opens a step: others are shown its first kilobyte only. */
  renderLease(): string {
    return renderSettings(leaseSettings(this.call.config.timeouts.leaseMs));
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

  /** The user's own instance: what a migration is given has its dialect. */
  get userKnex(): Knex | undefined {
    return this.call.config.knex;
  }

  /** Cancels the running statement from the side, without a login. */
  async cancel(): Promise<void> {
    this.cancelling ??= requestCancel(this.wire).finally(() => (this.cancelling = undefined));
    this.wire.barrier = this.cancelling;
    await this.cancelling;
  }

  /** Gets the connection back from a stream that a migration left open: closes it, and cancels what the server still sends. */
  async endStream(): Promise<void> {
    await this.wire.endStream();
    if (!this.wire.streaming) return;
    await this.cancel();
    await this.wire.endStream();
  }

  /** A second connection; throws what pg throws, without trying again. */
  async openSecond(source: () => Promise<PgConfig>, role: string, patience: Patience = { stop: this.call.stop }): Promise<Wire> {
    const application = applicationName(this.call.config.application.name, role);
    const wire = new Wire(await connectOnce(await given(source, patience), application, patience.stop));
    this.seconds.add(wire);
    void wire.ended.then(() => this.seconds.delete(wire));
    return wire;
  }

  /** From now on no statement waits for ever for a server that cannot be reached; see {@link keepVigil}. */
  lookAfter(source: Connect): void {
    this.connect = source;
    const { wire, call } = this;
    const { leaseMs } = call.config.timeouts;
    this.vigil = keepVigil({
      wire,
      leaseMs,
      open: async (stop) => await this.openSecond(source, '/vigil', { withinMs: leaseMs, stop }),
      backendPid: () => (this.direct ? wire.processId : undefined),
    });
  }

  /** Where this session is connected; asked anew, since credentials may rotate. */
  get source(): Connect {
    return this.connect ?? this.call.config.connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    this.vigil?.[Symbol.dispose]();
    this.lease?.[Symbol.dispose]();
    await this.wire.close();
  }
}

/** Opens one connection; see {@link connect} for its retries. `direct` uses `directConnection`, which goes around a pooler. */
export async function openSession(call: Call, which: 'connection' | 'directConnection' = 'connection', reach = connect): Promise<Session> {
  const source = (which === 'directConnection' && call.config.directConnection) || call.config.connection;
  const client = await reach(call, source, '');
  const wire = new Wire(client);
  try {
    const session = new Session(call, wire, await readUserSettings(wire, call.config));
    session.lookAfter(source);
    return session;
  } catch (error) {
    await wire.close();
    throw error;
  }
}
