import type { CapturedStatement } from '../capture/index.js';
import { renderBackfillsDelete, renderHistoryInsert, type Attempt, type AttemptStatus } from '../history/index.js';
import { hashOf, renderScriptedAttempt, renderStatement } from '../journal-rows.js';
import { describeStatement, migrationId, type StatementSummary } from '../source/index.js';
import { jsonLiteral, literal, qualified } from '../sql.js';
import { batch } from './guard.js';
import { idOf } from './names.js';
import { comment, lockTimeout, renderSessionSettings } from './head.js';
import type { ScriptRequest } from './script.js';

/** One migration of a script. */
export interface ScriptStep {
  readonly name: string;
  readonly direction: 'up' | 'down';
  readonly checksum: string | undefined;
  /** What its journal row says of it to releases that do not know it. */
  readonly compatibility: Pick<Attempt, 'breaking' | 'breaks' | 'safe'>;
  readonly transaction: boolean;
  /** For whoever reads the script. */
  readonly note?: string;
  /** What it sends, by messages: the statements of one travel together. */
  readonly messages: readonly ScriptMessage[];
}

export interface ScriptMessage {
  readonly statements: readonly string[];
  /** The text as the migration sends it. */
  readonly sent: string;
  /** For the journal: of migrations outside a transaction. */
  readonly summary: StatementSummary;
}

/** Groups what was captured by its messages. Loads the parser. */
export async function messagesOf(captured: readonly CapturedStatement[]): Promise<ScriptMessage[]> {
  const groups = new Map<number, CapturedStatement[]>();
  for (const statement of captured) groups.set(statement.message, [...(groups.get(statement.message) ?? []), statement]);
  return await Promise.all(
    [...groups.values()].map(async (group) => {
      const sent = group[0]?.sent ?? '';
      return { statements: group.map(({ sql }) => sql), sent, summary: await describeStatement(sent) };
    }),
  );
}

/** One migration with the rows that record it. */
export function renderStep(request: ScriptRequest, step: ScriptStep, index: number): string {
  const { steps, tables, done } = request;
  const title = comment(`${index + 1}/${steps.length} ${step.name}${step.transaction ? '' : ', outside a transaction'}`);
  const note = step.note === undefined ? [] : [comment(step.note)];
  const lines = step.transaction ? renderInTransaction(request, step, index) : renderOutside(request, step, index);
  if (done === 'must-run') return [title, ...note, ...lines].join('\n');
  const there = `exists (select from ${tables.history} where ${idOf('name')} = ${literal(migrationId(step.name))})`;
  const needed = step.direction === 'up' ? `not ${there}` : there;
  return [title, ...note, `select ${needed} as em_needed \\gset`, '\\if :em_needed', ...lines, '\\endif'].join('\n');
}

function renderInTransaction(request: ScriptRequest, step: ScriptStep, index: number): string[] {
  const statements = step.messages.flatMap((message) => message.statements.map(terminated));
  return ['begin;', ...statements, ...renderRecord(request, step, index)];
}

// Each message is announced before it is sent, so that the next boot knows how far a script that stopped has come.
function renderOutside(request: ScriptRequest, step: ScriptStep, index: number): string[] {
  const messages = step.messages.flatMap((message, number) => [
    ...renderAnnouncement(request, step.name, { message, number: number + 1 }),
    ...settled(message.summary, message.statements.map(untilEnd).join('\n\\;\n') + ';'),
  ]);
  return [renderAttempt(request, step, 'started'), ...messages, 'begin;', ...renderRecord(request, step, index)];
}

// A build that is cancelled leaves an invalid index behind: it may wait.
function settled({ kind }: StatementSummary, text: string): string[] {
  return kind.endsWith('index-concurrently') ? ['set lock_timeout = 0;', text, `set lock_timeout = ${literal(lockTimeout)};`] : [text];
}

interface Numbered {
  readonly message: ScriptMessage;
  readonly number: number;
}

// With the hash only where the index will be the migration's own work: one that stands there before is somebody else's.
function renderAnnouncement(request: ScriptRequest, name: string, { message: { sent, summary }, number }: Numbered): string[] {
  const { journal } = request.tables;
  const row = renderStatement(request, name, { number, ...summary });
  if (summary.index === undefined) return [row];
  const index = `pg_catalog.to_regclass(${literal(qualified(summary.index.schema, summary.index.name))})`;
  const own = summary.kind === 'create-index-concurrently' ? `${index} is null` : `${index} is not null`;
  return [
    row,
    `update ${journal} set detail = detail || ${jsonLiteral({ hash: hashOf(sent) })} where id = (select max(id) from ${journal} where kind = 'statement') and ${own};`,
  ];
}

// What the migration has set is put back before anything is written, as after a run.
function renderRecord(request: ScriptRequest, step: ScriptStep, index: number): string[] {
  const { tables, steps } = request;
  const next = steps[index + 1];
  const id = literal(migrationId(step.name));
  return [
    'reset role;',
    'reset session authorization;',
    'reset all;',
    renderSessionSettings(request),
    step.direction === 'up'
      ? renderHistoryInsert(tables, step.name, batch)
      : `delete from ${tables.history} where ${idOf('name')} = ${id};\n${renderBackfillsDelete(tables, `${idOf('migration')} = ${id}`)}`,
    renderAttempt(request, step, 'done'),
    ...(next ? [renderProgress(request, { migration: next.name, step: index + 2 })] : []),
    'commit;',
  ];
}

// Those who wait read here how far we are.
function renderProgress({ tables: { journal } }: ScriptRequest, where: { migration: string; step: number }): string {
  return `update ${journal} set at = clock_timestamp(), detail = detail || ${jsonLiteral(where)} where kind = 'owner';`;
}

function renderAttempt(request: ScriptRequest, step: ScriptStep, status: AttemptStatus): string {
  const { direction, checksum, compatibility, transaction, messages } = step;
  const measured = transaction ? 'measured' : 'unmeasured';
  const attempt = { direction, status, checksum, ...compatibility, statementCount: messages.length, batch, measured } as const;
  return renderScriptedAttempt(request, step.name, attempt);
}

function terminated(sql: string): string {
  return `${untilEnd(sql)};`;
}

// A comment at its end would swallow what comes after it.
function untilEnd(sql: string): string {
  return /--[^\n]*$/.test(sql) ? `${sql}\n` : sql;
}
