/** A thread of the vitest setup: builds the template from the files as they are now, which the setup's own thread has imported as they were. */
import { parentPort, workerData } from 'node:worker_threads';
import { openDesk } from './desk.js';
import { openWorkshop, type TestDatabasesOptions } from './harness.js';

interface Task {
  readonly url: string;
  readonly run: string;
  readonly options: TestDatabasesOptions;
}

const { url, run, options } = workerData as Task;
const desk = await openDesk({ url, run, as: 'guest' });
const { template } = await openWorkshop(desk, options);
await desk.link.close();
parentPort?.postMessage(template().buildMs);
