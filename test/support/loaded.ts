import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { makeDirectory } from './directories.js';
import { runCode } from './process.js';

/** What a process has imported: packages, and files of dist/. */
export interface Loaded {
  readonly packages: readonly string[];
  readonly own: readonly string[];
  readonly stdout: string;
}

/** Runs code that has `ensureMigrated` in a process of its own, which must end well. */
export async function loadedBy(code: string): Promise<Loaded> {
  const list = path.join(await makeDirectory(), 'loaded');
  const hooks = moduleOf(`import { register } from 'node:module'; register(${JSON.stringify(moduleOf(hooksWriting(list)))});`);
  const text = `import { ensureMigrated } from 'ensure-migrated'; ${code}`;
  const { code: exitCode, stderr, stdout } = await runCode(text, { nodeArgs: ['--import', hooks] });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const urls = (await readFile(list, 'utf8')).split('\n');
  const matches = (pattern: RegExp): string[] => [...new Set(urls.flatMap((url) => pattern.exec(url)?.[1] ?? []))];
  return { packages: matches(/\/node_modules\/([^/]+)\//), own: matches(/\/dist\/(.+\.js)$/), stdout };
}

const hooksWriting = (file: string): string => `
  import { appendFileSync } from 'node:fs';
  export async function load(url, context, next) {
    appendFileSync(${JSON.stringify(file)}, url + '\\n');
    return await next(url, context);
  }`;

function moduleOf(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
