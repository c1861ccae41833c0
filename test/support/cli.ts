import path from 'node:path';
import { root } from './majors.js';
import { startScript, type Exit, type Script, type ScriptOptions } from './process.js';

const main = path.join(root, 'dist/cli/main.js');

/** Starts the command line in a process of its own. */
export function startCli(args: readonly string[], options: ScriptOptions = {}): Script {
  return startScript(main, { ...options, args });
}

/** Runs a command line to its end. */
export async function runCli(args: readonly string[], options: ScriptOptions = {}): Promise<Exit> {
  return await startCli(args, options).ended;
}
