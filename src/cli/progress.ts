import type { Ora } from 'ora';
import type { ProgressEvent } from '../config/index.js';
import type { Holder } from '../lock.js';

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

function plainLines(stream: NodeJS.WriteStream): Progress {
  return {
    onProgress: (event) => {
      const told = sentenceOf(event);
      if (told) stream.write(`${told.text}\n`);
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
      const told = sentenceOf(event);
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
}

// Events that say nothing to a person who waits are passed over.
function sentenceOf(event: ProgressEvent): Sentence | undefined {
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
      return undefined;
  }
}

function holderOf(holder: unknown): string {
  const { pid, application, migration, step, of } = (holder ?? {}) as Partial<Holder>;
  if (pid === undefined) return '';
  const where = migration === undefined ? '' : `, at ${migration} (${step} of ${of})`;
  return `: held by pid ${pid} (${application ?? 'not visible to this role'}${where})`;
}
