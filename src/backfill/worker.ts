import type { Call } from '../call.js';
import { messageOf } from '../errors.js';
import type { Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { jsonLiteral, literal } from '../sql.js';
import { changeRows, readPage, type BatchRequest, type OpenRange, type Page } from './batch.js';
import type { Backfill } from './definition.js';
import { refusalOf } from './definitions.js';
import { errorOf, kindOf } from './failure.js';
import { finish } from './finish.js';
import { halved, nextSize } from './pace.js';
import { pause } from './pause.js';
import { prepare } from './prepare.js';
import type { BackfillError, RangeRow } from './state.js';
import { arrayOf, changeAlone, claimAgain, claimRange, commitRange, rollBack, fail, settle, type Place } from './turn.js';

/** What a worker stands on; its sessions come and go. */
export interface Crew {
  readonly call: Call;
  readonly tables: Tables;
  /** Works on these only; on all where undefined. */
  readonly names?: readonly string[] | undefined;
  /** The definition as this code has it; undefined where it has no such migration. */
  readonly definitionOf: (row: Pick<RangeRow, 'name' | 'migration'>) => Promise<Backfill | undefined>;
}

/** What this process has of the code of a backfill, as it was enqueued or as a changed definition was accepted since. */
interface Known extends Pick<RangeRow, 'name' | 'hash'> {
  readonly apply: Backfill['apply'];
}

const backoffMs = { least: 100, most: 5_000 };
const reportEveryMs = 5_000;
const mostAsideInARow = 20;

/**
 * Does one batch after the other, each in a transaction that holds the row of its range: what is done and that it is done are one commit, so each row
 * is changed exactly once, whoever is killed. Any number of workers may be at it.
 */
export class Worker {
  /** What this process cannot work on, with the reason: its code is not here, or is another one. */
  readonly refused = new Map<string, string>();
  private readonly code = new Map<string, Known>();
  private readonly unknown = new Map<string, Known>();
  private readonly tries = new Map<string, number>();
  private readonly asideInARow = new Map<string, number>();
  private reportedAt = -Infinity;

  constructor(private readonly crew: Crew) {}

  /** One batch, or one other thing that is to be done for a backfill. `nothing`: there is none, or others are at all of them. */
  async turn(session: Session): Promise<'worked' | 'nothing'> {
    const place: Place = { session, tables: this.crew.tables };
    const row = await claimRange(place, { names: this.crew.names, without: [...this.unknown.values()] });
    if (!row) return 'nothing';
    if (this.code.get(row.name)?.hash !== row.hash) {
      await rollBack(place); // to import a migration may take its time
      await this.learn(row);
      return 'worked';
    }
    await this.handle(place, row);
    return 'worked';
  }

  private async learn(row: RangeRow): Promise<void> {
    const { definition, reason } = await this.find(row);
    const known: Known = { name: row.name, hash: row.hash, apply: definition?.apply };
    this.refused.delete(row.name); // it was refused as another definition
    if (reason === undefined) return void this.code.set(row.name, known);
    this.refused.set(row.name, reason);
    this.unknown.set(row.name, known);
    this.crew.call.report.warn('backfill.refused', { backfill: row.name, reason });
  }

  // A file that cannot be imported is one that is not here: other backfills go on.
  private async find(row: RangeRow): Promise<{ readonly definition?: Backfill | undefined; readonly reason: string | undefined }> {
    try {
      const definition = await this.crew.definitionOf(row);
      return { definition, reason: refusalOf(row, definition) };
    } catch (error) {
      return { reason: `its migration cannot be used: ${messageOf(error)}` };
    }
  }

  private async handle(place: Place, row: RangeRow): Promise<void> {
    if (row.status === 'running') return await this.move(place, row as OpenRange);
    const { report } = this.crew.call;
    const told = { backfill: row.name, migration: row.migration };
    try {
      if (row.status === 'queued') report.info('backfill.started', { ...told, status: await prepare(place, row) });
      else report.info('backfill.ended', { ...told, status: await finish(place, row) });
    } catch (error) {
      await this.failed(place, row, { error });
    }
  }

  private async move(place: Place, row: OpenRange): Promise<void> {
    const started = performance.now();
    const { batchSize: size, definition } = row;
    const limitMs = size === 1 ? 50_000 : Math.max(1_000, definition.targetMs * 5);
    const request: BatchRequest = { session: place.session, row, limitMs, apply: this.code.get(row.name)?.apply };
    let page: Page | undefined;
    try {
      await settle(place, row, { lock: definition.targetMs, statement: limitMs });
      page = await readPage(request, size);
      const changedCount = await changeRows(request, page);
      const ms = performance.now() - started;
      await commitRange(place, row, { set: moved(row, { page, changedCount, ms }) });
      this.succeeded(row, { ms, seenCount: page.seenCount, changedCount });
    } catch (error) {
      await this.failed(place, row, { error, page });
    }
  }

  private succeeded(row: OpenRange, fields: { readonly ms: number; readonly seenCount: number; readonly changedCount: number }): void {
    this.tries.delete(placeOf(row));
    if (fields.changedCount > 0) this.asideInARow.delete(row.name);
    const now = performance.now();
    const isDue = now - this.reportedAt >= reportEveryMs;
    if (isDue) this.reportedAt = now;
    const told = { backfill: row.name, range: row.range, size: row.batchSize, ...fields, ms: Math.round(fields.ms) };
    this.crew.call.report[isDue ? 'info' : 'debug']('backfill.moved', told);
  }

  private async failed(place: Place, row: RangeRow, failure: Failed): Promise<void> {
    const { error, page } = failure;
    const { call } = this.crew;
    const kind = kindOf(error);
    if (place.session.wire.lost || kind === 'lost') throw place.session.lostOr(error);
    await rollBack(place);
    call.stop.throwIfAborted();
    const isBatch = row.status === 'running' && (kind === 'crowded' || page !== undefined);
    if (kind === 'stopped' || (kind === 'bad-row' && !isBatch)) return await this.stop(place, row, errorOf(error));
    if (kind === 'bad-row' && row.batchSize === 1) return await this.meetBadRow(place, row as OpenRange, failure);
    await this.shrink(place, row, failure);
    if (kind === 'crowded') await this.backOff(row);
  }

  private async shrink(place: Place, row: RangeRow, { error, page }: Failed): Promise<void> {
    const size = halved(Math.min(row.batchSize, page?.seenCount ?? row.batchSize));
    this.crew.call.report.warn('backfill.retried', { backfill: row.name, range: row.range, size, reason: errorOf(error) });
    const which = `name = ${literal(row.name)} and range = ${row.range}`;
    if (row.status === 'running') await changeAlone(place, `update ${place.tables.backfills} set batch_size = ${size} where ${which}`);
  }

  private async backOff(row: RangeRow): Promise<void> {
    const tries = (this.tries.get(placeOf(row)) ?? 0) + 1;
    this.tries.set(placeOf(row), tries);
    const ceiling = Math.min(backoffMs.most, backoffMs.least * 2 ** (tries - 1));
    await pause(this.crew.call, ceiling / 2 + (Math.random() * ceiling) / 2);
  }

  private async meetBadRow(place: Place, row: OpenRange, { error, page: failed }: Failed): Promise<void> {
    if (!(await claimAgain(place, row))) return;
    await settle(place, row, { lock: 1_000, statement: 50_000 });
    const page = await readPage({ session: place.session, row }, 1);
    if (arrayOf(page.end) !== arrayOf(failed?.end ?? [])) return await rollBack(place); // it has been deleted: another one is the next
    const told = errorOf(error, page.end);
    const inARow = (this.asideInARow.get(row.name) ?? 0) + 1;
    if (row.definition.onBadRow === 'stop' || inARow > mostAsideInARow) {
      await rollBack(place);
      return await this.stop(
        place,
        row,
        inARow > mostAsideInARow ? { ...told, message: `${told.message}, as the ${mostAsideInARow} rows before it` } : told,
      );
    }
    this.asideInARow.set(row.name, inARow);
    const aside = `insert into ${place.tables.aside} (name, key, error) values (${literal(row.name)}, ${arrayOf(page.end)}, ${jsonLiteral(told)}) on conflict do nothing;`;
    await commitRange(place, row, { set: [...advanced(page), 'rows_aside = rows_aside + 1'], also: aside });
    this.crew.call.report.warn('backfill.row-set-aside', { backfill: row.name, ...told });
  }

  private async stop(place: Place, row: RangeRow, error: BackfillError): Promise<void> {
    await fail(place, row.name, error);
    this.asideInARow.delete(row.name); // when it is retried, the rows have been seen to
    this.crew.call.report.error('backfill.failed', { backfill: row.name, migration: row.migration, ...error });
  }
}

function placeOf({ name, range }: RangeRow): string {
  return JSON.stringify([name, range]);
}

interface Failed {
  readonly error: unknown;
  /** Of the batch, where it came so far. */
  readonly page?: Page | undefined;
}

interface Moved {
  readonly page: Page;
  readonly changedCount: number;
  readonly ms: number;
}

function moved({ batchSize, definition: { targetMs } }: OpenRange, { page, changedCount, ms }: Moved): string[] {
  const speed = page.seenCount / (Math.max(ms, 1) / 1_000);
  return [
    ...advanced(page),
    `rows_done = rows_done + ${changedCount}`,
    `rows_per_second = coalesce(0.7 * rows_per_second, 0.7 * ${speed}) + 0.3 * ${speed}`,
    ...(page.isLast ? [] : [`batch_size = ${nextSize(batchSize, { ms, targetMs })}`]),
  ];
}

function advanced({ end, seenCount, isLast }: Page): string[] {
  return [`cursor = ${arrayOf(end)}`, `rows_seen = rows_seen + ${seenCount}`, ...(isLast ? [`status = 'passed'`] : [])];
}
