import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

export type Tool = 'pg' | 'knex' | 'each' | 'all';

export interface Sample {
  readonly importMs: number;
  readonly callMs: number;
  readonly peakMb: number;
  readonly failure?: string;
}

/** A process that has imported its tool and waits for the word. */
export interface Ready {
  go(): void;
  readonly result: Promise<Sample>;
}

/** Starts one measured process and waits until its imports are done. */
export async function prepare(tool: Tool, ...args: readonly string[]): Promise<Ready> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.js'), tool, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  if ((await lines.next()).value !== 'ready') throw new Error(`${tool}: the measured process ended before it was ready`);
  return { go: () => child.stdin.write('go\n'), result: resultOf(child, lines) };
}

async function resultOf(child: ChildProcess, lines: AsyncIterator<string>): Promise<Sample> {
  const { value } = (await lines.next()) as { value: unknown };
  if (child.exitCode === null) await once(child, 'exit');
  return JSON.parse(String(value)) as Sample;
}

export async function measure(tool: Tool, url: string, directory: string): Promise<Sample> {
  const ready = await prepare(tool, url, directory);
  ready.go();
  return await ready.result;
}

/** Starts `count` processes, lets them all go at once, and gives the time until the last is done. */
export async function herd(
  tool: Tool,
  count: number,
  place: { url: string; directory: string },
): Promise<{ ms: number; failedCount: number }> {
  const children: Ready[] = [];
  for (let started = 0; started < count; started += 5) {
    const some = Array.from({ length: Math.min(5, count - started) }, () => prepare(tool, place.url, place.directory, 'loaded'));
    children.push(...(await Promise.all(some)));
  }
  const began = performance.now();
  for (const child of children) child.go();
  const results = await Promise.all(children.map(({ result }) => result));
  return { ms: performance.now() - began, failedCount: results.filter(({ failure }) => failure !== undefined).length };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
