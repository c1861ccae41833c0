import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { history, plan, preflight, renderReport, stamp, status, upgrade, type ReportSection } from '../../src/commands/index.js';
import { describeWithBrowser, startBrowser } from '../support/browser.js';
import { runCliHere } from '../support/cli.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase } from '../support/servers.js';

const pictures = process.env['PICTURES']; // a directory for what the browser shows

const hostileName = `06_<img src=x onerror=alert(1)>"'\u202egpj\u001b[31m.sql`;
const files = {
  'package.json': '{ "type": "module" }',
  '01_patients.sql':
    'create table patients (id bigint primary key, email text);\ncreate table visits (id bigint primary key, patient_id bigint);',
  '02_names.js': `export const up = async (knex) => await knex.schema.alterTable('patients', (t) => t.text('name'));
    export const down = async (knex) => await knex.schema.alterTable('patients', (t) => t.dropColumn('name'));`,
  '03_totals.sql': 'select 1 / 0;',
  '04_email_index.sql': 'create index patients_email_idx on patients (email);',
  '05_drop.sql': `alter table visits drop column patient_id;\ninsert into patients (id, email) values (1, '</script><script>alert(1)</script>');`,
  [hostileName]: `comment on table patients is '${'<b>bold</b> '.repeat(30)}';`,
  '07_opaque.js': `export const up = async () => { globalThis.asked = (globalThis.asked ?? 0) + 1; throw new Error('no <token> here'); };`,
};

let directory: string;
let options: { connection: string; migrations: string; logger: false; lint: { smallTableRows: number } };
let config: string;
const at = new Date('2026-11-26T06:00:00Z');
let pages: Readonly<Record<'history' | 'plan' | 'several', string>>;

beforeAll(async () => {
  const database = await createDatabase();
  directory = await makeDirectory();
  const migrations = await makeDirectory(files);
  options = { connection: database.url, migrations, logger: false, lint: { smallTableRows: 0 } };
  config = path.join(directory, 'ensure-migrated.config.mjs');
  await writeFile(config, `export default ${JSON.stringify(options)};`);
  const shop = { ...options, lint: false as const, environment: 'production' };
  await upgrade({ ...shop, application: { name: 'shop', version: '1.0.0' } }, { target: { steps: 2 } });
  await expect(upgrade(shop, { target: { steps: 1 } })).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
  await writeFile(path.join(migrations, '03_totals.sql'), 'select 1;');
  await stamp(options, { target: { to: '03_totals' }, force: true, reason: 'made by <hand>' });
  await database.query(`update knex_migrations set migration_time = migration_time - interval '40 days' where name < '02'`);
  await database.query(
    `update knex_migrations_journal set detail = detail || '{"durationMs": 4200, "lockWaitMs": 1800, "tries": 3}' where migration = '02_names.js'`,
  );
  const story: ReportSection = { status: await status(options), history: await history(options) };
  const planned: ReportSection = { plan: await plan(options, { trace: true }), preflight: await preflight(options) };
  const foreseen: ReportSection = { plan: await plan(options) };
  const failure = { code: 'EM_CONNECT_TIMEOUT', message: 'could not connect', remedy: 'Check that the server is up.' } as const;
  pages = {
    history: renderReport([story], { at }),
    plan: renderReport([planned], { at }),
    several: renderReport([{ title: 'database eu', ...foreseen }, { title: 'database us', error: failure }, { title: 'database ap' }], {
      at,
    }),
  };
});

const run = async (...args: string[]) => await runCliHere(args.includes('--config') ? args : [...args, '--config', config]);

describe('--html', () => {
  test('writes the page into a file that only its owner may read, and says so beside the text; each migration is asked once', async () => {
    const file = path.join(directory, 'history.html');
    const { code, stdout } = await run('history', '--html', file);
    expect({ code, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({ code: 0, last: `Wrote ${path.relative('.', file)}` });
    expect(stdout).toMatch(/^migration /);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toMatch(/^<!doctype html>[^]*<h1>Migration history<\/h1>[^]*not in sync/);
    await chmod(file, 0o644);
    const asked = globalThis as { asked?: number };
    asked.asked = 0;
    const planned = await run('plan', '--html', file, '--json');
    expect(asked.asked).toBe(1);
    expect(JSON.parse(planned.stdout)).toMatchObject({ steps: { length: 4 } });
    expect(await readFile(file, 'utf8')).toContain('<h1>Migration plan</h1>'); // a page of ours is replaced
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('without a file prints it in place of the text', async () => {
    const { code, stdout } = await run('plan', '+1', '--html');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
    expect(stdout).toContain('04_email_index.sql');
    expect(stdout).not.toContain('05_drop.sql');
  });

  test('refuses what would be another file, before anything is asked', async () => {
    const other = path.join(directory, 'other.html');
    await writeFile(other, '<p>mine</p>');
    const refusals = [
      [['plan', '--html', '+1'], /--html got "\+1", which does not end in \.html\n {2}Name the file, or write --html last\. Nothing/],
      [['plan', '--html', other], /other\.html is there, and is no page of ours/],
      [['history', '--html', path.join(directory, 'nowhere/a.html')], /the directory of .* is not there/],
      [['history', '--html', directory + '.html/..'], /which does not end in \.html/],
      [['history', '--html', '--json'], /--html and --json would both print on stdout/],
    ] as const;
    for (const [args, message] of refusals) {
      const { code, stdout, stderr } = await run(...args, '--connection', 'postgres://app:s3cret@127.0.0.1:1/clinic');
      expect(code).toBe(78);
      expect(stdout + stderr).toMatch(message);
    }
    expect(await readFile(other, 'utf8')).toBe('<p>mine</p>');
    await mkdir(path.join(directory, 'dir.html'));
    expect((await run('history', '--html', path.join(directory, 'dir.html'))).stderr).toMatch(/is there, and cannot be read/);
  });

  test('makes one page of several databases, with what failed in its place', async () => {
    const several = path.join(directory, 'several.config.mjs');
    const databases = [
      { name: 'eu', connection: options.connection },
      { name: 'us', connection: 'postgres://app:s3cret@127.0.0.1:1/clinic', timeouts: { connectMs: 100 } },
    ];
    await writeFile(several, `export default ${JSON.stringify({ databases, migrations: options.migrations })};`);
    const all = await run('history', '--html', '--config', several);
    expect(all.code).toBe(75);
    expect([...all.stdout.matchAll(/<h2[^>]*>([^<]*)/g)].map(([, title]) => title)).toEqual(['database eu', 'database us']);
    expect(all.stdout).toContain('EM_CONNECT_TIMEOUT');
    expect(all.stdout).not.toContain('s3cret');
    expect((await run('history', '--html', '--config', several, '--database', 'eu')).stdout).toContain('>database eu</h2>');
  });
});

test('history tells of failed attempts, waits for locks, and why something was stamped', async () => {
  const [, names, totals, index] = await history(options);
  expect(names).toMatchObject({ lockWaitMs: 1_800, tries: 3, failed: undefined });
  expect(totals).toMatchObject({
    ...{ how: 'stamped', reason: 'made by <hand>', lockWaitMs: undefined },
    failed: { count: 1, at: expect.any(Date) as Date, direction: 'up', sqlState: '22012', message: 'EM_MIGRATION_FAILED' },
  });
  expect(index).toMatchObject({ status: 'pending', failed: undefined });
});

describe('the page', () => {
  test('holds no markup of others, no character that is not seen, no password, and names nothing to load', () => {
    for (const page of Object.values(pages)) {
      expect(page).not.toMatch(/<(script|img|b|link|iframe|object|form)\b/);
      expect(page).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(page).not.toMatch(/\b(src|href)="(?!#)/);
      expect(page).not.toContain(new URL(options.connection).password);
    }
    expect(pages.plan).toContain('06_&lt;img src=x onerror=alert(1)&gt;&quot;&#39;\\u202egpj\\u001b[31m.sql');
    expect(pages.plan).toContain('&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  test('has a policy that forbids a browser to load or run anything but its own style', () => {
    const [policy] = /(?<=http-equiv="Content-Security-Policy" content=")[^"]*/.exec(pages.plan) ?? [];
    expect(policy).toMatch(
      /^default-src &#39;none&#39;; style-src &#39;sha256-[\w+/]+=&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;$/,
    );
  });

  test('is the same from what --json has printed', () => {
    const printed = JSON.parse(JSON.stringify([sectionOfNow])) as ReportSection[];
    expect(renderReport(printed, { at })).toBe(renderReport([sectionOfNow], { at }));
  });
});

const sectionOfNow: ReportSection = {
  history: [
    {
      ...{ name: '01_a.sql', status: 'applied', inCode: true, replacedBy: undefined, at, batch: 1, how: 'run', durationMs: 61_000 },
      ...{ lockWaitMs: 2_500, tries: 3, application: 'shop', version: '1', environment: undefined, host: 'web-1' },
      ...{ checksum: 'edited', compatible: false, reason: undefined, by: undefined, failed: undefined },
    },
  ],
};

/** Texts without a contrast of 4.5 to what is behind them. */
const faintTexts = `(() => {
  const read = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = read(color).map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    return (read(backgroundColor)[3] ?? 1) === 1 || !element.parentElement ? backgroundColor : groundOf(element.parentElement);
  };
  const elements = [...document.body.querySelectorAll('*')].filter((element) => [...element.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim() !== ''));
  return elements.flatMap((element) => {
    const [one, other] = [light(getComputedStyle(element).color), light(groundOf(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    return contrast >= 4.5 ? [] : [element.className + ' ' + element.textContent.slice(0, 40) + ': ' + contrast.toFixed(2)];
  });
})()`;

/** What sticks out of the page, and does not stand in a box that scrolls. */
const outside = `[...document.body.querySelectorAll('*')]
  .filter((element) => !element.closest('.scroll pre') && element.getBoundingClientRect().right > innerWidth + 0.5)
  .map((element) => element.outerHTML.slice(0, 80))`;

/** The rows of a table, its cells as a person reads them. */
const rowsOf = (
  title: string,
) => `[...document.querySelectorAll('table')].filter((table) => table.textContent.includes(${JSON.stringify(title)}))
  .flatMap((table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.innerText.replaceAll(/\\s+/g, ' ').trim())))`;

const looks = [
  [360, 'light'],
  [360, 'dark'],
  [1280, 'light'],
  [1280, 'dark'],
] as const;

describeWithBrowser('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });

  /** The page, and all that it has asked for or complained of. */
  async function open(name: keyof typeof pages): Promise<{ page: Page; troubles: () => readonly string[] }> {
    const page = await browser.newPage();
    const troubles: string[] = [];
    page.on('request', (request) => troubles.push(request.url()));
    page.on('console', (message) => troubles.push(message.text()));
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on('dialog', (dialog) => void dialog.dismiss().then(() => troubles.push('a dialog')));
    const file = path.join(directory, `${name}.page.html`);
    await writeFile(file, pages[name]);
    await page.goto(`file://${file}`);
    return { page, troubles: () => troubles.filter((each) => each !== `file://${file}`) };
  }

  test.each(['history', 'plan', 'several'] as const)('the page of %s fits, can be read, and asks for nothing', async (name) => {
    const { page, troubles } = await open(name);
    for (const [width, colorScheme] of looks) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      if (pictures !== undefined) await page.screenshot({ path: `${pictures}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      const seen = await page.evaluate(`({ width: document.documentElement.scrollWidth, outside: ${outside}, faint: ${faintTexts} })`);
      expect(seen).toEqual({ width, outside: [], faint: [] });
    }
    expect(troubles()).toEqual([]);
  });

  test('the history tells what was applied, when, how long it took, what failed, and what is pending', async () => {
    const { page } = await open('history');
    const moment = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d$/) as string;
    const failed = /^03_totals\.sql \S+: made by <hand> failed once, last at \S+ \S+: EM_MIGRATION_FAILED, SQLSTATE 22012$/;
    expect(await page.evaluate(rowsOf('Waited for locks'))).toEqual([
      ['Migration', 'State', 'Applied', 'Took', 'Waited for locks'],
      [expect.stringMatching(/^Recorded without being run, /)],
      [expect.stringMatching(failed), 'applied', moment, '', ''],
      [`Batch 1, shop 1.0.0, production, on ${hostname()}`],
      ['02_names.js tried 3 times; older releases cannot live with it', 'applied', moment, '4.2 s', '1.8 s'],
      ['01_patients.sql older releases cannot live with it', 'applied', moment, expect.stringMatching(/^\d+ ms$/), ''],
    ]);
    const pending = `[...document.querySelectorAll('.pending li')].map((item) => item.innerText)`;
    expect(await page.evaluate(pending)).toEqual([
      '04_email_index.sql',
      '05_drop.sql',
      `06_<img src=x onerror=alert(1)>"'\\u202egpj\\u001b[31m.sql`,
      '07_opaque.js',
    ]);
    const labels = `[...document.querySelectorAll('.timeline title, .timeline svg')].map((each) => each.getAttribute('aria-label') ?? each.textContent)`;
    expect(await page.evaluate(labels)).toEqual([
      '3 migrations, each a line at the time when it was applied; the longest took 4.2 s',
      ...[expect.stringMatching(/^01_patients\.sql, \d+ ms$/) as string, '02_names.js, 4.2 s', '03_totals.sql, not run here'],
    ]);
  });

  test('the plan tells each lock, who waits for it, and how it is known; what is wrong stands beside the migration', async () => {
    const { page } = await open('plan');
    expect(await page.evaluate(rowsOf('Who waits'))).toEqual([
      ['Table', 'Lock', 'Who waits', 'What is done', 'By', 'How it is known'],
      ['public.visits', 'ACCESS EXCLUSIVE', 'everybody waits: reads and writes', '', '2', 'seen in a copy'],
      ['public.patients', 'SHARE', 'writes wait; reads go on', 'an index is built', '1 2 3', 'seen in a copy'],
    ]);
    const codes = `[...document.querySelectorAll('article')].map((step) => [...step.querySelectorAll('.findings code')].map((code) => code.innerText))`;
    const [first] = await page.evaluate<string[][]>(codes);
    expect(first).toEqual(['create-index-blocking', 'migration-no-down']); // of the lint, and of a check
    expect(await page.evaluate(`[...document.querySelectorAll('h1, h2, h3, h4')].map(({ tagName }) => tagName).join(' ')`)).toBe(
      'H1 H2 H3 H3 H4 H4 H4 H4',
    );
  });

  test('without a trace says that the locks are foreseen', async () => {
    const { page } = await open('several');
    expect(await page.evaluate(rowsOf('Who waits'))).toMatchObject([
      {},
      { 5: 'foreseen' },
      { 3: expect.any(String) as string, 5: 'foreseen' },
    ]);
    expect(await page.evaluate(`[...document.querySelectorAll('nav li')].map((item) => item.innerText.replaceAll(/\\s+/g, ' '))`)).toEqual([
      'database eu would be refused',
      'database us failed',
      'database ap not looked at',
    ]);
  });

  test('on paper all statements are shown', async () => {
    const { page } = await open('plan');
    await page.evaluate(`document.querySelectorAll('details').forEach((each) => (each.open = false))`);
    const shown = `[...document.querySelectorAll('.sql pre')].filter((each) => each.checkVisibility({ contentVisibilityAuto: true })).length`;
    expect(await page.evaluate(shown)).toBe(0);
    await page.emulateMedia({ media: 'print' });
    await page.waitForFunction(`${shown} > 3`); // once it has been laid out for paper
  });
});
