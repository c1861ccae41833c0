import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeDirectory } from './directories.js';
import { root } from './majors.js';

/** Something that was typed, and what came back: on stdout and stderr in the order in which it came, then the exit code when it was not 0. */
interface Exchange {
  readonly typed: string;
  readonly answer: string;
}

export interface TranscriptPlace {
  /** The working directory, and what programs find in their environment besides PATH and HOME. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Types again what the `console` blocks of a page say was typed, in order, and gives the page with what comes back now. A line that begins with
 * `$ ` was typed, `> ` goes on with it, all else came back. Times, days and numbers of processes are made the same each time.
 */
export async function replayPage(name: string, place: TranscriptPlace): Promise<{ before: string; now: string }> {
  const before = await readFile(path.join(root, name), 'utf8');
  const names = new Stamps();
  const bin = await makeBin();
  if (!existsSync(path.join(place.cwd, 'node_modules')))
    await symlink(path.join(root, 'node_modules'), path.join(place.cwd, 'node_modules'));
  let now = before;
  for (const [block, body = ''] of before.matchAll(/^```console\n([^]*?)^```$/gm)) {
    const told: string[] = [];
    for (const { typed } of exchangesOf(body)) {
      const answer = names.settle((await run(names.unsettle(commandOf(typed)), place, bin)).replaceAll(place.cwd, '/app'));
      told.push(`${typed}\n${answer}`);
    }
    now = now.replace(block, () => `\`\`\`console\n${told.join('')}\`\`\``);
  }
  return { before, now };
}

function exchangesOf(body: string): Exchange[] {
  return body
    .split(/^(?=\$ )/m)
    .filter((text) => text.startsWith('$ '))
    .map((text) => {
      const [typed = ''] = /^\$ .*(?:\n> .*|\n>$)*/.exec(text) ?? [];
      return { typed, answer: text.slice(typed.length + 1) };
    });
}

function commandOf(typed: string): string {
  return typed.replace(/^\$ /, '').replace(/^> ?/gm, '');
}

async function makeBin(): Promise<string> {
  const tools = { 'ensure-migrated': 'dist/cli/main.js', knex: 'node_modules/knex/bin/cli.js' };
  const directory = await makeDirectory({ npx: '#!/bin/sh\nexec "$@"\n' });
  await chmod(path.join(directory, 'npx'), 0o755);
  for (const [name, file] of Object.entries(tools)) {
    await writeFile(path.join(directory, name), `#!/bin/sh\nexec "${process.execPath}" "${path.join(root, file)}" "$@"\n`);
    await chmod(path.join(directory, name), 0o755);
  }
  return directory;
}

async function run(command: string, { cwd, env }: TranscriptPlace, bin: string): Promise<string> {
  const options = { cwd, env: { PATH: `${bin}:${process.env['PATH']}`, HOME: process.env['HOME'], ...env } };
  return await new Promise((resolve) => {
    execFile('/bin/sh', ['-c', `exec 2>&1\n${command}`], options, (error, stdout) => {
      const code = typeof error?.code === 'number' ? `(exit code ${error.code})\n` : '';
      resolve((stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`) + code);
    });
  });
}

/** The names of migrations begin with the time at which they were made: on the page these are always the same, a week apart. */
class Stamps {
  private readonly real = new Map<string, string>();

  settle(text: string): string {
    return text
      .replace(/(?<!\d)20\d{12}(?!\d)/g, (stamp) => this.settled(stamp))
      .replace(/\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+Z)?/g, '2026-01-05 09:30:00')
      .replace(/\b\d+( ms\b)/g, '12$1')
      .replace(/(?<=09:30:00 +)\d+(?= +\d)/g, (ms) => '12'.padStart(ms.length).slice(0, ms.length)) // the column of milliseconds
      .replace(new RegExp(`\\b${os.hostname().replace(/\W/g, '\\$&')}\\b`, 'g'), 'web-1')
      .replace(/\bpid \d+/g, 'pid 4711')
      .replace(/\b\w+_[0-9a-f]{8}\b/g, 'shop'); // the database
  }

  unsettle(text: string): string {
    return text.replace(/(?<!\d)20\d{12}(?!\d)/g, (stamp) => this.real.get(stamp) ?? stamp);
  }

  private settled(stamp: string): string {
    const known = [...this.real].find(([, real]) => real === stamp);
    if (known) return known[0];
    const day = new Date(Date.UTC(2026, 0, 5 + 7 * this.real.size, 9, 30));
    const shown = day.toISOString().replace(/\D/g, '').slice(0, 14);
    this.real.set(shown, stamp);
    return shown;
  }
}
