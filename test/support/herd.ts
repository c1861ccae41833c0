import path from 'node:path';
import { root } from './majors.js';
import { startScript, type Script } from './process.js';

/** How one process of a herd has booted. */
export interface Booted {
  readonly status: 'in-sync' | 'ahead' | 'migrated' | 'failed';
  readonly applied?: readonly { readonly name: string }[];
  /** Of a boot that failed. */
  readonly code?: string;
  readonly message?: string;
  readonly events: readonly Event[];
}

type Event = Readonly<Record<string, unknown>>;

/** Processes that boot at the same time, as often as they are told. */
export interface Herd {
  /** All boot with these options (what JSON can hold) from one barrier; resolves when the last of them has ended. */
  boot(options: object): Promise<Booted[]>;
  /** Waits until each of them has told of this event in the boot that is under way. */
  waitForEvent(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts `count` processes and waits until each has imported everything that a boot may load. Killed after the file's tests. */
export async function startHerd(count: number): Promise<Herd> {
  const processes = Array.from({ length: count }, () => startScript(path.join(root, 'test/support/herd-child.js')));
  let round = 0;
  const heard = async (name: string): Promise<void> => {
    await Promise.all(processes.map(async (each) => await each.waitForLine(`"event":"${name}","round":${round}}`, 60_000)));
  };
  await heard('child.ready');
  return {
    boot: async (options) => {
      round++;
      for (const each of processes) each.write(`${JSON.stringify(options)}\n`);
      await heard('child.ended');
      return processes.map((each) => bootedOf(each, round));
    },
    waitForEvent: heard,
    stop: async () => {
      await Promise.all(processes.map(async (each) => await each.kill()));
    },
  };
}

function bootedOf(script: Script, round: number): Booted {
  const events = script.events().filter((event) => event['round'] === round);
  return { ...(events.at(-1) as unknown as Booted), events };
}
