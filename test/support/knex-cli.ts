import path from 'node:path';
import { root } from './majors.js';
import { startScript, type Exit, type Script } from './process.js';

interface Project {
  readonly url: string;
  readonly directory: string;
}

/** Runs a command of knex's own command line, such as `migrate:rollback`, in a process of its own to its end. */
export async function runKnex(command: string, project: Project): Promise<Exit> {
  return await startKnex(command, project).ended;
}

/** Starts one, to be killed. */
export function startKnex(command: string, { url, directory }: Project): Script {
  const flags = ['--client', 'pg', '--connection', url, '--migrations-directory', directory];
  return startScript(path.join(root, 'node_modules/knex/bin/cli.js'), { args: [command, ...flags] });
}
