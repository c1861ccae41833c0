import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/embedded.js';
import { major, packageOf, root } from './majors.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The superuser's URL of the server that all test files share. */
    readonly serverUrl: string;
  }
}

/** Builds dist/ where src/ is newer (the child processes of the tests import it) and starts the server that all files share. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (isStale()) build();
  prune();
  const server = await startEmbedded({ ...packageOf(major), settings: sharedSettings });
  project.provide('serverUrl', server.url);
  return async () => {
    if (process.env['KEEP_FAILED'] === '1') await keep(server.url);
    await server.remove();
  };
}

const sharedSettings = { max_connections: 300, max_prepared_transactions: 20, log_line_prefix: '%m [%p] %q%u@%d %a ' };

const sources = (): string[] => listFiles('src').filter((file) => file.endsWith('.ts'));

function isStale(): boolean {
  return sources().some((file) => {
    const built = path.join(root, 'dist', file.replace(/\.ts$/, '.js'));
    return !existsSync(built) || statSync(built).mtimeMs < statSync(path.join(root, 'src', file)).mtimeMs;
  });
}

// Types are the business of `npm run lint`.
function build(): void {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build of dist/ failed:\n${stdout}`);
}

/** Deletes what was built from a file that is no more: the packed tarball is looked at too. */
function prune(): void {
  const wanted = sources().map((file) => file.replace(/\.ts$/, ''));
  const stale = listFiles('dist').filter((file) => /\.(js|d\.ts)$/.test(file) && !wanted.includes(file.replace(/\.(js|d\.ts)$/, '')));
  for (const file of stale) rmSync(path.join(root, 'dist', file));
}

function listFiles(directory: string): string[] {
  return readdirSync(path.join(root, directory), { recursive: true, encoding: 'utf8' });
}

async function keep(url: string): Promise<void> {
  console.log(`The server stays up until Ctrl-C: ${url}`);
  await once(process, 'SIGINT');
}
