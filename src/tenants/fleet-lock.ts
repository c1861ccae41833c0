import { createHash } from 'node:crypto';
import type { Call } from '../call.js';
import { messageOf } from '../errors.js';
import { renderTryLock, type LockKey } from '../history/index.js';
import { lockNamespace, renderRelease } from '../lock.js';
import type { Session } from '../session/index.js';

interface Parts {
  readonly call: Call;
  readonly session: Session;
  readonly key: LockKey;
  /** `xact` behind a pooler: the lock lives in a transaction that does nothing else, on a session of its own. */
  readonly scope: 'session' | 'xact';
}

/** One lock for all tenants of a database, so that two deploys do not interleave; each tenant has its own besides, which is what keeps it safe. */
export class FleetLock {
  readonly session: Session;
  readonly scope: Parts['scope'];
  private taken = false;

  constructor(private readonly parts: Parts) {
    ({ session: this.session, scope: this.scope } = parts);
  }

  /** Tries, and does not wait. The session has its settings already. */
  async tryTake(): Promise<boolean> {
    const { session, scope } = this;
    const begin = scope === 'session' ? '' : `begin isolation level read committed; ${session.renderSettings('local')}`;
    const { results } = await session.send(`${begin} select ${renderTryLock(this.parts)} as locked`);
    this.taken = (results.at(-1)?.rows[0] as { locked: boolean }).locked;
    if (!this.taken && scope === 'xact') await session.send('rollback');
    return this.taken;
  }

  /** What goes wrong here is logged: the lock ends with its session. */
  async release(): Promise<void> {
    const {
      session,
      scope,
      parts: { call, key },
    } = this;
    if (!this.taken || session.wire.lost) return;
    try {
      await session.send(scope === 'session' ? renderRelease(key, scope) : 'commit');
      this.taken = false;
    } catch (failure) {
      call.report.warn('release.failed', { reason: messageOf(failure) });
    }
  }
}

/** The key of the lock for all tenants whose histories have this table name. No schema can have the zero bytes in it. */
export function fleetKey(tableName: string): LockKey {
  return { namespace: lockNamespace, key: createHash('sha256').update(`\0tenants\0${tableName}`).digest().readInt32BE(0) };
}
