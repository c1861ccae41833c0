import type { Ora } from 'ora';
import type { ProgressEvent } from '../config/index.js';
import type { Holder } from '../lock.js';
import { printable, siteKinds } from '../sites.js';
import { movingText } from './backfill-text.js';

/** Tells a person what a call is doing, on stderr. */
export interface Progress {
  readonly onProgress: (event: ProgressEvent) => void;
  /** Takes the moving line away; nothing is told afterwards. */
  end(): void;
}

/** On a terminal one moving line with the time that has passed, and a line for each thing that is done; elsewhere plain lines. */
export async function tellProgress(stream: NodeJS.WriteStream): Promise<Progress> {
  // A terminal that does not know its width has none on which a line could move.
  return stream.isTTY && stream.columns > 0 ? await movingLine(stream) : plainLines(stream);
}

const linesEveryMs = 10_000;

function plainLines(stream: NodeJS.WriteStream): Progress {
  let toldAt = -Infinity;
  return {
    onProgress: (event) => {
      const told = sentenceOf(event, 'plain');
      if (!told || (told.moves && performance.now() - toldAt < linesEveryMs)) return;
      if (told.moves) toldAt = performance.now();
      stream.write(`${told.text}\n`);
    },
    end: () => undefined,
  };
}

async function movingLine(stream: NodeJS.WriteStream): Promise<Progress> {
  const { default: ora } = await import('ora');
  const spinner = ora({ stream, discardStdin: false });
  let text = '';
  let since = 0;
  const timer = setInterval(() => (spinner.text = withTime(text, since)), 100);
  timer.unref();
  return {
    onProgress: (event) => {
      const told = sentenceOf(event, 'bar');
      if (!told) return;
      if (told.lasting) return keepLine(spinner, told.text);
      [text, since] = [told.text, performance.now()];
      spinner.start(text);
    },
    end: () => {
      clearInterval(timer);
      spinner.stop();
    },
  };
}

function keepLine(spinner: Ora, text: string): void {
  spinner.stopAndPersist({ symbol: '', text });
}

function withTime(text: string, since: number): string {
  const seconds = (performance.now() - since) / 1000;
  return seconds < 1 ? text : `${text} ${seconds.toFixed(0)} s`;
}

interface Sentence {
  readonly text: string;
  /** Something that is done, or that a person should see afterwards too. */
  readonly lasting: boolean;
  /** Comes every second: a line each would be too many. */
  readonly moves?: boolean;
}

type Moving = Parameters<typeof movingText>[0];

// Of several, each line says whose it is.
function sentenceOf(event: ProgressEvent, how: 'bar' | 'plain'): Sentence | undefined {
  const names = siteKinds.map((kind) => event[kind]).filter((name) => typeof name === 'string');
  const where = printable(names.join(' '));
  const told = sentenceOfOne(event, how);
  return told && where !== '' ? { ...told, text: `${where}: ${told.text}` } : told;
}

// Events that say nothing to a person who waits are passed over.
function sentenceOfOne(event: ProgressEvent, how: 'bar' | 'plain'): Sentence | undefined {
  const step = `${String(event['step'])}/${String(event['of'])} ${String(event['migration'])}`;
  const doing = (text: string): Sentence => ({ text, lasting: false });
  const done = (text: string): Sentence => ({ text, lasting: true });
  switch (event.event) {
    case 'connect.waiting':
      return doing(`waiting for the server: ${String(event['reason'])}`);
    case 'lock.waiting':
      return doing(`waiting for the migration lock${holderOf(event['holder'])}`);
    case 'lock.knex-waiting':
      return doing("waiting for knex's own lock");
    case 'replica.waiting':
      return doing(`waiting for the replica ${String(event['replica'])}: ${String(event['state'])}, ${String(event['detail'])}`);
    case 'step.started':
      return doing(step);
    case 'step.applied':
    case 'step.reverted':
      return done(`${step} ${event.event === 'step.applied' ? 'applied' : 'taken back'} in ${String(event['ms'])} ms`);
    case 'step.retried':
      return doing(
        `${String(event['migration'])} waits for its table locks, try ${String(event['tries'])}; blocked by ${String(event['blockers'])}`,
      );
    case 'step.adopted':
      return done(`${String(event['migration'])}: found done already: ${String(event['statement'])}`);
    default:
      return backfillSentenceOf(event, how);
  }
}

function backfillSentenceOf(event: ProgressEvent, how: 'bar' | 'plain'): Sentence | undefined {
  const name = String(event['backfill']);
  const done = (text: string): Sentence => ({ text, lasting: true });
  switch (event.event) {
    case 'backfill.progress':
      return { text: (event['backfills'] as Moving[]).map((each) => movingText(each, how)).join('; '), lasting: false, moves: true };
    case 'backfill.waiting':
      return { text: `backfills wait: ${String(event['reason'])}`, lasting: false, moves: true };
    case 'backfill.stopped':
      return done(`stopped: ${movingText(event as unknown as Moving, 'plain')}; what is done stays done, and the next run goes on there`);
    case 'backfill.ended':
      return done(`${name} is ${String(event['status'])}`);
    case 'backfill.failed':
      return done(`${name} failed: ${String(event['message'])}`);
    case 'backfill.refused':
      return done(`${name} is left to others: ${String(event['reason'])}`);
    case 'backfill.row-set-aside':
      return done(`${name}: the row with the key (${(event['key'] as string[]).join(', ')}) is set aside: ${String(event['message'])}`);
    default:
      return undefined;
  }
}

function holderOf(holder: unknown): string {
  const { pid, application, migration, step, of } = (holder ?? {}) as Partial<Holder>;
  if (pid === undefined) return '';
  const where = migration === undefined ? '' : `, at ${migration} (${step} of ${of})`;
  return `: held by pid ${pid} (${application ?? 'not visible to this role'}${where})`;
}
