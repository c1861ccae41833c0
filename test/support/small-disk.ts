import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { findAccount } from '../../src/embedded-binaries.js';
import { afterFile } from './cleanup.js';
import { describeWith } from './tools.js';

const size = '4m';

// Only root may mount, and not in every container.
const mountable = canMount();

/** A disk that is soon full. */
export interface SmallDisk {
  readonly tablespace: string;
  /** Makes space. */
  grow(): void;
}

/** `describe` for tests that need a disk that can be filled: a tmpfs of 4 MB, which root may mount. */
export function describeWithSmallDisk(title: string, tests: (makeSmallDisk: () => Promise<SmallDisk>) => void): void {
  describeWith({ available: mountable, missing: 'needs root and the right to mount a tmpfs', required: false }, title, () =>
    tests(makeSmallDisk),
  );
}

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const directory = mkdtempSync(path.join(os.tmpdir(), 'em-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'ignore' });
    execFileSync('umount', [directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // a container without CAP_SYS_ADMIN
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// A tablespace on a disk of its own, on the server that all files share; taken away after the file's tests.
async function makeSmallDisk(): Promise<SmallDisk> {
  const name = `small_${randomBytes(4).toString('hex')}`;
  const mounted = mkdtempSync(path.join(os.tmpdir(), 'em-small-'));
  const location = path.join(mounted, 'space');
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mounted]);
  const account = await findAccount();
  mkdirSync(location);
  chmodSync(mounted, 0o755);
  if (account) chownSync(location, account.uid, account.gid);
  await onServer(`create tablespace ${name} location '${location}'`);
  afterFile(async (failed) => {
    if (!failed) await onServer(`drop tablespace ${name}`); // else a database that is kept still uses it
    execFileSync('umount', ['--lazy', mounted]);
    rmSync(mounted, { recursive: true });
  });
  return { tablespace: name, grow: () => void execFileSync('mount', ['-o', 'remount,size=64m', mounted]) };
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client(inject('serverUrl'));
  await client.connect();
  await client.query(sql);
  await client.end();
}
