import { digestOfHistory, recordedChecksums } from './adopt.js';
import { isOther, renderClaimed } from './claim.js';
import { rememberSchema } from './drift.js';
import { findingsError, MigrationError, sqlStateOf } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import { aboutHistory, renderHistoryDelete, renderHistoryInsert, type Attempt, type History } from './history/index.js';
import { accountName, renderStamp } from './journal-rows.js';
import { settleLastRun } from './last-run.js';
import { renderPossession } from './lock.js';
import { advisingForce, prove, withoutProof, type Expected, type Learn, type Proof } from './proof.js';
import { readState } from './read-state.js';
import type { Opened } from './run-call.js';
import { migrationId } from './source/index.js';
import { literal } from './sql.js';
import { changesNothing, planStamp, type Stamping, type StampingRequest } from './stamping.js';
import { underLock, type Claimed, type FullState, type Locked } from './under-lock.js';
import { verifyRun } from './verify.js';

export interface StampRequest extends Pick<StampingRequest, 'target' | 'history'> {
  /** `forced`: what the database says against it is put on record instead of refusing. */
  readonly proof: 'needed' | 'unless-forced' | 'forced';
  readonly learn: Learn;
  /** For the person whom it is refused. */
  readonly refusal: string;
  readonly reason?: string | undefined;
}

/** What a stamp did. Plain data, frozen. Names are those of the history, in its order. */
export interface Stamped {
  /** What was recorded before. */
  readonly before: readonly string[];
  /** What is recorded now. */
  readonly after: readonly string[];
  /** What has a row now and had none. */
  readonly recorded: readonly string[];
  /** What had a row and has none now. */
  readonly unrecorded: readonly string[];
  /** What the database said to it. */
  readonly proof: Proof;
}

/**
 * Makes the history end at a revision without running anything, under the lock and the claim of a boot. What the stamped migrations do is
 * learned before the lock, so that nobody waits for that. Throws EM_PLAN_REFUSED, EM_SCHEMA_DIFFERS when the stamp would lie,
 * EM_SCRATCH_UNAVAILABLE and EM_REPLAY_FAILED when that cannot be found out.
 */
export async function stampDatabase(opened: Opened, request: StampRequest): Promise<Stamped> {
  const learner = new Learner(request);
  await learner.learn(opened, planned(opened, request, await readState(opened)));
  return await underLock(opened, { work: async (locked) => await new Stamp(locked, request, learner).run(locked.history) });
}

/** The same under a lock that is held already, of which it lets go at its end; unless it throws. */
export async function stampLocked(locked: Locked, request: StampRequest): Promise<Stamped> {
  return await new Stamp(locked, request, new Learner(request)).run(locked.history);
}

function planned(
  { migrations }: Pick<Opened, 'migrations'>,
  { target, history }: StampRequest,
  state: Parameters<typeof planStamp>[0]['state'],
): Stamping {
  return planStamp({ target, history, state, migrations });
}

/** Learns what a stamp's migrations do, once as long as it stays the same stamp. */
class Learner {
  private learned: { readonly key: string; readonly expected: Promise<Expected> } | undefined;

  constructor(private readonly request: StampRequest) {}

  async learn(opened: Opened, stamping: Stamping): Promise<Expected | Proof> {
    const key = JSON.stringify([stamping.before, stamping.after]);
    if (this.learned?.key !== key) this.learned = { key, expected: this.request.learn(opened, stamping) };
    try {
      return await this.learned.expected;
    } catch (error) {
      if (this.request.proof === 'forced') return withoutProof(error);
      throw this.request.proof === 'unless-forced' ? advisingForce(error) : error;
    }
  }
}

class Stamp {
  constructor(
    private readonly locked: Locked,
    private readonly request: StampRequest,
    private readonly learner: Learner,
  ) {}

  async run(history: History): Promise<Stamped> {
    const { locked, request } = this;
    const state = await locked.readState(history);
    const stamping = planned(locked, request, state);
    const proof = await this.prove(stamping, history);
    if (changesNothing(stamping)) {
      if (state.settled)
        await locked.release(locked.asBefore()); // it may have been claimed: for what knex has recorded meanwhile
      else await settleLastRun(locked, state, history);
      return stampedOf(stamping, proof);
    }
    const claim = await locked.claim(history);
    if (isOther(state.applied, claim.applied)) return await this.run(await locked.reread()); // knex ran in between
    await this.record(stamping, claim, { state, proof });
    return stampedOf(stamping, proof);
  }

  private async prove(stamping: Stamping, history: History): Promise<Proof> {
    const { locked, request } = this;
    const { call, session, migrations, tables } = locked;
    const opened = { call, session, migrations, tables, history };
    const learned = await this.learner.learn(opened, stamping);
    const proof = 'findings' in learned ? learned : await prove(opened, learned, stamping);
    if (errorsOf(proof.findings).length === 0) return proof;
    if (request.proof !== 'forced') throw findingsError('EM_SCHEMA_DIFFERS', request.refusal, proof.findings);
    return { ...proof, status: 'forced', findings: proof.findings.map(asWarning) };
  }

  private async record(stamping: Stamping, claim: Claimed, { state, proof }: { state: FullState; proof: Proof }): Promise<void> {
    const { call, session, tables, key } = this.locked;
    const { before, after, recorded, unrecorded } = stamping;
    const checksums = recordedChecksums(state.journal);
    const rows = [...this.historyRows(stamping), ...this.journalRows(stamping, checksums, proof)];
    try {
      await aboutHistory(this.locked, session.send([renderPossession(key), renderClaimed(tables, claim.owner), ...rows].join('\n')));
    } catch (error) {
      throw lockLostOr(error);
    }
    for (const { migration } of recorded) checksums.set(migration.id, migration.checksum);
    call.report.info('stamp.recorded', {
      from: before.at(-1),
      to: after.at(-1),
      recorded: recorded.map(({ name }) => name),
      unrecorded,
      proof: proof.status,
    });
    const found = await verifyRun({ call, session, tables, before: claim.owner.before, expected: after });
    this.locked.refuse('EM_VERIFY_FAILED', 'the stamp is recorded, and this is wrong in the database', found);
    await rememberSchema({ call, session, tables, applied: after });
    await this.locked.release({ state: 'clear', before: undefined, ...digestOfHistory(after, checksums) });
  }

  private historyRows({ after, recorded, unrecorded, repeated, moved }: Stamping): string[] {
    const { tables } = this.locked;
    const isNew = new Set(recorded.map(({ name }) => name));
    const rewritten = after.filter((name) => isNew.has(name) || moved.includes(name));
    return [
      ...unrecorded.map((name) => renderHistoryDelete(tables, name)),
      ...repeated.map((names) => renderDeleteRepeated(tables.history, names)),
      ...rewritten.map((name) => (isNew.has(name) ? renderHistoryInsert(tables, name, null) : renderMove(tables.history, name))),
    ];
  }

  private journalRows(
    { recorded, unrecorded, repeated }: Stamping,
    checksums: ReadonlyMap<string, string | undefined>,
    proof: Proof,
  ): string[] {
    const how = proof.status === 'forced' ? { force: true } : {};
    const row = (name: string, detail: Pick<Attempt, 'direction' | 'status' | 'checksum' | 'breaking'>) =>
      renderStamp(this.locked, name, { ...detail, ...how, reason: this.request.reason, by: accountName() });
    return [
      ...recorded.map(({ name, migration: { checksum } }) => row(name, { direction: 'up', status: 'done', checksum, breaking: true })),
      ...unrecorded.map((name) => row(name, { direction: 'down', status: 'undone' })),
      ...repeated.map(([name = '']) =>
        row(name, { direction: 'up', status: 'done', checksum: checksums.get(migrationId(name)), breaking: true }),
      ),
    ];
  }
}

function asWarning(finding: Finding): Finding {
  return finding.level === 'error' ? { ...finding, level: 'warn' } : finding;
}

function stampedOf({ before, after, recorded, unrecorded }: Stamping, proof: Proof): Stamped {
  return Object.freeze({
    before: Object.freeze([...before]),
    after: Object.freeze([...after]),
    recorded: Object.freeze(recorded.map(({ name }) => name)),
    unrecorded: Object.freeze([...unrecorded]),
    proof: Object.freeze({ ...proof, findings: Object.freeze([...proof.findings]) }),
  });
}

// Its batch and its time are kept; knex takes back a batch in the reverse order of the ids.
function renderMove(history: string, name: string): string {
  return `with row as (delete from ${history} where name::text = ${literal(name)} returning name, batch, migration_time)
    insert into ${history} (name, batch, migration_time) select name, batch, migration_time from row;`;
}

function renderDeleteRepeated(history: string, names: readonly string[]): string {
  const those = `name in (${names.map(literal).join(', ')})`;
  return `delete from ${history} where ${those} and id > (select min(id) from ${history} where ${those});`;
}

function lockLostOr(error: unknown): unknown {
  const state = sqlStateOf(error) ?? '';
  const lost = state === 'EMLCK' || state === 'EMKNX'; // raised by renderPossession and renderClaimed
  return lost ? new MigrationError('EM_LOCK_LOST', 'the lock was lost before the stamp was recorded', { cause: error }) : error;
}
