import { refuse, record, shown, type Reader } from './values.js';

interface TimeoutRow {
  readonly default: number;
  readonly least?: number;
  readonly sentence: string;
}

/** Every duration, in milliseconds. */
export const timeoutTable = {
  connectMs: { default: 30_000, sentence: 'How long connecting is retried in all.' },
  lockMs: {
    default: 60_000,
    sentence: "How long to wait for the lock since its holder's last progress; a statement that still runs is progress.",
  },
  callMs: { default: 600_000, sentence: 'How long the whole call may wait; the time of its own running statements does not count.' },
  harmMs: {
    default: 500,
    sentence: 'How much waiting, summed over all sessions, one try of a statement may cause before it is cancelled and tried again.',
  },
  silenceMs: { default: 60_000, sentence: 'How long a migration may go without any statement before it counts as stalled.' },
  leaseMs: {
    default: 15_000,
    least: 1000,
    sentence: 'How long a holder that cannot be reached keeps its session. Raise it for a debugger.',
  },
} as const satisfies Record<string, TimeoutRow>;

/** Durations in milliseconds. */
export type Timeouts = { readonly [Name in keyof typeof timeoutTable]: number };

/** Durations in milliseconds, as they are given. docs/options.md has the default of each. */
export type TimeoutsInput = { readonly [Name in keyof Timeouts]?: number | undefined };

/** Beyond it, Node's timers fire at once. */
export const greatestMs = 2 ** 31 - 1;

/** Reads durations; those not given keep their default. */
export const readTimeouts: Reader<Timeouts> = (value, place) => {
  const given = record<Timeouts>(readers)(value, place);
  return Object.freeze({ ...defaults, ...given });
};

const names = Object.keys(timeoutTable) as (keyof Timeouts)[];
const defaults = Object.fromEntries(names.map((name) => [name, timeoutTable[name].default])) as unknown as Timeouts;
const readers = Object.fromEntries(names.map((name) => [name, milliseconds(timeoutTable[name])])) as Record<keyof Timeouts, Reader<number>>;

function milliseconds({ least = 1 }: TimeoutRow): Reader<number> {
  return (value, place) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= greatestMs) return value;
    return refuse(place, `milliseconds, a whole number from ${least} to ${greatestMs}`, shown(value));
  };
}
