import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { BaselineScripts } from '../baseline-script.js';
import { messageOf } from '../errors.js';
import { pathsOf, refused, type Chosen } from './choose.js';

/** Whether the squash can be taken back. */
export type Way = 'up only' | 'back, too';

/** Writes the squash, and gives its files. Overwrites nothing; throws EM_PLAN_REFUSED, and leaves nothing then. */
export function writeSquash(chosen: Chosen, { up, down }: BaselineScripts, way: Way): string[] {
  const [upFile, downFile] = pathsOf(chosen);
  const texts = way === 'up only' ? [[upFile, up] as const] : [[upFile, up] as const, [downFile, down] as const];
  const there = [upFile, downFile].find((file) => existsSync(file));
  if (there !== undefined) throw refused(`${there} is there already`, 'Remove it, or squash to another revision.');
  const written: string[] = [];
  try {
    for (const [file, text] of texts) {
      writeFileSync(file, text, { flag: 'wx' });
      written.push(file);
    }
    return written;
  } catch (error) {
    for (const file of written) rmSync(file, { force: true });
    throw refused(`the squash cannot be written: ${messageOf(error)}`, 'Let this process write into the directory.');
  }
}
