import path from 'node:path';
import type { ProgressEvent } from '../../src/index.js';
import { root } from './majors.js';
import { startScript, type Script } from './process.js';

/** How one process of a herd has booted. */
export interface Booted {
  readonly status: 'in-sync' | 'ahead' | 'migrated' | 'failed';
  readonly applied?: readonly { readonly name: string }[];
  /** Of a boot that failed. */
  readonly code?: string;
  readonly message?: string;
  readonly events: readonly ProgressEvent[];
}

/** Processes that boot at the same time, as often as they are told. */
export interface Herd {
  /** All boot with these options (what JSON can hold) from one barrier; resolves when the last of them has ended. */
  boot(options: object): Promise<Booted[]>;
  stop(): Promise<void>;
}

/** Starts `count` processes and waits until each has imported everything that a boot may load. Killed after the file's tests. */
export async function startHerd(count: number): Promise<Herd> {
  const processes = Array.from({ length: count }, () => startScript(path.join(root, 'test/support/herd-child.js')));
  await Promise.all(processes.map(async (each) => await each.waitForEvent('child.ready', 60_000)));
  let round = 0;
  return {
    boot: async (options) => {
      round++;
      for (const each of processes) each.write(`${JSON.stringify(options)}\n`);
      return await Promise.all(processes.map(async (each) => await ended(each, round)));
    },
    stop: async () => {
      await Promise.all(processes.map(async (each) => await each.kill()));
    },
  };
}

async function ended(script: Script, round: number): Promise<Booted> {
  return (await script.waitForEvent(`child.ended-${round}`)) as unknown as Booted;
}
