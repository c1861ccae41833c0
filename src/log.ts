import { tracingChannel } from 'node:diagnostics_channel';
import type { Config, Logger } from './config/index.js';
import { messageOf } from './errors.js';
import type { Phase } from './outcome.js';
import { redact } from './sql.js';

export type Fields = Readonly<Record<string, unknown>>;
type Severity = 'debug' | 'info' | 'warn' | 'error';

/**
 * Tells the logger and `onProgress` what happens. Event names are `phase.event`; the data is in the fields.
 * An observer that throws never breaks a boot.
 */
export interface Report {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** Runs one phase: traces it on the diagnostics channel `ensure-migrated`, logs its duration and adds it to `timings`. */
  phase<T>(name: Phase, run: () => Promise<T>): Promise<T>;
  /** Milliseconds spent in each phase so far. */
  readonly timings: Partial<Record<Phase, number>>;
  /** Waits until the default logger, which is loaded on first need, has written what it was given. Never throws. */
  flush(): Promise<void>;
}

/** Subscribers get start, end, asyncStart, asyncEnd and error with `{ phase, run }`, as node:diagnostics_channel documents. */
const phases = tracingChannel<unknown, { phase: Phase; run: string }>('ensure-migrated');

export function createReport(config: Config, run: string): Report {
  const logger = createLog(config.logger);
  const tell: Tell = (severity, event, fields = {}) => {
    const told = { event, run, ...masked(fields) };
    observe('the logger', event, () => logger.write(severity, event, { ...told }));
    observe('onProgress', event, () => config.onProgress?.({ ...told }));
  };
  return reportOf(tell, run, () => logger.flush());
}

// A reason is what somebody has thrown, maybe with a connection string in it.
function masked(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]));
}

/** The same voice for one of several: each event carries `fields` that say which, and its own `run`; the durations are its own. */
export function memberReport(report: Report, run: string, fields: Fields): Report {
  return reportOf(
    (severity, event, more) => report[severity](event, { ...more, ...fields, run }),
    run,
    () => report.flush(),
  );
}

type Tell = (severity: Severity, event: string, fields?: Fields) => void;

function reportOf(tell: Tell, run: string, flush: Report['flush']): Report {
  const timings: Partial<Record<Phase, number>> = {};
  return {
    debug: (event, fields) => tell('debug', event, fields),
    info: (event, fields) => tell('info', event, fields),
    warn: (event, fields) => tell('warn', event, fields),
    error: (event, fields) => tell('error', event, fields),
    async phase(name, work) {
      const started = performance.now();
      tell('debug', `${name}.started`);
      try {
        return await phases.tracePromise(work, { phase: name, run });
      } finally {
        const ms = performance.now() - started;
        timings[name] = (timings[name] ?? 0) + ms;
        tell('debug', `${name}.ended`, { ms: Math.round(ms) });
      }
    },
    timings,
    flush,
  };
}

/** A logger, for the options of a call within a call, that speaks through this report, with `fields` on each of its lines. */
export function loggerThrough(report: Report, fields: Fields): Logger {
  const tell = (severity: Severity) => (told: object, event: string) => report[severity](event, { ...told, ...fields });
  return { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
}

// What they throw, now or later, becomes a warning of the process.
function observe(who: string, event: string, tell: () => unknown): void {
  const warn = (error: unknown) => process.emitWarning(`${who} threw at ${event}: ${redact(messageOf(error))}`, 'EnsureMigratedWarning');
  try {
    Promise.resolve(tell()).catch(warn);
  } catch (error) {
    warn(error);
  }
}

interface Log {
  write(severity: Severity, event: string, fields: Fields): unknown;
  /** Never throws. */
  flush(): Promise<void>;
}

const silent: Log = { write: () => undefined, flush: () => Promise.resolve() };

function createLog(logger: Logger | false | undefined): Log {
  if (logger === false) return silent;
  if (logger === undefined) return createDefaultLog();
  return { ...silent, write: (severity, event, fields) => logger[severity](fields, event) };
}

// pino costs 24 ms to load, which an up-to-date boot should not pay: it has nothing to say above debug.
function createDefaultLog(): Log {
  let loading: Promise<Logger> | undefined;
  let loaded: Logger | undefined;
  let written: Promise<unknown> = Promise.resolve();
  return {
    write(severity, event, fields) {
      if (severity === 'debug') return undefined;
      if (loaded) return loaded[severity](fields, event);
      // Written at once: a line that is told while the process exits would be lost on its way.
      loading ??= import('pino').then(({ pino }) => (loaded = pino({ name: 'ensure-migrated' }, pino.destination({ sync: true }))));
      const pending = loading;
      const line = written.then(async () => (await pending)[severity](fields, event));
      written = line.catch(() => undefined);
      return line;
    },
    async flush() {
      await written;
    },
  };
}
