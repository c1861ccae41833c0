import type { Call } from '../call.js';
import { mainStream } from '../config/index.js';
import type { MigrationError } from '../errors.js';
import { placed, type Finding } from '../finding.js';
import { outcomeOf, statusOfAll, withFindings, type FailedOutcome, type Outcome, type StreamOutcome } from '../outcome.js';

/** What one segment came to. */
export interface Done {
  readonly stream: string;
  readonly outcome: Outcome;
}

/** One outcome for all streams, each of which is told in it. Pure. */
export function tell(call: Call, done: readonly Done[], timings: Outcome['timings']): Outcome {
  const streams = Object.freeze(streamOutcomes(done));
  const { from, to } = streams.find(({ name }) => name === mainStream) ?? {};
  const backfills = streams.flatMap((stream) => stream.backfills ?? []);
  const whole = outcomeOf(call, {
    status: statusOfAll(done.map(({ outcome }) => outcome)),
    from,
    to,
    applied: done.flatMap(({ outcome }) => outcome.applied),
    backup: done.map(({ outcome }) => outcome.backup).find((backup) => backup !== undefined),
  });
  return Object.freeze({
    ...withFindings(whole, eachOnce(done.flatMap(findingsOf))),
    streams,
    ...(backfills.length > 0 && { backfills: Object.freeze(backfills) }),
    timings: Object.freeze(timings),
  });
}

/** The error of one stream, with what had been done in all of them until then. */
export function tellFailed(error: MigrationError, stream: string, { status: _, ...before }: Outcome): MigrationError {
  if (before.streams?.length === 0) return error;
  const last: Partial<FailedOutcome> = error.outcome ?? {};
  const outcome: FailedOutcome = Object.freeze({
    ...before,
    status: 'failed',
    ...(stream === mainStream && { from: before.from ?? last.from, to: last.to ?? before.to }),
    ...(last.backup !== undefined && { backup: last.backup }),
    applied: Object.freeze([...before.applied, ...(last.applied ?? [])]),
    findings: Object.freeze([...before.findings, ...(last.findings ?? [])]),
  });
  return Object.assign(error, { outcome });
}

function streamOutcomes(done: readonly Done[]): StreamOutcome[] {
  // In the order in which they come to their ends.
  const names = [...new Set(done.map(({ stream }) => stream).reverse())].reverse();
  return names.map((name) => {
    const outcomes = done.filter(({ stream }) => stream === name).map(({ outcome }) => outcome);
    const backfills = outcomes.at(-1)?.backfills;
    return Object.freeze({
      name,
      status: statusOfAll(outcomes),
      from: outcomes[0]?.from,
      to: outcomes.at(-1)?.to,
      applied: Object.freeze(outcomes.flatMap(({ applied }) => applied)),
      ...(backfills && { backfills }),
    });
  });
}

function findingsOf({ stream, outcome }: Done): readonly Finding[] {
  if (stream === mainStream) return outcome.findings;
  return outcome.findings.map((finding) => placed(finding, `stream ${stream}`));
}

// Each segment of a stream finds it.
function eachOnce(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()];
}
