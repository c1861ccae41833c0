import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../src/config/index.js';
import { phases } from '../src/outcome.js';
import { createProbe, type Probe } from '../src/probe.js';

const holder = {
  pid: 4711,
  application: 'ensure-migrated/worker',
  host: 'worker-1',
  since: new Date('2026-01-05T09:30:00.000Z'),
  migration: '20260126160000_documents_created_at_index.js',
  step: 4,
  of: 11,
  state: 'active',
  wait: null,
  statement: "update accounts set note = 'a secret'",
};

function follow(probe: Probe, ...events: ProgressEvent[]): Probe {
  for (const event of events) probe.onProgress(event);
  return probe;
}

it('the probe stays ready when who works on backfills afterwards connects again, and starts over with another boot', () => {
  const probe = follow(createProbe(), { event: 'boot.ready', status: 'migrated' }, { event: 'connect.waiting', reason: 'ECONNREFUSED' });
  expect(probe).toMatchObject({ ready: true, phase: 'ready', status: 'migrated' });
  expect(follow(probe, { event: 'boot.started' }, { event: 'connect.waiting' })).toMatchObject({ ready: false, phase: 'connect' });
});

describe('the probe follows a boot of several databases', () => {
  const ofOne: readonly ProgressEvent[] = [
    { event: 'boot.started', database: 'eu' },
    { event: 'boot.ready', database: 'eu', status: 'migrated' },
  ];

  it('is not ready when one of them is, and ready when all are', () => {
    const probe = follow(createProbe(), ...ofOne);
    expect(probe).toMatchObject({ ready: false, live: true });
    follow(probe, { event: 'databases.ready', databases: [] });
    expect(probe).toMatchObject({ ready: true, live: true, phase: 'ready' });
  });

  it('has not failed while others may still be at work, and then says why', () => {
    const failed = { event: 'boot.failed', database: 'us', code: 'EM_CONNECT_TIMEOUT' };
    const probe = follow(createProbe(), failed, ...ofOne);
    expect(probe).toMatchObject({ ready: false, live: true });
    follow(probe, { event: 'databases.failed', code: 'EM_NOT_ALL_MIGRATED' });
    expect(probe).toMatchObject({ ready: false, live: false, phase: 'failed', code: 'EM_NOT_ALL_MIGRATED' });
  });
});

describe('the probe follows a boot', () => {
  const story: [string, ProgressEvent, object][] = [
    ['begins at start', { event: 'boot.started' }, { phase: 'start', live: true, ready: false }],
    ['waits for the server', { event: 'connect.waiting', code: 'ECONNREFUSED' }, { phase: 'connect', live: true, ready: false }],
    ['waits for the lock and names its holder', { event: 'lock.waiting', holder }, { phase: 'lock', holder, ready: false }],
    ['waits for a run of knex', { event: 'lock.knex-waiting', waitedMs: 3 }, { phase: 'lock', ready: false }],
    ['forgets the holder with the lock in hand', { event: 'lock.taken' }, { phase: 'lock', holder: undefined }],
    ['checks', { event: 'check.started' }, { phase: 'check' }],
    ['knows how many steps there are', { event: 'plan.made', of: 2 }, { phase: 'check', of: 2 }],
    ['names the step', { event: 'step.started', migration: 'a.js', step: 1, of: 2 }, { phase: 'apply', migration: 'a.js', step: 1, of: 2 }],
    ['stays in a step that is tried again', { event: 'step.retried', migration: 'a.js' }, { phase: 'apply', migration: 'a.js', step: 1 }],
    ['goes on to the next', { event: 'step.started', migration: 'b.sql', step: 2, of: 2 }, { migration: 'b.sql', step: 2, of: 2 }],
    ['ignores events that it does not know', { event: 'apply.ended', ms: 3 }, { phase: 'apply', step: 2 }],
    ['verifies', { event: 'verify.started' }, { phase: 'verify', step: undefined, migration: undefined }],
    [
      'is ready',
      { event: 'boot.ready', status: 'migrated' },
      { phase: 'ready', live: true, ready: true, status: 'migrated', of: undefined },
    ],
  ];
  it.each(story.map(([title, , expected], n) => [title, n, expected] as const))('%s', (_title, n, expected) => {
    const events = story.slice(0, n + 1).map(([, event]) => event);
    expect(follow(createProbe(), ...events)).toMatchObject(expected);
  });

  it.each(phases)('knows the phase %s', (phase) => {
    expect(follow(createProbe(), { event: `${phase}.started` })).toMatchObject({ phase });
  });

  it('keeps the failing migration and the code of a failed boot, and is no longer live', () => {
    const failed = follow(
      createProbe(),
      { event: 'step.started', migration: 'a.js', step: 1, of: 1 },
      { event: 'boot.failed', code: 'EM_MIGRATION_FAILED', message: 'secret' },
    );
    expect(failed).toMatchObject({ phase: 'failed', live: false, ready: false, migration: 'a.js', step: 1, code: 'EM_MIGRATION_FAILED' });
  });

  it('starts over with a second boot', () => {
    const before = [
      { event: 'plan.made', of: 3 },
      { event: 'boot.failed', code: 'EM_LOCK_TIMEOUT' },
    ];
    const probe = follow(createProbe(), ...before, { event: 'boot.started' });
    expect(probe).toMatchObject({ phase: 'start', live: true, code: undefined, of: undefined });
  });

  it('says since when the phase lasts, and does not start counting again while it lasts', () => {
    const probe = follow(createProbe(), { event: 'lock.waiting', holder });
    const since = probe.since;
    expect(follow(probe, { event: 'lock.waiting', holder }).since).toBe(since);
    expect(follow(probe, { event: 'check.started' }).since).not.toBe(since);
  });

  it('survives events with fields of the wrong type', () => {
    const fields = { holder: 'x', of: 'many', step: null, migration: 7, status: {}, code: [] };
    const nothing = { of: undefined, step: undefined, migration: undefined, holder: undefined, status: undefined, code: undefined };
    for (const event of ['boot.started', 'lock.waiting', 'plan.made', 'step.started', 'boot.ready', 'boot.failed']) {
      expect(follow(createProbe(), { ...fields, event } as unknown as ProgressEvent)).toMatchObject(nothing);
    }
  });

  it('works when its functions are passed on without it', () => {
    const probe = createProbe();
    const { onProgress } = probe;
    onProgress({ event: 'boot.ready', status: 'in-sync' });
    expect(probe.ready).toBe(true);
  });
});

describe('the handler', () => {
  const closers: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });

  async function listen(handler: http.RequestListener): Promise<string> {
    const server = http.createServer(handler).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => await new Promise((resolve) => server.close(resolve)));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const statuses: [string, ProgressEvent, Record<string, number>][] = [
    ['while it waits', { event: 'lock.waiting', holder }, { live: 200, ready: 503, startup: 503 }],
    ['while it migrates', { event: 'step.started', migration: 'a.js', step: 1, of: 1 }, { live: 200, ready: 503, startup: 503 }],
    ['when it is ready', { event: 'boot.ready', status: 'in-sync' }, { live: 200, ready: 200, startup: 200 }],
    ['when it has failed', { event: 'boot.failed', code: 'EM_CHECK_FAILED' }, { live: 503, ready: 503, startup: 503 }],
  ];
  it.each(statuses)('answers node:http %s', async (_title, event, expected) => {
    const url = await listen(follow(createProbe(), event).handler);
    for (const [name, status] of Object.entries(expected)) {
      const response = await fetch(`${url}/health/${name}?verbose=1`);
      expect([name, response.status]).toEqual([name, status]);
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
  });

  it('tells the phase, the steps and the holder as JSON, but not what the holder runs', async () => {
    const url = await listen(follow(createProbe(), { event: 'lock.waiting', holder }).handler);
    const text = await (await fetch(`${url}/ready`)).text();
    const { pid, application, host, migration, step, of } = holder;
    const named = { pid, application, host, migration, step, of, since: '2026-01-05T09:30:00.000Z' };
    expect(JSON.parse(text)).toEqual({ live: true, ready: false, phase: 'lock', since: expect.any(String) as string, holder: named });
    expect(text).not.toContain('secret');
  });

  it('tells the code of a failure, but not its message', async () => {
    const event = { event: 'boot.failed', code: 'EM_MIGRATION_FAILED', message: "Key (email)=('a secret') already exists" };
    const url = await listen(follow(createProbe(), event).handler);
    const text = await (await fetch(`${url}/ready`)).text();
    expect(JSON.parse(text)).toMatchObject({ phase: 'failed', code: 'EM_MIGRATION_FAILED' });
    expect(text).not.toContain('secret');
  });

  it('answers 404 to other paths and other methods, and HEAD without a body', async () => {
    const url = await listen(follow(createProbe(), { event: 'boot.ready', status: 'in-sync' }).handler);
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/alive`)).status).toBe(404);
    expect((await fetch(`${url}/health/ready`, { method: 'POST' })).status).toBe(404);
    const head = await fetch(`${url}/health/ready/`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('leaves a response alone that another handler has sent', async () => {
    const { handler } = createProbe();
    const thrown: unknown[] = [];
    const url = await listen((req, res) => {
      res.end('mine');
      try {
        handler(req, res);
      } catch (error) {
        thrown.push(error);
      }
    });
    expect(await (await fetch(`${url}/live`)).text()).toBe('mine');
    expect(thrown).toEqual([]);
  });

  it('works as a Fastify route on the raw request and response', async () => {
    const probe = follow(createProbe(), { event: 'lock.waiting', holder });
    const app = fastify();
    app.get('/health/:check', (request, reply) => {
      reply.hijack();
      probe.handler(request.raw, reply.raw);
    });
    closers.push(async () => await app.close());
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect((await fetch(`${url}/health/startup`)).status).toBe(503);
  });
});
