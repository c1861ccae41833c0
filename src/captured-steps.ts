import { loadMigrations } from './apply/index.js';
import type { Call } from './call.js';
import { captureHeard, captureMigration, type Capture } from './capture/index.js';
import { MigrationError } from './errors.js';
import { compatibilityOf, schemaOf } from './history/index.js';
import { lintSteps } from './lint/index.js';
import { lintStepOf } from './lint-plan.js';
import { planDowngrade, planUpgrade, type Step } from './plan.js';
import { replay } from './replay.js';
import { openDatabase } from './run-call.js';
import { withScratch } from './scratch.js';
import { messagesOf, type Range, type ScriptStep } from './script/index.js';
import type { Message } from './session/index.js';

export interface CapturedStepsRequest {
  readonly call: Call;
  readonly range: Range;
  /** `scratch`: migrations that cannot be captured are run in a scratch database, with those before them. `none`: they are refused. */
  readonly server: 'scratch' | 'none';
}

/**
 * The steps of a script with what each of them sends. Without a server nothing is connected to. Throws EM_SCRIPT_REFUSED for what cannot be
 * known, EM_PLAN_REFUSED for a missing `down`, and with a scratch database what {@link withScratch} and {@link replay} throw.
 */
export async function captureSteps({ call, range, server }: CapturedStepsRequest): Promise<ScriptStep[]> {
  const steps = await planOf(call, range);
  const captured: Captured[] = [];
  for (const step of steps) captured.push({ step, capture: await captureMigration({ call, ...step, reads: 'refused' }) });
  const unknown = captured.some(({ capture }) => capture.exactness !== 'exact');
  const known = unknown && server === 'scratch' ? await captureInScratch(call, range, captured) : captured;
  refuse(known, range, server);
  const breaking = range.direction === 'up' ? await breakingOf(call, known) : undefined;
  return await Promise.all(known.map((each, index) => asStep(each, breaking?.[index])));
}

interface Captured {
  readonly step: Step;
  readonly capture: Capture;
  /** For whoever reads the script. */
  readonly note?: string;
}

async function planOf(call: Call, { direction, migrations }: Range): Promise<readonly Step[]> {
  const loaded = await loadMigrations(call, migrations, direction);
  const options = { transaction: 'each', disableTransactions: call.config.migrations.disableTransactions, pooled: false } as const;
  if (direction === 'up') return planUpgrade({ pending: loaded, applied: [], migrations: [], ...options }).steps;
  return planDowngrade({ undone: loaded.map((migration) => ({ name: migration.name, migration })), ...options }).steps;
}

// A replay only goes up: what cannot be known of a way down stays so.
async function captureInScratch(call: Call, range: Range, captured: readonly Captured[]): Promise<readonly Captured[]> {
  if (range.direction === 'down') return captured;
  const heard = await hear(call, range);
  return await Promise.all(
    captured.map(async (each): Promise<Captured> => {
      if (each.capture.exactness === 'exact') return each;
      const { name, migration, transaction } = each.step;
      const capture = await captureHeard({ file: migration.file, transaction, messages: heard.get(name) ?? [] });
      return { ...each, capture, note: `as it ran in a scratch database without data: ${each.capture.reason}` };
    }),
  );
}

async function hear(call: Call, { standing, migrations }: Range): Promise<ReadonlyMap<string, readonly Message[]>> {
  const heard = new Map<string, Message[]>();
  const onStatement = (name: string, text: string, values: readonly unknown[] | undefined) => {
    heard.set(name, [...(heard.get(name) ?? []), { text, ...(values && { values }) }]);
  };
  await using opened = await openDatabase(call);
  const { session, tables, history } = opened;
  const schema = schemaOf(tables, history.facts);
  const upTo = [...standing, ...migrations];
  await withScratch({ call, session }, async (scratch) => {
    await replay({ call, scratch, migrations: upTo, schema, onStatement }, async () => undefined);
  });
  return heard;
}

function refuse(captured: readonly Captured[], { direction }: Range, server: CapturedStepsRequest['server']): void {
  const unknown = captured.filter(({ capture }) => capture.exactness !== 'exact');
  if (unknown.length === 0) return;
  const lines = unknown.map(({ step, capture }) => `${step.name}: ${capture.reason}`);
  const hopeless = server === 'scratch' || direction === 'down';
  throw new MigrationError(
    'EM_SCRIPT_REFUSED',
    ['what these migrations send cannot be written down without running them:', ...lines].join('\n  '),
    {
      ...(hopeless && { remedy: `Run \`${direction === 'up' ? 'upgrade' : 'downgrade'}\` instead. Nothing was changed.` }),
    },
  );
}

// By the text alone: what a database could tell is on the safe side.
async function breakingOf({ config: { rules, lint } }: Call, captured: readonly Captured[]): Promise<(readonly string[])[] | undefined> {
  if (lint === false) return undefined;
  const request = { config: { rules, lint }, query: undefined, released: 'together', transaction: 'each' } as const;
  const { steps } = await lintSteps({ ...request, steps: captured.map(lintStepOf) });
  return steps.map(({ breaking }) => breaking);
}

async function asStep({ step, capture, note }: Captured, breaking: readonly string[] | undefined): Promise<ScriptStep> {
  const { name, direction, transaction, migration } = step;
  const { checksum, config } = migration;
  const messages = await messagesOf(capture.statements);
  const compatibility = compatibilityOf(config, breaking);
  return { name, direction, checksum, compatibility, transaction, messages, ...(note !== undefined && { note }) };
}
