import { existsSync, writeFileSync } from 'node:fs';
import type { BaselineScripts } from '../baseline-script.js';
import type { Draft } from '../revision/index.js';
import { pathsOf, refused, type Chosen } from './choose.js';

/** Whether the squash can be taken back. */
export type Way = 'up only' | 'back, too';

interface Writing {
  readonly chosen: Chosen;
  readonly scripts: BaselineScripts;
  readonly way: Way;
}

/** Writes the squash into a draft, and gives its files there. Throws EM_PLAN_REFUSED where there are such files in its place. */
export function writeSquash(draft: Draft, { chosen, scripts: { up, down }, way }: Writing): string[] {
  const there = pathsOf(chosen).find((file) => existsSync(file));
  if (there !== undefined) throw refused(`${there} is there already`, 'Remove it, or squash to another revision.');
  const [upFile, downFile] = pathsOf({ directory: draft.path, name: chosen.name });
  writeFileSync(upFile, up);
  if (way === 'up only') return [upFile];
  writeFileSync(downFile, down);
  return [upFile, downFile];
}
