import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import { printLine, readRecord } from './lines.js';

const repository = path.resolve(import.meta.dirname, '../..');
const patienceMs = 30_000;
const running = new Set();

/**
 * Starts one of the examples as a process of its own, in the directory of a release, and prints what it writes under its name.
 * `records` is what it has written so far: its JSON log lines, and `{ msg }` for other lines.
 */
export function startService({ name, file, directory, databaseUrl }) {
  const env = { ...process.env, DATABASE_URL: databaseUrl, PORT: '0' };
  const child = spawn(process.execPath, [path.join(repository, file)], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const records = [];
  const news = new EventEmitter();
  news.setMaxListeners(0);
  for (const stream of [child.stdout, child.stderr]) {
    readline.createInterface({ input: stream }).on('line', (line) => {
      const record = readRecord(line);
      records.push(record);
      printLine(name, record);
      news.emit('record');
    });
  }
  // 'close' comes when the last line has been read, 'exit' may come before.
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(service);
    service.end = { code, signal };
    news.emit('record');
    return service.end;
  });
  const service = { name, pid: child.pid, records, news, ended, end: undefined, kill: (signal) => child.kill(signal) };
  running.add(service);
  return service;
}

/**
 * The first record, past or future, that `matches`. Rejects when the service has ended without it, and after 30 s.
 * `what` completes the sentence "worker-1 did not ...".
 */
export async function waitFor(service, what, matches) {
  const timeout = AbortSignal.timeout(patienceMs);
  for (;;) {
    const found = service.records.find(matches);
    if (found) return found;
    if (service.end) throw new Error(`${service.name} ended (${describeEnd(service.end)}) and did not ${what}`);
    await once(service.news, 'record', { signal: timeout }).catch(() => {
      throw new Error(`${service.name} did not ${what} within ${patienceMs / 1000} s`);
    });
  }
}

/** The first record with this event name. */
export async function waitForEvent(service, event) {
  return await waitFor(service, `report ${event}`, (record) => record.event === event);
}

export function describeEnd({ code, signal }) {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

/** Ends what is still running, at once: the services are ended properly by the story, this is for a story that was cut short. */
export async function stopServices() {
  const left = [...running];
  for (const service of left) service.kill('SIGKILL');
  await Promise.all(left.map((service) => service.ended));
}
