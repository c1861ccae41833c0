import { literal } from '../sql.js';

export type Setting = readonly [name: string, value: string];

/**
 * What a migrating session is set to, whatever the role or the database says. All of them exist on PostgreSQL 14 and later;
 * a platform can refuse one (client_connection_check_interval off Linux), which is then left out.
 */
export function sessionSettings(leaseMs: number, serverVersion: number): readonly Setting[] {
  const lease = String(leaseMs);
  return [
    ['tcp_keepalives_idle', '30'],
    ['tcp_keepalives_interval', '10'],
    ['tcp_keepalives_count', '3'],
    ['tcp_user_timeout', lease],
    ['client_connection_check_interval', '1000'], // a killed migrator: 0.7 s until its statement stops, instead of its whole run
    ['statement_timeout', '0'],
    ['lock_timeout', '0'],
    ...(serverVersion >= 170000 ? [['transaction_timeout', '0'] as const] : []),
    ['default_transaction_isolation', 'read committed'],
    ['default_transaction_read_only', 'off'],
    ['synchronous_commit', 'on'],
    ...leaseSettings(leaseMs),
  ];
}

/** What of it holds behind a pooler, for one transaction: the session belongs to others, and the socket is the pooler's. */
export function transactionSettings(leaseMs: number, serverVersion: number): readonly Setting[] {
  const local = ['statement_timeout', 'transaction_timeout', 'synchronous_commit', 'idle_in_transaction_session_timeout'];
  return sessionSettings(leaseMs, serverVersion).filter(([name]) => local.includes(name));
}

/** The lease: the server ends this session by its own clock when we fall silent. */
export function leaseSettings(leaseMs: number): readonly Setting[] {
  return [
    ['idle_session_timeout', String(leaseMs)],
    ['idle_in_transaction_session_timeout', String(leaseMs)],
  ];
}

/** One statement that applies them all; `local` holds until the end of the transaction. set_config, because SET takes no list as a string. */
export function renderSettings(settings: readonly Setting[], scope: 'session' | 'local' = 'session'): string {
  const calls = settings.map(([name, value]) => `pg_catalog.set_config(${literal(name)}, ${literal(value)}, ${scope === 'local'})`);
  return `select ${calls.join(', ')};`;
}
