import { tracingChannel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { ensureMigrated } from '../src/index.js';
import { makeDirectory } from './support/directories.js';
import { createDatabase } from './support/servers.js';

interface Traced {
  readonly phase: string;
  readonly run: string;
  readonly error?: unknown;
}

test('the phases are traced on the diagnostics channel, a failed one with its error', async () => {
  const { url } = await createDatabase();
  const migrations = await makeDirectory({ '01_a.sql': 'select 1/0;' });
  const heard: string[] = [];
  const runs = new Set<string>();
  const listener = {
    start: ({ phase, run }: Traced) => void (heard.push(`start ${phase}`), runs.add(run)),
    asyncEnd: ({ phase }: Traced) => void heard.push(`end ${phase}`),
    error: ({ phase, error }: Traced) => void heard.push(`error ${phase} ${(error as { code: string }).code}`),
    end: () => undefined,
    asyncStart: () => undefined,
  };
  const channel = tracingChannel<unknown, Traced>('ensure-migrated');
  channel.subscribe(listener);
  await expect(ensureMigrated({ connection: url, migrations, logger: false })).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
  channel.unsubscribe(listener);
  const before = ['connect', 'read', 'lock', 'check', 'lock'].flatMap((phase) => [`start ${phase}`, `end ${phase}`]);
  expect(heard).toEqual([...before, 'start apply', 'error apply EM_MIGRATION_FAILED', 'end apply', 'start release', 'end release']);
  expect(runs.size).toBe(1);
});
