import path from 'node:path';
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
  const [verb = ''] = args;
  if (args.includes('--json')) expectPrinted(verb, exit.stdout);
  return exit;
}
