import path from 'node:path';
import { root } from './majors.js';
import { startScript, type Exit } from './process.js';

/** Runs a command of knex's own command line, such as `migrate:rollback`, in a process of its own to its end. */
export async function runKnex(command: string, project: { readonly url: string; readonly directory: string }): Promise<Exit> {
  const flags = ['--client', 'pg', '--connection', project.url, '--migrations-directory', project.directory];
  return await startScript(path.join(root, 'node_modules/knex/bin/cli.js'), { args: [command, ...flags] }).ended;
}
