import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { afterFile } from './cleanup.js';
import { root } from './majors.js';
import { secretsIn } from './secrets.js';

export interface ScriptOptions {
  /** Added to a bare environment: PATH and HOME only, so that no PG* variable of the caller gets in. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** `nobody`: its stdout and stderr are closed pipes, as behind `| true`. */
  readonly reads?: 'nobody';
  /** `anything`: it prints URLs with passwords on purpose. What others write is searched for the passwords of the tests. */
  readonly says?: 'no password' | 'anything';
  /** Flags of node itself. */
  readonly nodeArgs?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** A running Node process. It is killed after the file's tests when it has not ended by then. */
export interface Script {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<Exit>;
  /** The first line (past ones included) that contains the text or matches; rejects when the process ends or `withinMs` (30 s) passes before. */
  waitForLine(what: string | RegExp, withinMs?: number): Promise<string>;
  /** The same for a line of JSON whose `event` (or `msg`) is the name; resolves with the parsed line. */
  waitForEvent(name: string, withinMs?: number): Promise<Record<string, unknown>>;
  /** All lines of JSON so far. */
  events(): Record<string, unknown>[];
  write(text: string): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<Exit>;
}

/** Runs code as an ES module in a new process; `import 'ensure-migrated'` there gives the built dist/. */
export function startCode(code: string, options: ScriptOptions = {}): Script {
  return start(['--input-type=module', '--eval', code, '--', ...(options.args ?? [])], options);
}

/** Runs a script file in a new process. */
export function startScript(file: string, options: ScriptOptions = {}): Script {
  return start([file, ...(options.args ?? [])], options);
}

/** Runs code in a new process to its end. */
export async function runCode(code: string, options: ScriptOptions = {}): Promise<Exit> {
  return await startCode(code, options).ended;
}

function start(args: readonly string[], { env = {}, cwd = root, nodeArgs = [], reads, says: said = 'no password' }: ScriptOptions): Script {
  const startedAt = performance.now();
  const bare = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env };
  const child = spawn(process.execPath, [...nodeArgs, ...args], { cwd, env: bare, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      for (const listener of listeners) listener();
    });
    if (reads === 'nobody') child[name].destroy();
  }
  child.stdin.on('error', () => undefined); // it may end before it has read all
  const ended = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output, tookMs: performance.now() - startedAt }));
  });
  const script = controls({ child, output, listeners, ended });
  afterFile(async () => {
    const { stdout, stderr } = await script.kill();
    if (said === 'anything') return;
    expect(secretsIn(stdout + stderr), `passwords that ${args.join(' ').slice(0, 200)} has written`).toEqual([]);
  });
  return script;
}

interface Running {
  readonly child: ReturnType<typeof spawn>;
  readonly output: { readonly stdout: string; readonly stderr: string };
  readonly listeners: Set<() => void>;
  readonly ended: Promise<Exit>;
}

function controls(running: Running): Script {
  const { child, output, ended } = running;
  const isJson = (name: string) => (line: string) => [parse(line)?.['event'], parse(line)?.['msg']].includes(name);
  return {
    pid: child.pid ?? 0,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    ended,
    waitForLine: (what, withinMs = 30_000) =>
      waitForLine(running, {
        name: String(what),
        withinMs,
        matches: (line) => (typeof what === 'string' ? line.includes(what) : what.test(line)),
      }),
    waitForEvent: async (name, withinMs = 30_000) =>
      parse(await waitForLine(running, { name: `the event ${name}`, withinMs, matches: isJson(name) })) ?? {},
    events: () =>
      linesOf(output)
        .map(parse)
        .filter((line) => line !== undefined),
    write: (text) => void child.stdin?.write(text),
    signal: (signal) => void child.kill(signal),
    kill: async () => {
      child.kill('SIGKILL');
      return await ended;
    },
  };
}

interface Wanted {
  readonly name: string;
  readonly withinMs: number;
  matches(line: string): boolean;
}

function waitForLine({ output, listeners, ended }: Running, { name, withinMs, matches }: Wanted): Promise<string> {
  return new Promise((resolve, reject) => {
    const finish = (action: () => void): void => {
      clearTimeout(timer);
      listeners.delete(look);
      action();
    };
    const look = (): void => {
      const line = linesOf(output).find(matches);
      if (line !== undefined) finish(() => resolve(line));
    };
    const fail = (why: string): void =>
      finish(() => reject(new Error(`${why} before it wrote ${name}:\n${output.stdout}\n${output.stderr}`)));
    const timer = setTimeout(() => fail(`${withinMs} ms passed`), withinMs);
    listeners.add(look);
    ended.then(
      () => (look(), fail('the process ended')), // too late when look() has found it
      () => fail('the process did not start'),
    );
    look();
  });
}

function linesOf({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string[] {
  // The last piece is not a line yet.
  return [stdout, stderr].flatMap((text) => text.split('\n').slice(0, -1));
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // a sentence that begins with a brace
  }
}
