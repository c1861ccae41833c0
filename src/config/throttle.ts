import { callable, flag, record, refuse, shown, wholeFrom1, type Place, type Reader } from './values.js';

/** What a backfill waits for between two batches. Each limit holds it above, and lets it go on at half of that. */
export interface ThrottleSettings {
  /**
   * How far behind the slowest replica may be, in ms.
   * @default 10000
   * @asType integer
   * @minimum 1
   */
  readonly replicaLagMs: number;
  /**
   * The same in bytes of WAL; undefined: it is not looked at.
   * @asType integer
   * @minimum 1
   */
  readonly replicaLagBytes: number | undefined;
  /**
   * How much WAL the server may keep for its slowest replication slot; undefined: it is not looked at.
   * @asType integer
   * @minimum 1
   */
  readonly slotBacklogBytes: number | undefined;
  /**
   * How many sessions may wait for a lock.
   * @default 20
   * @asType integer
   * @minimum 1
   */
  readonly waitingLocksCount: number;
  /**
   * Whether to wait while autovacuum is at work on the table.
   * @default false
   */
  readonly autovacuum: boolean;
  /**
   * The share of the time in which batches run, above 0, up to 1.
   * @default 1
   * @exclusiveMinimum 0
   * @maximum 1
   */
  readonly duty: number;
  /** Asked before a batch, at most once a second: true, or a reason, to wait. */
  readonly check: (() => ThrottleAnswer | Promise<ThrottleAnswer>) | undefined;
}

/** True, or a reason as text: wait. Anything else: go on. */
export type ThrottleAnswer = boolean | string | undefined;

const defaults: ThrottleSettings = {
  replicaLagMs: 10_000,
  replicaLagBytes: undefined,
  slotBacklogBytes: undefined,
  waitingLocksCount: 20,
  autovacuum: false,
  duty: 1,
  check: undefined,
};

const share: Reader<number> = (value, place) =>
  typeof value === 'number' && value > 0 && value <= 1 ? value : refuse(place, 'a number above 0, up to 1', shown(value));

const read = record<{ [Key in keyof ThrottleSettings]: NonNullable<ThrottleSettings[Key]> }>({
  replicaLagMs: wholeFrom1,
  replicaLagBytes: wholeFrom1,
  slotBacklogBytes: wholeFrom1,
  waitingLocksCount: wholeFrom1,
  autovacuum: flag,
  duty: share,
  check: callable<NonNullable<ThrottleSettings['check']>>(),
});

/** Reads limits; those not given keep their default. `false`: nothing is waited for. */
export function readThrottle(value: unknown, place: Place): ThrottleSettings | false | undefined {
  if (value === false) return false;
  const given = read(value, place);
  return given && Object.freeze({ ...defaults, ...given });
}
