import { spawn, spawnSync } from 'node:child_process';
import type { Tool } from './tools.js';

const found = spawnSync('psql', ['--version'], { encoding: 'utf8' });

/** psql, of whatever version. */
export const psqlTool: Tool = {
  available: found.status === 0,
  missing: 'psql is not installed: apt-get install postgresql-client',
  required: true,
};

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script by psql to its end. */
export async function runPsql(url: string, script: string): Promise<Ran> {
  const child = spawn('psql', ['--no-psqlrc', '--dbname', url]);
  const ran = { code: null as number | null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ran.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ran.stderr += text));
  child.stdin.on('error', () => undefined); // it stops at the first error, and does not read the rest
  child.stdin.end(script);
  await new Promise<void>((resolve) => child.once('close', (code) => resolve(void (ran.code = code))));
  return ran;
}
