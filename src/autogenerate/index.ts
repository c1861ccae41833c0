/** Writes migrations from the difference between what a model declares and what the migrations make. The only door of this room. */
import { callUnder } from '../call.js';
import type { Finding } from '../finding.js';
import { loadModel } from '../model/index.js';
import { directoryFor, Draft, writeRevision, type Revision, type RevisionOptions } from '../revision/index.js';
import type { Workplace } from '../workplace.js';
import { loadDiffer } from './differ.js';
import { findWay, type Decisions, type NamedStep, type Way } from './find.js';
import { proveFiles } from './gate.js';
import { noteFindings } from './judge.js';
import { renderStep } from './render.js';

export type { Rename } from './renames.js';

/** What a generated migration is called, and what was decided of renames and data loss. */
export interface GenerateRequest extends Omit<RevisionOptions, 'body' | 'stub'>, Decisions {}

/** What was generated. Plain data, frozen. */
export interface Generated {
  /** In the order in which they run; none where nothing differs. */
  readonly migrations: readonly Pick<Revision, 'name' | 'files'>[];
  /** Of the message, and what the lint has against the files, each with the migration that it is about: they are written all the same. */
  readonly findings: readonly Finding[];
}

/**
 * Compares, writes one migration for each lock step, and proves the files in a scratch database, in both directions, before they stay. Throws
 * EM_DIFFER_MISSING, EM_PLAN_REFUSED where rows would be destroyed, EM_DIFF_INCOMPLETE, EM_MODEL_INVALID, EM_REPLAY_FAILED and
 * EM_SCRATCH_UNAVAILABLE; no file is left then.
 */
export async function generate(place: Workplace, request: GenerateRequest): Promise<Generated> {
  const files = await loadModel(place.call.config.schema);
  const way = await findWay({ place, files, differ: await loadDiffer() }, request);
  if (way === undefined) return Object.freeze({ migrations: Object.freeze([]), findings: Object.freeze([]) });
  const { migrations } = place.call.config;
  using draft = Draft.in(directoryFor(migrations, request.directory));
  const drafting = { ...place, call: callUnder(place.call, { migrations: draft.under(migrations) }) };
  const { written, findings } = await writeProved(drafting, way, request);
  draft.publish(written.flatMap(({ files: drafted }) => drafted));
  return Object.freeze({
    migrations: Object.freeze(
      written.map(({ name, files: drafted }) => Object.freeze({ name, files: drafted.map((file) => draft.placeOf(file)) })),
    ),
    findings: Object.freeze(findings.map((finding) => placedBy(draft, finding))),
  });
}

interface Written {
  readonly written: readonly Revision[];
  readonly findings: readonly Finding[];
}

async function writeProved(place: Workplace, way: Way, request: GenerateRequest): Promise<Written> {
  const written: Revision[] = [];
  const findings: Finding[] = [];
  for (const step of way.steps) {
    const revision = await write(place, request, step);
    written.push(revision);
    findings.push(...fillsOf(step, revision));
  }
  const linted = await proveFiles(place, way, written);
  for (const revision of written) findings.push(...(await noteFindings(revision, linted)));
  return { written, findings: [...(written[0]?.findings ?? []), ...findings] };
}

function placedBy(draft: Draft, finding: Finding): Finding {
  const { at } = finding;
  return at?.file === undefined ? finding : { ...finding, at: { ...at, file: draft.placeOf(at.file) } };
}

// What no scratch database shows: it has no rows.
function fillsOf({ up }: NamedStep, { name, files: [file = ''] }: Revision): Finding[] {
  return up.flatMap(({ toFill }) => {
    if (toFill === undefined) return [];
    const message = `the new column ${toFill} is to be NOT NULL and has no default: the rows that are there have no value`;
    const remedy = 'Fill it before this migration runs, in batches and from the code too, or give the column a default in the model.';
    return [{ code: 'autogenerate-fill', level: 'warn', message, remedy, at: { migration: name, file } }];
  });
}

async function write({ call, schema }: Workplace, { message, extension, directory }: GenerateRequest, step: NamedStep): Promise<Revision> {
  const title = step.what === undefined ? message : `${message}: ${step.what}`;
  return await writeRevision(call.config.migrations, { message: title, extension, directory, body: renderStep(step, { schema }) });
}
