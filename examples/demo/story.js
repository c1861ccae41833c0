import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { check, printTitle } from './lines.js';
import { describeEnd, waitFor, waitForEvent } from './services.js';

const api = 'examples/api/server.js';
const worker = 'examples/worker/worker.js';
const slowMigration = '20260401090000_demo_visits.js';
const healLimitMs = 5_000;

/** Boots an API and three workers at once on an empty database: one migrates, the others wait and say for whom. */
export async function bootTogether({ database, releases, start }) {
  printTitle('1. An API and three workers boot at once on an empty database');
  const services = [start('api', api, releases.first)];
  for (const n of [1, 2, 3]) services.push(start(`worker-${n}`, worker, releases.first));
  await Promise.all(services.map(waitUntilServing));
  checkOneApplier(services);
  await checkHistory(database, releases.first);
  return services;
}

async function waitUntilServing(service) {
  await waitFor(service, 'become ready', (record) => record.msg === 'serving');
}

function checkOneApplier(services) {
  const appliers = services.filter((service) => service.records.some(({ event }) => event === 'step.applied'));
  check(appliers.length === 1, `one process migrated (${appliers.map(({ name }) => name).join(', ')})`);
  for (const waiter of services.filter((service) => service !== appliers[0])) {
    const named = waiter.records.find(({ event, holder }) => event === 'lock.waiting' && holder?.pid);
    check(named, `${waiter.name} waited, and named the holder${named ? ` (pid ${named.holder.pid}, ${named.holder.application})` : ''}`);
  }
}

async function checkHistory(database, release) {
  const files = await readdir(path.join(release, 'migrations'));
  const expected = files.filter((file) => !file.endsWith('.down.sql'));
  const rows = await database.query('select name from knex_migrations order by id');
  const recorded = rows.map(({ name }) => name);
  check(recorded.join() === expected.sort().join(), `the history has each of the ${expected.length} migrations once, in order`);
  const [{ count }] = await database.query('select count(*)::int from pg_catalog.pg_index where not indisvalid');
  check(count === 0, 'no index is invalid');
}

/** Sends a patient and a document to the API, and reads back what one of the workers found in it. */
export async function useApi([service, ...workers]) {
  printTitle('2. The API takes a document, a worker reads it');
  const url = await addressOf(service);
  const ready = await fetch(`${url}/health/ready`);
  check(ready.status === 200, `GET /health/ready answers 200: ${await ready.text()}`);
  const patient = await post(`${url}/patients`, { name: 'Ada Example', bornOn: '1980-12-10', email: 'ada@example.org' });
  const body = 'BP 128/82, 37.9 C. Known to be allergic to penicillin; prescribed ibuprofen.';
  const document = await post(`${url}/patients/${patient.id}/documents`, { title: 'First visit', body });
  await Promise.any(workers.map((one) => waitFor(one, 'read the document', (record) => record.document === document.id)));
  const { status, facts } = await (await fetch(`${url}/documents/${document.id}/facts`)).json();
  const found = facts.map(({ kind, value }) => `${kind} ${value}`).join(', ');
  check(status === 'extracted' && facts.length === 4, `GET /documents/:id/facts has what the worker found: ${found}`);
}

async function addressOf(service) {
  const { msg } = await waitFor(service, 'listen', (record) => / listening at http/.test(record.msg));
  return /http:\S+/.exec(msg)[0];
}

async function post(url, body) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const answer = await response.json();
  check(response.status === 201, `POST ${new URL(url).pathname.replace(/[0-9a-f-]{36}/, ':id')} answers 201: ${JSON.stringify(answer)}`);
  return answer;
}

/** Boots the next release, which has one migration more, and kills its process after the table was created, before the commit. */
export async function killInTheMiddle({ database, releases, start }) {
  printTitle('3. The next release is killed (kill -9) in the middle of its migration');
  const victim = start('next-1', worker, releases.next);
  await waitFor(victim, 'reach the slow part', (record) => record.msg?.includes('now the slow part'));
  victim.kill('SIGKILL');
  const end = await victim.ended;
  check(end.signal === 'SIGKILL', `next-1 is gone (${describeEnd(end)})`);
  const [{ made }] = await database.query("select to_regclass('visits') is not null as made");
  check(!made, 'the table of the half-done migration is not there');
}

/** Boots the next release again at once: it needs no human. */
export async function healAfterKill({ database, releases, start }) {
  printTitle('4. The next boot heals');
  const started = Date.now();
  const healed = start('next-2', worker, releases.next);
  await waitForEvent(healed, 'step.started');
  const waitedMs = Date.now() - started;
  check(waitedMs < healLimitMs, `next-2 had the lock after ${(waitedMs / 1000).toFixed(1)} s, though its predecessor never let go of it`);
  await waitUntilServing(healed);
  const applied = healed.records.filter(({ event }) => event === 'step.applied').map(({ migration }) => migration);
  check(applied.join() === slowMigration, `next-2 applied ${slowMigration} and nothing else`);
  await checkHistory(database, releases.next);
  const [{ made }] = await database.query("select to_regclass('visits') is not null as made");
  check(made, 'the table is there');
  return healed;
}

/** Stops every service with SIGTERM, the older release too, which went on working beside the newer one. */
export async function finish(services) {
  printTitle('5. Everything stops');
  for (const service of services) {
    check(service.end === undefined, `${service.name} still runs`);
    service.kill('SIGTERM');
  }
  for (const service of services) {
    const end = await service.ended;
    check(end.code === 0, `${service.name} ended with ${describeEnd(end)}`);
  }
}
