import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
// @ts-expect-error -- the examples are plain JavaScript
import { addRoutes } from '../examples/express/app.js';
import { createProbe } from '../src/probe.js';
import { root } from './support/majors.js';
import { readPage } from './support/markdown.js';
import { startScript, type Script } from './support/process.js';
import { createDatabase } from './support/servers.js';

const api = 'examples/api/server.js';
const worker = 'examples/worker/worker.js';
const note = 'BP 120/80, 38.2 C, allergic to penicillin';

function start(file: string, url: string, env: Record<string, string> = {}): Script {
  return startScript(path.join(root, file), { env: { DATABASE_URL: url, PORT: '0', ...env } });
}

async function addressOf(script: Script): Promise<string> {
  const line = await script.waitForLine(/ listening at http:/);
  return /http:[\w./:]+/.exec(line)?.[0] ?? '';
}

async function post(url: string, body: object): Promise<{ status: number; id: string }> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return { ...((await response.json()) as { id: string }), status: response.status };
}

async function stop(script: Script): Promise<number | null> {
  script.signal('SIGTERM');
  return (await script.ended).code;
}

describe('examples/api and examples/worker', () => {
  it('boot at once, take a document, read it, and end with 0', async () => {
    const { url } = await createDatabase();
    const scripts = [start(api, url), start(worker, url)] as const;
    await Promise.all(scripts.map((script) => script.waitForLine(/\bserving\b/)));
    const address = await addressOf(scripts[0]);
    const patient = await post(`${address}/patients`, { name: 'Ada Example', email: 'ada@example.org' });
    const document = await post(`${address}/patients/${patient.id}/documents`, { title: 'Visit', body: note });
    expect([patient.status, document.status]).toEqual([201, 201]);
    await scripts[1].waitForLine(document.id);
    const facts: unknown = await (await fetch(`${address}/documents/${document.id}/facts`)).json();
    expect(facts).toMatchObject({ status: 'extracted', facts: [{ value: '120/80' }, { value: '38.2' }, { value: 'penicillin' }] });
    const overview: unknown = await (await fetch(`${address}/patients/${patient.id}`)).json();
    expect(overview).toMatchObject({ name: 'Ada Example', documents: '1', waiting: '0' });
    expect(await Promise.all(scripts.map(stop))).toEqual([0, 0]);
  });

  it('answer wrong requests with the status that tells why', async () => {
    const { url } = await createDatabase();
    const script = start(api, url);
    await script.waitForLine(/\bserving\b/);
    const address = await addressOf(script);
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(await post(`${address}/patients`, { email: 'x' })).toMatchObject({ status: 400 });
    expect(await post(`${address}/patients/${nobody}/documents`, { title: 'a', body: 'b' })).toMatchObject({ status: 404 });
    expect((await fetch(`${address}/patients/${nobody}`)).status).toBe(404);
    expect((await fetch(`${address}/patients/7`)).status).toBe(400);
    expect((await fetch(`${address}/documents/${nobody}/facts`)).status).toBe(404);
    expect(await stop(script)).toBe(0);
  });

  it.each([
    ['examples/api', api],
    ['examples/worker', worker],
    ['examples/http', 'examples/http/server.js'],
  ])('%s answers its health endpoints while it waits, and is ready afterwards', async (_title, file) => {
    const database = await createDatabase();
    const script = start(file, database.url, { ENSURE_MIGRATED_MODE: 'wait' });
    const address = await addressOf(script);
    expect((await fetch(`${address}/health/live`)).status).toBe(200);
    expect((await fetch(`${address}/health/ready`)).status).toBe(503);
    expect((await start('examples/job/migrate.js', database.url).ended).code).toBe(0);
    await script.waitForLine(/\bserving\b/);
    expect((await fetch(`${address}/health/ready`)).status).toBe(200);
    expect(await stop(script)).toBe(0);
  });

  it.each([api, worker, 'examples/http/server.js', 'examples/job/migrate.js'])('%s ends with 78 when a person must act', async (file) => {
    const { url } = await createDatabase();
    const { code, stdout, stderr } = await start(file, url, { ENSURE_MIGRATED_MODE: 'verify' }).ended;
    expect([code, /pending/.test(stdout + stderr)]).toEqual([78, true]);
  });
});

describe('examples/express', () => {
  // Express is not installed here: what the example calls of it, on node:http.
  function listen(routes: { readonly path: RegExp | undefined; readonly run: (...args: unknown[]) => void }[]): http.Server {
    const enrich = (res: http.ServerResponse) =>
      Object.assign(res, {
        status: (code: number) => Object.assign(res, { statusCode: code }),
        set: (name: string, value: string) => res.setHeader(name, value),
        json: (body: unknown) => res.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
      });
    return http.createServer((req, res) => {
      const left = routes.filter((route) => route.path?.test(req.url ?? '') ?? true);
      const next = (error?: unknown): void =>
        error === undefined ? left.shift()?.run(req, enrich(res), next) : void res.writeHead(500).end();
      next();
    });
  }

  it('answers its health endpoints, and other requests once it is ready', async () => {
    const database = await createDatabase();
    expect((await start('examples/job/migrate.js', database.url).ended).code).toBe(0);
    await database.query("insert into patients (name) values ('Ada Example')");
    const routes: Parameters<typeof listen>[0] = [];
    const probe = createProbe();
    const pool = new pg.Pool({ connectionString: database.url });
    const app = {
      get: (route: string, run: () => void) => routes.push({ path: new RegExp(`^${route.replace(/:\w+/, '\\w+')}$`), run }),
      use: (run: () => void) => routes.push({ path: undefined, run }),
    };
    (addRoutes as (app: object, options: object) => void)(app, { probe, pool });
    const server = listen(routes).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const get = async (route: string) => await fetch(`http://127.0.0.1:${port}${route}`);
    expect([(await get('/health/live')).status, (await get('/health/ready')).status, (await get('/patients')).status]).toEqual([
      200, 503, 503,
    ]);
    probe.onProgress({ event: 'boot.ready', status: 'in-sync' });
    expect((await get('/health/ready')).status).toBe(200);
    expect(await (await get('/patients')).json()).toMatchObject([{ name: 'Ada Example', documents: '0' }]);
    await new Promise((resolve) => server.close(resolve));
    await pool.end();
  });
});

describe('examples/observability', () => {
  it('spans.js prints a span of the boot, of each phase below it, and of each migration', async () => {
    const { url } = await createDatabase();
    const { code, stdout } = await start('examples/observability/spans.js', url).ended;
    const spans = stdout
      .split(/^(?=\{$)/m)
      .map((text) => ({ name: /^ {2}name: '(.*)'/m.exec(text)?.[1], id: /^ {2}id: '(\w+)'/m.exec(text)?.[1], text }));
    const boot = spans.find(({ name }) => name === 'boot');
    const below = spans.filter(({ text }) => text.includes(`spanId: '${boot?.id ?? ''}'`)).map(({ name }) => name);
    expect([code, stdout]).toEqual([0, expect.stringContaining('The database is ready: migrated.')]);
    expect(below).toEqual(
      expect.arrayContaining(['connect', 'lock', 'check', 'apply', 'verify', expect.stringMatching(/^migrate \d+_\w+/)]),
    );
  });

  it('metrics.js counts what a boot has done', async () => {
    const { url } = await createDatabase();
    const script = start('examples/observability/metrics.js', url);
    await script.waitForLine(/\bserving\b/);
    const metrics = await (await fetch(`${await addressOf(script)}/metrics`)).text();
    expect(metrics).toMatch(/^migrations_applied_total [1-9]\d*$/m);
    expect(metrics).toMatch(/^boot_ready 1$/m);
    expect(metrics).toMatch(/^boot_phase_seconds\{phase="apply"\} 0\.\d+$/m);
    expect(await stop(script)).toBe(0);
  });
});

it('npm run demo:replicas waits for a standby that is slow, and reads there what it has migrated', async () => {
  const { code, stdout, stderr } = await startScript(path.join(root, 'examples/replicas/demo.js')).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/waiting for the standby: delayed.*[^]*migrated .*state: 'ready'[^]*patients: 0/);
});

it('examples/library-consumer: two services boot at once, and the migrations of the package that they share run once', async () => {
  const database = await createDatabase();
  const env = { DATABASE_URL: database.url };
  const { code, stdout, stderr } = await startScript(path.join(root, 'examples/library-consumer/demo.js'), { env }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/orders: migrated; acme_audit at 20260301090000_details\.js, main at 20260201090000_orders\.js/);
  expect(stdout).toMatch(/billing: migrated; acme_audit at 20260301090000_details\.js, main at 20260202090000_invoices\.js/);
  expect(stdout).toMatch(/log: (orders ordered|billing invoiced) /);
  expect(await database.query('select name from acme_audit_migrations order by id')).toEqual([
    { name: '20260105090000_log.js' },
    { name: '20260301090000_details.js' },
  ]);
});

describe('examples/rolling-deploy', () => {
  const { snippets } = readPage('docs/rolling-deploys.md');

  it('runs four releases, each beside the one before it, and tells what docs/rolling-deploys.md says', async () => {
    const env = { DATABASE_URL: (await createDatabase()).url };
    const { code, stdout, stderr } = await startScript(path.join(root, 'examples/rolling-deploy/run.js'), { env }).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(snippets.find(({ language }) => language === 'text')?.text).toBe(stdout);
  });

  it('has the migrations that the page shows', async () => {
    const shown = snippets.filter(({ label }) => label !== '');
    expect(shown.length).toBeGreaterThan(3);
    for (const { label, text } of shown) expect(text).toBe(await readFile(path.join(root, 'examples/rolling-deploy', label), 'utf8'));
  });
});

describe('npm run demo', () => {
  it('shows what it promises and leaves nothing behind', { timeout: 120_000 }, async () => {
    const database = await createDatabase();
    const demo = startScript(path.join(root, 'examples/demo/demo.js'), { env: { DATABASE_URL: database.url } });
    const { code, stdout, stderr } = await demo.ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('one process migrated');
    expect(stdout).toMatch(/ok next-2 had the lock after \d\.\d s/);
    expect(stdout).toContain('all as it should be');
    expect(stdout).not.toContain('\u001B'); // colours are for terminals
    const left = await database.query("select datname from pg_database where datname like 'ensure\\_migrated\\_demo%'");
    expect(left).toEqual([]);
    expect(await database.query('select relname from pg_class where relnamespace = current_schema()::regnamespace')).toEqual([]);
  });
});
