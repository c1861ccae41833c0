import { describe, expect, test } from 'vitest';
import { transactionControlOf } from '../src/step/broken.js';
import { redact, withoutLeadingComments } from '../src/sql.js';

const comments = '/* a */ -- b\n'.repeat(200);

describe('a long text takes no longer than its length', () => {
  test.each(['select 1', '/* never closed', ''])('200 comments before %j are taken off', (statement) => {
    expect(elapsed(() => expect(withoutLeadingComments(`${comments}${statement}`)).toBe(statement))).toBeLessThan(500);
  });

  test.each([
    ['commit', 'commit'],
    ['Rollback', 'rollback'],
    ['rollback to a', undefined],
    ['select 1', undefined],
  ])('%s is told by its first word after them', (statement, word) => {
    expect(elapsed(() => expect(transactionControlOf(`${comments}${statement}`)).toBe(word))).toBeLessThan(500);
  });

  test.each(['a.b-c+', 'a://b:', 'password %', "password 'a''", 'password=', "password '' || ", 'a:b@'])('%j, repeated', (part) => {
    const text = part.repeat(100_000 / part.length);
    expect(elapsed(() => redact(text))).toBeLessThan(1_000);
  });
});

test('a connection string is masked in the middle of such a text', () => {
  expect(redact(`${'a.b-c+'.repeat(1_000)}postgres://user:secret@host/db`)).toMatch(/postgres:\/\/user:\*\*\*@host\/db$/);
});

function elapsed(work: () => void): number {
  const before = process.cpuUsage(); // others may have the processor meanwhile
  work();
  return process.cpuUsage(before).user / 1_000;
}
