import path from 'node:path';
import { PassThrough } from 'node:stream';
import { runCommandLine, type Terminal } from '../../src/cli/program.js';
import { expectPrinted } from './json-schemas.js';
import { root } from './majors.js';
import { startScript, type Exit, type Script, type ScriptOptions } from './process.js';

const main = path.join(root, 'dist/cli/main.js');

/** Starts the command line in a process of its own. */
export function startCli(args: readonly string[], options: ScriptOptions = {}): Script {
  return startScript(main, { ...options, args });
}

/** Runs a command line to its end. What it prints with --json has to be what the schema of the verb says. */
export async function runCli(args: readonly string[], options: ScriptOptions = {}): Promise<Exit> {
  const exit = await startCli(args, options).ended;
  expectSchema(args, exit.stdout);
  return exit;
}

/**
 * The same in this process, on streams that are no terminal, with its environment and its working directory: a fraction of the time. `columns`: how wide
 * stdout says that it is.
 */
export async function runCliHere(args: readonly string[], columns?: number): Promise<Pick<Exit, 'code' | 'stdout' | 'stderr'>> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const terminal = { stdin: new PassThrough(), stdout: Object.assign(stdout, { columns }), stderr };
  const code = await runCommandLine(args, terminal as unknown as Terminal);
  const printed = { code, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
  expectSchema(args, printed.stdout);
  return printed;
}

function expectSchema(args: readonly string[], stdout: string): void {
  const [verb = ''] = args;
  if (args.includes('--json') || args.includes('json')) expectPrinted(verb, stdout);
}
