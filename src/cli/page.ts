import { closeSync, existsSync, fchmodSync, ftruncateSync, openSync, readSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, MigrationError } from '../errors.js';
import { here } from './text.js';
import type { Input, Told } from './verb.js';

/** Where a page for a browser goes. */
export type PageTarget = 'stdout' | { readonly file: string };

/** The flag of verbs whose result can be a page. */
export const pageFlag: Readonly<Record<string, string>> = {
  '--html [file]':
    'Make a page for a browser: in this file, whose name ends in .html and which only its owner may read, else on stdout in place of the text. A file that is there is replaced where it is such a page.',
};

export function isPageAsked(flags: Input['flags']): boolean {
  return flags['html'] !== undefined;
}

/** Where the flag sends the page. Throws EM_CONFIG_INVALID, before anything is asked, for a file that cannot be one or is somebody else's. */
export async function readPageTarget({ flags: { html, json } }: Pick<Input, 'flags'>): Promise<PageTarget | undefined> {
  if (html === undefined) return undefined;
  if (typeof html !== 'string') {
    if (json === true) throw refused('--html and --json would both print on stdout', 'Give --html a file, such as report.html.');
    return 'stdout';
  }
  // `plan --html +1` means a target.
  if (!/\.html?$/i.test(html)) throw refused(`--html got "${html}", which does not end in .html`, 'Name the file, or write --html last.');
  if (!existsSync(dirname(html))) throw refused(`the directory of ${html} is not there`, 'Make it, or name another.');
  if (existsSync(html) && !(await isPage(html)))
    throw refused(`${html} is there, and is no page of ours`, 'Name another file, or remove it.');
  return { file: html };
}

/** Makes the page, and writes it where it goes to a file. Gives what is to be printed of it. */
export async function makePage(target: PageTarget, told: Told): Promise<string> {
  const { renderReport } = await loadReport();
  const page = renderReport(told.page ?? []);
  if (target === 'stdout') return page;
  const { file } = target;
  try {
    writePrivately(file, page);
  } catch (cause) {
    throw refused(`${file} cannot be written: ${messageOf(cause)}`, 'Let this process write there, or name another file.');
  }
  return `Wrote ${here(file)}\n`;
}

// What SQL may hold is not for everybody on this machine, also where everybody could read the page that was there.
function writePrivately(file: string, page: string): void {
  const descriptor = openSync(file, existsSync(file) ? 'r+' : 'wx', 0o600); // which keeps the page of somebody whose mode is not ours to change
  try {
    fchmodSync(descriptor, 0o600);
    ftruncateSync(descriptor);
    writeFileSync(descriptor, page);
  } finally {
    closeSync(descriptor);
  }
}

async function isPage(file: string): Promise<boolean> {
  const { reportMark } = await loadReport();
  return beginningOf(file).includes(reportMark);
}

function beginningOf(file: string): string {
  const beginning = Buffer.alloc(1_024);
  try {
    const descriptor = openSync(file, 'r');
    try {
      return beginning.toString('utf8', 0, readSync(descriptor, beginning));
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw refused(`${file} is there, and cannot be read: ${messageOf(cause)}`, 'Name another file.');
  }
}

async function loadReport(): Promise<typeof import('../commands/report/index.js')> {
  return await import('../commands/report/index.js');
}

function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', message, { remedy: `${remedy} Nothing was changed.` });
}
