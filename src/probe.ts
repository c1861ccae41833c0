import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProgressEvent } from './config/index.js';
import type { ErrorCode } from './errors.js';
import { phases, type Phase } from './outcome.js';

/** `start` before the first event of a boot, `ready` and `failed` after its last. */
export type ProbePhase = 'start' | Phase | 'ready' | 'failed';

/** The session that migrates while this process waits, as the event `lock.waiting` names it. */
export type ProbeHolder = Readonly<Record<string, unknown>>;

/** What a boot is doing right now, for health endpoints. Everything but `onProgress` and `handler` is read-only and always current. */
export interface Probe {
  /** False only after a failed boot: a process that waits or migrates is healthy and must not be killed for it. */
  readonly live: boolean;
  /** True once the database matches the code. */
  readonly ready: boolean;
  readonly phase: ProbePhase;
  /** When the phase began. */
  readonly since: Date;
  /** The migration that runs, the `step`th `of` those pending. Undefined while nothing runs here. */
  readonly migration: string | undefined;
  readonly step: number | undefined;
  readonly of: number | undefined;
  /** Who is waited for. Undefined while nobody is, or as long as it is not known. */
  readonly holder: ProbeHolder | undefined;
  /** How the boot ended: the outcome's status. */
  readonly status: string | undefined;
  /** Why it failed. */
  readonly code: ErrorCode | undefined;
  /** To be given to `ensureMigrated({ onProgress })`, or to `ensureAllMigrated`. Bound: it can be passed on as it is. */
  readonly onProgress: (event: ProgressEvent) => void;
  /**
   * Answers GET and HEAD of a path that ends in /live, /ready or /startup: 200, or 503 while it is not so; all others get 404.
   * The JSON body holds the phase, the step, the holder and the error's code: no SQL, no message, no secret. Never throws. Bound.
   */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
}

interface State {
  readonly phase: ProbePhase;
  readonly since: Date;
  readonly migration?: string | undefined;
  readonly step?: number | undefined;
  readonly of?: number | undefined;
  readonly holder?: ProbeHolder | undefined;
  readonly status?: string | undefined;
  readonly code?: ErrorCode | undefined;
}

/**
 * An object that follows one boot through `onProgress`, so that a health endpoint can answer before, during and after the migration.
 * Holds no connection and no timer. A second boot with the same probe starts it over.
 *
 * ```js
 * const probe = createProbe();
 * http.createServer(probe.handler).listen(8080);
 * await ensureMigrated({ onProgress: probe.onProgress });
 * ```
 */
export function createProbe(): Probe {
  let state: State = { phase: 'start', since: new Date() };
  const probe: Probe = {
    get live() {
      return state.phase !== 'failed';
    },
    get ready() {
      return state.phase === 'ready';
    },
    get phase() {
      return state.phase;
    },
    get since() {
      return state.since;
    },
    get migration() {
      return state.migration;
    },
    get step() {
      return state.step;
    },
    get of() {
      return state.of;
    },
    get holder() {
      return state.holder;
    },
    get status() {
      return state.status;
    },
    get code() {
      return state.code;
    },
    onProgress(event) {
      state = follow(state, event);
    },
    handler: (req, res) => answer(probe, req, res),
  };
  return probe;
}

/** The state after an event. Pure but for the clock. Events that say nothing new about the phase leave the state as it is. */
function follow(state: State, event: ProgressEvent): State {
  // Who works on backfills afterwards speaks with the same voice: that it connects again says nothing of the boot.
  const isOver = state.phase === 'ready' || state.phase === 'failed';
  if (isOver && !/^(boot|databases)\./.test(event.event)) return state;
  // Of several databases only all of them together are ready, or have failed.
  if (event['database'] !== undefined && /^boot\.(ready|failed)$/.test(event.event)) return state;
  switch (event.event) {
    case 'boot.started':
      return { phase: 'start', since: new Date() };
    case 'connect.waiting':
      return enter(state, 'connect');
    case 'lock.waiting':
      return { ...enter(state, 'lock'), holder: recordOf(event.holder) };
    case 'lock.taken':
    case 'lock.knex-waiting':
      return enter(state, 'lock');
    case 'plan.made':
      return { ...state, of: numberOf(event.of) };
    case 'step.started':
      return { ...enter(state, 'apply'), ...stepOf(event) };
    case 'boot.ready':
    case 'databases.ready':
      return { ...enter(state, 'ready'), of: undefined, status: textOf(event.status) };
    case 'boot.failed':
    case 'databases.failed':
      return { ...enter(state, 'failed'), migration: state.migration, step: state.step, code: textOf(event.code) as ErrorCode | undefined };
    default:
      return followPhase(state, event);
  }
}

// `check.started` and the like, as the report tells of each phase.
function followPhase(state: State, { event }: ProgressEvent): State {
  const phase = phases.find((name) => event === `${name}.started`);
  return phase === undefined ? state : enter(state, phase);
}

function stepOf(event: ProgressEvent): Pick<State, 'migration' | 'step' | 'of'> {
  return { migration: textOf(event.migration), step: numberOf(event.step), of: numberOf(event.of) };
}

// What belonged to the phase before is gone; the number of steps outlives it.
function enter(state: State, phase: ProbePhase): State {
  return { phase, since: state.phase === phase ? state.since : new Date(), of: state.of };
}

function answer(probe: Probe, req: IncomingMessage, res: ServerResponse): void {
  if (res.headersSent || res.writableEnded) return;
  const healthy = healthOf(probe, req);
  const body = healthy === undefined ? { error: 'not found' } : describe(probe);
  res.statusCode = healthy === undefined ? 404 : healthy ? 200 : 503;
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.setHeader('cache-control', 'no-store');
  res.end(JSON.stringify(body));
}

function healthOf(probe: Probe, req: IncomingMessage): boolean | undefined {
  if (req.method !== 'GET' && req.method !== 'HEAD') return undefined;
  const path = (req.url ?? '').replace(/[?#].*$/s, '').replace(/\/$/, '');
  if (path.endsWith('/live')) return probe.live;
  return path.endsWith('/ready') || path.endsWith('/startup') ? probe.ready : undefined;
}

function describe({ live, ready, phase, since, migration, step, of, holder, status, code }: Probe): object {
  return { live, ready, phase, since, migration, step, of, holder: holder && describeHolder(holder), status, code };
}

// Named one by one: what the holder runs right now (`statement`) may hold values, and health endpoints are often open to everyone.
const shown = ['pid', 'application', 'host', 'since', 'migration', 'step', 'of'] as const;

function describeHolder(holder: ProbeHolder): object {
  return Object.fromEntries(shown.map((key) => [key, plainOf(holder[key])]));
}

function plainOf(value: unknown): string | number | Date | undefined {
  return typeof value === 'string' || typeof value === 'number' || value instanceof Date ? value : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function recordOf(value: unknown): ProbeHolder | undefined {
  return typeof value === 'object' && value !== null ? (value as ProbeHolder) : undefined;
}
