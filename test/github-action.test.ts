import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeDirectory } from './support/directories.js';
import { root } from './support/majors.js';
import { createDatabase } from './support/servers.js';

// Runs the steps of examples/github-action/pull-request.yml in a repository with a base branch and a branch, as the runner would: in order, with bash,
// a step that failed ends the job but for those with `!cancelled()`. What is no command of ours (npm ci, gh) is written down.

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly if?: string;
  readonly run?: string;
}

interface Ran {
  readonly name: string;
  readonly code: number;
  readonly output: string;
}

const workflow = parse(await readFile(path.join(root, 'examples/github-action/pull-request.yml'), 'utf8')) as {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
};

const base = {
  'package.json': '{ "type": "module" }\n',
  'ensure-migrated.config.js': `export default { schema: 'schema.sql' };\n`,
  'schema.sql': 'create table orders (id bigint primary key, note text);\n',
  'migrations/01_orders.up.sql': 'create table orders (id bigint primary key, note text);\n',
  'migrations/01_orders.down.sql': 'drop table orders;\n',
};
const column = {
  'schema.sql': 'create table orders (id bigint primary key, note text, total bigint);\n',
  'migrations/02_total.up.sql': 'alter table orders add column total bigint;\n',
  'migrations/02_total.down.sql': 'alter table orders drop column total;\n',
};
const blocking = {
  'migrations/02_index.up.sql': 'create index orders_note_idx on orders (note);\n',
  'migrations/02_index.down.sql': 'drop index orders_note_idx;\n',
};

const run = promisify(execFile);

/** A repository whose branch has these files more than its base, and what starts in it. */
async function makeBranch(files: Readonly<Record<string, string>>) {
  const cwd = await makeDirectory(base);
  const bin = await makeDirectory({
    npx: `#!/bin/sh\nshift\nexec "${process.execPath}" "${path.join(root, 'dist/cli/main.js')}" "$@"\n`,
    npm: '#!/bin/sh\necho "npm $*"\n',
    gh: '#!/bin/sh\necho "gh $*"\n',
  });
  for (const name of ['npx', 'npm', 'gh']) await chmod(path.join(bin, name), 0o755);
  const env = {
    PATH: `${bin}:${process.env['PATH']}`,
    HOME: bin,
    DATABASE_URL: (await createDatabase()).url,
    GITHUB_STEP_SUMMARY: path.join(bin, 'summary.md'),
  };
  const bash = async (script: string) => await run('bash', ['-eo', 'pipefail', '-c', `exec 2>&1\n${script}`], { cwd, env });
  const commit = 'git add -A && git -c user.name=ada -c user.email=a@b.c commit -qm change';
  await bash(`git init -qb main && ${commit} && git switch -qc branch`);
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(cwd, name), text);
  await bash(`${commit} && git update-ref refs/remotes/origin/main main`);
  return { bash, summary: env.GITHUB_STEP_SUMMARY };
}

/** `steps`: those of this name, and the checkouts; the others pass. */
async function runJob(name: string, { bash }: Awaited<ReturnType<typeof makeBranch>>, steps = /./): Promise<Ran[]> {
  const ran: Ran[] = [];
  for (const step of workflow.jobs[name]?.steps ?? []) {
    const script = scriptOf(step);
    const isOver = ran.some(({ code }) => code !== 0) && step.if === undefined;
    if (script === undefined || isOver || !(step.uses !== undefined || steps.test(step.name ?? ''))) continue;
    const ended = await endOf(bash(script));
    ran.push({ name: step.name ?? step.run ?? 'checkout', ...ended });
  }
  return ran;
}

async function endOf(script: Promise<{ readonly stdout: string }>): Promise<Pick<Ran, 'code' | 'output'>> {
  try {
    return { code: 0, output: (await script).stdout };
  } catch (error) {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string };
    return { code, output: stdout };
  }
}

function scriptOf({ uses, with: given, run: script }: Step): string | undefined {
  const known: Record<string, string> = { 'github.base_ref': 'main', 'github.event.number': '7' };
  if (uses?.startsWith('actions/checkout@')) return `git checkout -q ${given?.['ref'] === undefined ? 'branch' : 'main'}`;
  return script?.replaceAll(/\$\{\{ ([\w.]+) \}\}/g, (_, name: string) => known[name] ?? expect.fail(`unknown: ${name}`));
}

const failed = (ran: readonly Ran[]) => ran.filter(({ code }) => code !== 0).map(({ name }) => name);
const outputOf = (ran: readonly Ran[], step: RegExp) => ran.find(({ name }) => step.test(name))?.output ?? '';

test('a branch that is fine passes every step, and its plan is in the summary and in the comment', async () => {
  const branch = await makeBranch(column);
  const [changed, release] = [await runJob('changed', branch), await runJob('release', branch)];
  expect([failed(changed), failed(release)]).toEqual([[], []]);
  expect(outputOf(release, /^Bring/)).toContain('is at 01_orders.up.sql now');
  expect(outputOf(release, /^Ask/)).toContain('is ready: 1 pending.');
  expect(outputOf(release, /comment/)).toBe('gh pr comment 7 --body-file plan.md --edit-last --create-if-none\n');
  const plan = await readFile(branch.summary, 'utf8');
  expect(plan).toMatch(/^### Migrations of this branch\n```\nThe database .* would run 1 migration and end at 02_total\.up\.sql\.\n/);
  expect(plan).toMatch(/alter table orders add column total bigint[^]*-> ACCESS EXCLUSIVE on public\.orders[^]*\n```\n$/);
  expect(outputOf(release, /^Apply/)).toContain('is at 02_total.up.sql now');
});

test('an index that would block writes is an annotation at its line, and ends the job', async () => {
  const branch = await makeBranch(blocking);
  const changed = await runJob('changed', branch);
  expect(failed(changed)).toEqual(['Lint what the branch has changed, each file as if it were released alone']);
  expect(outputOf(changed, /^Lint/)).toMatch(/^::error file=migrations\/02_index\.up\.sql,line=1,title=create-index-blocking in /m);
  const release = await runJob('release', branch, /^(Bring|Lint|Apply)/);
  expect(release.map(({ name, code }) => [name, code])).toEqual([
    ['checkout', 0],
    ['Bring the database to where the base branch stands', 0],
    ['checkout', 0],
    ['Lint what is pending, with a trace', 78],
  ]);
  expect(outputOf(release, /^Lint/)).toMatch(/^::error file=migrations\/02_index\.up\.sql,line=1,/m);
});
