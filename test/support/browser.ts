import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterFile } from './cleanup.js';
import { describeWith } from './tools.js';

const binary = [process.env['CHROMIUM'] ?? '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) =>
  existsSync(file),
);

/** `describe` for tests that need a browser. */
export function describeWithBrowser(title: string, tests: () => void): void {
  describeWith({ available: binary !== undefined, missing: 'install chromium to run these', required: true }, title, tests);
}

/** Starts a browser without a window; closed after the file's tests. */
export async function startBrowser(): Promise<Browser> {
  if (binary === undefined) throw new Error('Install chromium: it is not in /usr/bin, and CHROMIUM does not name it.');
  const { chromium } = await import('playwright-core');
  const quiet = ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath: binary, args: ['--no-sandbox', ...quiet] });
  afterFile(async () => await browser.close());
  return browser;
}
