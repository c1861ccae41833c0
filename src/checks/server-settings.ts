import type { Asked, BuiltInCheck, Found } from './check.js';
import { numberOf, resetRemedy, type Server } from './server.js';

interface Concern {
  readonly setting: string;
  isWrong(value: string): boolean;
  harm(value: string): string;
}

// What the session sets by itself (statement_timeout and others) is wrong here only behind a pooler, where nothing is set on the session.
const concerns: readonly Concern[] = [
  {
    setting: 'statement_timeout',
    isWrong: (value) => value !== '0',
    harm: (value) => `the server cancels a statement of a migration that takes longer than ${value}`,
  },
  {
    setting: 'transaction_timeout',
    isWrong: (value) => value !== '0',
    harm: (value) => `the server ends our session when a transaction takes longer than ${value}`,
  },
  {
    setting: 'session_replication_role',
    isWrong: (value) => value === 'replica',
    harm: () => 'triggers do not fire and foreign keys are not checked, so migrations write rows that nobody has checked',
  },
  {
    setting: 'standard_conforming_strings',
    isWrong: (value) => value === 'off',
    harm: () => 'a backslash in a plain string of a migration is an escape, which is not what its author saw on other servers',
  },
  {
    setting: 'track_activities',
    isWrong: (value) => value === 'off',
    harm: () => 'sessions do not say what they do, so the holder of a lock cannot be described, and one at work looks idle',
  },
];

/** Is a setting in force that makes migrating unsafe, or makes migrations mean something else? */
export const serverSettings: BuiltInCheck = {
  rule: 'server-settings',
  async find(asked) {
    const server = await asked.readServer();
    const found = concerns.flatMap((concern) => findConcern(concern, server, asked));
    return [...found, ...findLockShortage(server, asked)];
  },
};

function findConcern({ setting, isWrong, harm }: Concern, server: Server, { facts }: Asked): Found[] {
  const value = server.settings[setting]?.value;
  if (value === undefined || !isWrong(value)) return [];
  return [{ message: `${setting} is ${value}: ${harm(value)}`, remedy: resetRemedy(server, setting, facts), names: [setting] }];
}

// A new table with a serial key, a text column and two further indexes takes seven locks until its transaction ends (counted in pg_locks
// on PostgreSQL 18). The table of locks is shared, and has room for about this many objects (documentation, 19.12); past it: 53200.
const locksPerMigration = 7;

function findLockShortage(server: Server, { call, pooled, pending }: Asked): Found[] {
  if (!pooled && call.config.transaction !== 'all') return [];
  const setting = 'max_locks_per_transaction';
  const room = numberOf(server, setting) * (numberOf(server, 'max_connections') + numberOf(server, 'max_prepared_transactions'));
  if (pending.length * locksPerMigration <= room) return [];
  const message = `${pending.length} migrations in one transaction may need more locks than the ${room} that the server has room for (${setting})`;
  const remedy = pooled
    ? 'Give `directConnection`, so that each migration has a transaction of its own, or raise max_locks_per_transaction.'
    : "Use transaction: 'each' for this release, or raise max_locks_per_transaction.";
  return [{ message, remedy, names: [setting] }];
}
