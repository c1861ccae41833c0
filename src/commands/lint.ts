import type { Call } from '../call.js';
import { defaultSmallTableRows, isConnectionGiven, type LintSettings, type Options } from '../config/index.js';
import { isMigrationError, MigrationError } from '../errors.js';
import type { Finding } from '../finding.js';
import { selectFiles, type SelectedFiles } from '../lint-files.js';
import { isCompatible, settleFrom } from '../lint-plan.js';
import { isSpared } from '../lint/index.js';
import { lintMigrations, type JudgedMigration, type LintMigrationsRequest } from '../linted-steps.js';
import { readState } from '../read-state.js';
import { openDatabase, runCall, type Opened } from '../run-call.js';
import { listMigrations, migrationId, type Migration } from '../source/index.js';
import { baselineOf, withoutStamped } from '../state.js';
import type { TracedStatement } from '../trace/index.js';
import type { Trace } from '../traced-steps.js';
import type { PlannedTrace } from './plan.js';

/** What is judged, against what, and how it will be released. */
export interface LintOptions {
  /** Names of migrations, or paths of files. Default: with a database what is pending, without one all, from `lint.from` on. */
  readonly files?: readonly string[] | undefined;
  /** Whether the catalog is asked. Default `ask` where options or environment name a database. */
  readonly database?: 'ask' | 'none' | undefined;
  /**
   * `together`: one boot runs all that is judged, so that nobody uses what one of them has made before the last has ended. `apart`: each may be
   * released alone. Default: `together` with a database, as at a boot; `apart` without one.
   */
  readonly released?: 'together' | 'apart' | undefined;
  /** Runs what is pending in a scratch copy of the schema, and holds what was foreseen against what is seen there. */
  readonly trace?: boolean | undefined;
}

/** What the lint has against migrations. The names and meanings of these fields are kept. */
export interface LintReport {
  /** Whether there is no error. */
  readonly ok: boolean;
  /** Its name; undefined where the text alone was judged. */
  readonly database: string | undefined;
  readonly released: 'together' | 'apart';
  readonly migrations: readonly LintedMigration[];
  readonly totals: { readonly error: number; readonly warn: number; readonly info: number };
  /** How many were passed over, being older than `lint.from`. */
  readonly sparedCount: number;
  /** Where a trace was asked for, and something that is judged is pending. */
  readonly trace: PlannedTrace | undefined;
}

/** One migration that was judged. */
export interface LintedMigration {
  readonly name: string;
  /** Absolute. */
  readonly file: string | undefined;
  /** `outside`: a file that is not among the migrations. `unknown`: there was no database to ask. */
  readonly state: 'pending' | 'applied' | 'outside' | 'unknown';
  /**
   * Whether the lint has seen what would be sent: `approximate` where it has looked at something that statements before it may change, `opaque`
   * where no more is known, also of one that cannot be loaded.
   */
  readonly exactness: 'exact' | 'approximate' | 'opaque';
  /** Why it is not exact. */
  readonly reason: string | undefined;
  /** `trace`: by what it sent in the copy, since it is opaque. */
  readonly judgedBy: 'capture' | 'trace';
  readonly findings: readonly Finding[];
  /** Why code that is older cannot run on what it leaves. */
  readonly breaking: readonly string[];
  /** Whether code that is older can still run: as its config says, else as the lint has seen. */
  readonly compatible: boolean;
  /** Rules that its config opts out of. */
  readonly safe: readonly { readonly rule: string; readonly reason: string }[];
  /** What it sent in the copy, and what that did; undefined where it was not traced. */
  readonly trace: readonly TracedStatement[] | undefined;
}

/**
 * Judges migrations by the rules of the lint: for a review and for CI. Runs their code against a connection that only records. With a database it
 * asks the catalogs and answers the reads of migrations, in transactions that are rolled back, takes no lock and writes nothing; without one it
 * connects to nothing, and says what it could not judge. Also where the option `lint` is false, which is about boots. Throws EM_CONFIG_INVALID for
 * files that are not there, and for a trace without a database; EM_PLAN_REFUSED for a `lint.from` that names no migration. With `trace` see {@link plan}.
 */
export async function lint(options: Options, { files, database, released, trace }: LintOptions = {}): Promise<LintReport> {
  const asked = database ?? (isConnectionGiven(options) ? 'ask' : 'none');
  if (trace && asked === 'none') throw noTrace();
  return await runCall({ ...options, mode: asked === 'ask' ? 'verify' : 'off' }, async (call) => {
    const migrations = await listAsFar(call, files);
    const selected = files && selectFiles(files, migrations);
    const place: Place = { call, lint: settingsOf(call, migrations), migrations, selected };
    return asked === 'ask'
      ? await lintOnline({ ...place, released: released ?? 'together' }, trace)
      : await lintOffline({ ...place, released: released ?? 'apart' });
  });
}

type Judging = Pick<LintReport, 'released'> & Place;

interface Place {
  readonly call: Call;
  readonly lint: LintSettings;
  readonly migrations: readonly Migration[];
  /** Undefined: all that there is to judge. */
  readonly selected: SelectedFiles | undefined;
}

// Files that stand elsewhere need no directory of migrations.
async function listAsFar({ config }: Call, files: LintOptions['files']): Promise<readonly Migration[]> {
  try {
    return await listMigrations(config.migrations);
  } catch (error) {
    if (files === undefined || !isMigrationError(error, 'EM_NO_MIGRATIONS')) throw error;
    return [];
  }
}

// What names no migration would compare as later than most, and spare them in silence.
function settingsOf({ config }: Call, migrations: readonly Migration[]): LintSettings {
  if (config.lint === false) return { smallTableRows: defaultSmallTableRows };
  return settleFrom(config.lint, migrations);
}

async function lintOffline(judging: Judging): Promise<LintReport> {
  const { migrations, selected } = judging;
  const { wanted, spared } = withoutSpared(selected?.listed ?? migrations, judging);
  const last = wanted.at(-1);
  const upToLast = last === undefined ? [] : migrations.slice(0, migrations.indexOf(last) + 1);
  const standing = new Set(upToLast.filter((migration) => !wanted.includes(migration)));
  const request = { ...requestOf(judging), session: undefined };
  const own = await lintMigrations({ ...request, migrations: upToLast, standing });
  const outside = await lintEach(request, selected?.outside ?? []);
  const judged = [...own.map((each) => described(each, 'unknown')), ...outside.map((each) => described(each, 'outside'))];
  return reportOf({ judged, database: undefined, released: judging.released, spared, traced: undefined });
}

async function lintOnline(judging: Judging, trace: LintOptions['trace']): Promise<LintReport> {
  const { call, migrations, selected } = judging;
  await using opened = await openDatabase(call, async () => await Promise.resolve(migrations));
  const state = await readState(opened);
  const stamped = baselineOf(call.config, state, migrations);
  const pending = withoutStamped(state.pending, stamped);
  const { wanted, spared } = withoutSpared(selected?.listed ?? pending, judging);
  const ahead = wanted.filter((migration) => pending.includes(migration));
  const upToLast = pending.slice(0, pending.indexOf(ahead.at(-1) as Migration) + 1);
  const traced = trace && ahead.length > 0 ? await traceOf({ opened, state, stamped, pending: upToLast }) : undefined;
  const request = { ...requestOf(judging), session: opened.session, ...(traced && { tracedOf: lookUp(traced) }) };
  const own = await lintMigrations({ ...request, migrations: upToLast });
  const applied = wanted.filter((migration) => !pending.includes(migration));
  const past = await lintEach(request, applied);
  const outside = await lintEach(request, selected?.outside ?? []);
  const judged = [
    ...past.map((each) => described(each, 'applied')),
    ...own.filter(({ migration }) => ahead.includes(migration)).map((each) => described(each, 'pending', request.tracedOf(each.migration))),
    ...outside.map((each) => described(each, 'outside')),
  ];
  return reportOf({ judged, database: opened.history.facts.database, released: judging.released, spared, traced });
}

async function traceOf(request: Parameters<typeof import('../traced-steps.js').traceSteps>[0] & { readonly opened: Opened }) {
  return await (await import('../traced-steps.js')).traceSteps(request);
}

// The copy's history may have the name in another form.
function lookUp({ migrations, failure }: Trace): LintMigrationsRequest['tracedOf'] {
  return ({ id }) => migrations.find(({ name }) => migrationId(name) === id)?.statements ?? (failure ? undefined : []);
}

function withoutSpared(migrations: readonly Migration[], { call, lint: settings }: Place) {
  const config = { rules: call.config.rules, lint: settings };
  const wanted = migrations.filter((migration) => !isSpared(migration, config));
  return { wanted, spared: migrations.length - wanted.length };
}

function requestOf({ call, lint: settings, released }: Judging): Omit<LintMigrationsRequest, 'session' | 'migrations'> {
  return { call, lint: settings, released, standing: new Set(), tracedOf: () => undefined };
}

// By itself, against what is there.
async function lintEach(
  request: Omit<LintMigrationsRequest, 'migrations'>,
  migrations: readonly Migration[],
): Promise<readonly JudgedMigration[]> {
  const judged: JudgedMigration[] = [];
  const { from: _from, ...settings } = request.lint;
  for (const migration of migrations) judged.push(...(await lintMigrations({ ...request, lint: settings, migrations: [migration] })));
  return judged;
}

function described(
  { migration: { name, file }, captured, judgedBy, findings, breaking }: JudgedMigration,
  state: LintedMigration['state'],
  trace?: LintedMigration['trace'],
): LintedMigration {
  const { exactness, reason } = captured?.capture ?? { exactness: 'opaque', reason: 'it cannot be read' };
  const safe = Object.entries(captured?.step.migration.config.safe ?? {}).map(([rule, reason]) => ({ rule, reason }));
  const compatible = captured !== undefined && isCompatible(captured.step.migration, captured.capture, breaking);
  return { name, file, state, exactness, reason, judgedBy, findings, breaking, compatible, safe, trace };
}

interface Judged extends Pick<LintReport, 'database' | 'released'> {
  readonly judged: readonly LintedMigration[];
  readonly spared: number;
  readonly traced: (Trace & Pick<PlannedTrace, 'madeBy'>) | undefined;
}

function reportOf({ judged, database, released, spared, traced }: Judged): LintReport {
  const findings = judged.flatMap((each) => each.findings);
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const totals = { error: count('error'), warn: count('warn'), info: count('info') };
  const trace = traced && { madeBy: traced.madeBy, failure: traced.failure };
  return freezeDeep({ ok: totals.error === 0, database, released, migrations: judged, totals, sparedCount: spared, trace });
}

function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) for (const each of Object.values(value)) freezeDeep(each);
  return Object.freeze(value);
}

function noTrace(): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', 'a trace needs a server, and no database is asked', {
    remedy: 'Give a connection: the trace runs in a scratch database beside the one that it names. Nothing was changed.',
  });
}
