import type { Call } from '../call.js';
import type { Tables } from '../history/index.js';
import { renderClaim, renderGuard, renderTakeLock } from './guard.js';
import { renderHead, renderSettings } from './head.js';
import type { Range } from './range.js';
import { renderReleaseLock, renderSettle } from './settle.js';
import { renderStep, type ScriptStep } from './step.js';

export interface ScriptRequest {
  readonly call: Call;
  readonly tables: Tables;
  readonly range: Pick<Range, 'direction' | 'standing'>;
  readonly steps: readonly ScriptStep[];
  /** Which release of this library makes the script. */
  readonly madeBy: string;
  /** `must-run`: the database has to stand where the range starts. `skipped`: what is applied already (or taken back) is passed over. */
  readonly done: 'must-run' | 'skipped';
}

/**
 * One script for psql that does what a run of ours does: takes the same lock, sets knex's, refuses a database that stands elsewhere, runs each
 * migration with its history and journal rows, and leaves the owner row so that the next boot finds the database in sync. Pure.
 */
export function renderScript(request: ScriptRequest): string {
  const { steps } = request;
  const body = [renderClaim(request), ...steps.map((step, index) => renderStep(request, step, index)), renderSettle(request)];
  const guarded = [renderGuard(request), ...(request.done === 'skipped' ? whenNeeded(body) : body)];
  const sections = [renderHead(request), renderSettings(request), renderTakeLock(request), ...guarded, renderReleaseLock(request)];
  return `${sections.join('\n\n')}\n`;
}

// The guard has left its transaction open, with the tables that it may have made.
function whenNeeded(body: readonly string[]): string[] {
  return ['\\if :em_needed', ...body, '\\else\nrollback;\n\\endif'];
}
