import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../errors.js';
import { redact } from '../sql.js';
import { ToolError } from './failure.js';

export interface ProgramRun {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment of the child: passwords travel in it, and never in `args`, which every user of the machine can read. */
  readonly variables: Readonly<Record<string, string>>;
  /** When aborted the child, and what it has started, is ended; its reason is thrown. */
  readonly stop: AbortSignal;
  /** What the child reads from stdin, until its end or the child's. Default: nothing. */
  readonly input?: Readable;
  /** Takes what the child writes to stdout. Default: it is collected and returned. */
  readonly output?: Writable;
  /** How much of stdout is returned: its end. Default: all of it. */
  readonly keep?: number;
  /** Masked in what is told of the child. */
  readonly secrets?: readonly string[];
}

/** A child that is told to end has this long, then it is killed: the whole call ends within two seconds. */
const graceMs = 300;

/** What is kept of stderr: its end, where the reason stands. */
const keptOfStderr = 4_000;

/**
 * Runs a program to its end and gives what it wrote to stdout. Throws {@link ToolError} with the end of its stderr when it cannot be
 * started, fails or is killed, or when `output` fails. The child leads a process group of its own and has no terminal.
 */
export async function runProgram(run: ProgramRun): Promise<string> {
  const { file, args, variables, stop, input, output, keep } = run;
  stop.throwIfAborted();
  const child = spawn(file, args, { env: variables, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  using killing = killOnStop(child, stop);
  const end = endOf(child);
  pipeline(input ?? [], child.stdin).catch(() => undefined); // a child that no longer reads says why it has ended
  const stderr = collect(child.stderr, keptOfStderr);
  const written = (output ? pipeline(child.stdout, output).then(() => '') : collect(child.stdout, keep)).catch((error: unknown) => {
    killing.kill(); // nobody reads on: a child that writes nothing for an hour would not notice
    return new ToolError(`what ${path.basename(file)} wrote could not be kept: ${messageOf(error)}`, undefined, { cause: error });
  });
  const failure = failureOf(run, await end, await stderr);
  const text = await written;
  stop.throwIfAborted();
  if (text instanceof ToolError && !isClosedPipe(text.cause)) throw text;
  if (failure) throw failure;
  return text as string;
}

// The child has ended in the middle, which its own failure explains.
function isClosedPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error: Error | undefined;
}

function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    let error: Error | undefined;
    child.once('error', (why) => (error = why));
    child.once('close', (code, signal) => resolve({ code, signal, error }));
  });
}

function failureOf({ file, secrets = [] }: ProgramRun, { code, signal, error }: End, stderr: string): ToolError | undefined {
  if (code === 0 && error === undefined) return undefined;
  const name = path.basename(file);
  const how = error ? `could not be started: ${messageOf(error)}` : signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  const said = redact(stderr, secrets).trim();
  return new ToolError(`${name} ${how}${said === '' ? '' : `: ${said}`}`, undefined, { cause: error });
}

// Never rejects by itself: a stream that breaks has ended.
async function collect(stream: Readable, kept = Infinity): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stream.setEncoding('utf8')) text = (text + (chunk as string)).slice(-kept);
  } catch {
    // How the child ended says why.
  }
  return text;
}

interface Killing extends Disposable {
  kill(): void;
}

function killOnStop(child: ChildProcess, stop: AbortSignal): Killing {
  let timer: NodeJS.Timeout | undefined;
  const kill = () => {
    signalGroup(child, 'SIGTERM');
    timer ??= setTimeout(() => {
      signalGroup(child, 'SIGKILL');
      for (const stream of [child.stdout, child.stderr]) stream?.destroy(); // held open by what has left the group
    }, graceMs);
  };
  stop.addEventListener('abort', kill, { once: true });
  return {
    kill,
    [Symbol.dispose]() {
      clearTimeout(timer);
      stop.removeEventListener('abort', kill);
    },
  };
}

// A wrapper script would leave the program that it runs behind.
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
