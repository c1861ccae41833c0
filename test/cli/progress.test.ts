import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { ProgressEvent } from '../../src/index.js';
import { tellProgress } from '../../src/cli/progress.js';

const events = [
  { event: 'step.started', migration: '01_a.js', step: 1, of: 2 },
  { event: 'step.applied', migration: '01_a.js', step: 1, of: 2, ms: 12 },
  { event: 'plan.made' },
  { event: 'lock.waiting', holder: { pid: 7, application: 'ensure-migrated/shop', migration: '02_b.js', step: 2, of: 2 } },
  { event: 'replica.waiting', replica: 'reports', state: 'behind', detail: 'replayed 0/10 of 0/20', ms: 3 },
];

async function told(terminal: { isTTY: boolean; columns: number }, heard: readonly object[] = events): Promise<string> {
  const stream = Object.assign(new PassThrough(), terminal, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true });
  const progress = await tellProgress(stream as unknown as NodeJS.WriteStream);
  for (const event of heard) progress.onProgress(event as ProgressEvent);
  progress.end();
  return String(stream.read());
}

const lines = `1/2 01_a.js
1/2 01_a.js applied in 12 ms
waiting for the migration lock: held by pid 7 (ensure-migrated/shop, at 02_b.js (2 of 2))
waiting for the replica reports: behind, replayed 0/10 of 0/20
`;

test('a stream that is no terminal gets plain lines', async () => {
  expect(await told({ isTTY: false, columns: 80 })).toBe(lines);
});
test('so does a terminal without a width, on which a moving line would move for ever', async () => {
  expect(await told({ isTTY: true, columns: 0 })).toBe(lines);
});
test('a terminal keeps a line for what is done', async () => {
  expect(await told({ isTTY: true, columns: 80 })).toContain('1/2 01_a.js applied in 12 ms\n');
});

describe('a backfill', () => {
  const moving = { backfill: 'orders_cents', status: 'running', seenCount: 845_000, changedCount: 840_000, estimatedCount: 2_000_000 };
  const progress = { event: 'backfill.progress', backfills: [{ ...moving, rowsPerSecond: 20_600.4, remainingMs: 56_067 }] };
  const text = '42 % of about 2000000 rows, 840000 changed, 20600 rows/s, 57 s left';

  test('has a bar on a terminal', async () => {
    expect(await told({ isTTY: true, columns: 120 }, [progress])).toContain(`orders_cents ████████░░░░░░░░░░░░ ${text}`);
  });
  test('has a line each 10 s elsewhere', async () => {
    expect(await told({ isTTY: false, columns: 80 }, [progress, progress])).toBe(`orders_cents ${text}\n`);
  });
  test('tells how far it came when it is stopped', async () => {
    const stopped = { event: 'backfill.stopped', ...moving, estimatedCount: undefined, rowsPerSecond: undefined, remainingMs: undefined };
    expect(await told({ isTTY: false, columns: 80 }, [stopped])).toBe(
      'stopped: orders_cents 840000 changed; what is done stays done, and the next run goes on there\n',
    );
  });
});
