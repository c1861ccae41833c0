import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { tellProgress } from '../../src/cli/progress.js';

const events = [
  { event: 'step.started', migration: '01_a.js', step: 1, of: 2 },
  { event: 'step.applied', migration: '01_a.js', step: 1, of: 2, ms: 12 },
  { event: 'plan.made' },
  { event: 'lock.waiting', holder: { pid: 7, application: 'ensure-migrated/shop', migration: '02_b.js', step: 2, of: 2 } },
];

async function told(terminal: { isTTY: boolean; columns: number }): Promise<string> {
  const stream = Object.assign(new PassThrough(), terminal, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true });
  const progress = await tellProgress(stream as unknown as NodeJS.WriteStream);
  for (const event of events) progress.onProgress(event);
  progress.end();
  return String(stream.read());
}

const lines = `1/2 01_a.js
1/2 01_a.js applied in 12 ms
waiting for the migration lock: held by pid 7 (ensure-migrated/shop, at 02_b.js (2 of 2))
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
