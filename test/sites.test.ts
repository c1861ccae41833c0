import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toldOfSites } from '../src/cli/sites-text.js';
import { matcherOf, sitesOf } from '../src/sites.js';

const options = { connection: 'postgres://app@localhost/clinic', tenants: { schemas: ['a*', 'ab', 'b.', 'bc', '100%'] } };
const chosen = async (tenant: string) => (await sitesOf(options, { tenant })).map((site) => site.tenant);

test.each([
  ['*', ['a*', 'ab', 'b.', 'bc', '100%']],
  ['*b*', ['ab', 'b.', 'bc']],
  ['b.', ['b.']],
  ['100%', ['100%']],
  ['a*', ['a*']], // there is one that is called so
])('%s means %j', async (pattern, names) => {
  expect(await chosen(pattern)).toEqual(names);
});

test('a pattern means what an expression would, and many stars in it cost nothing', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.', '\n'), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (pattern, name) => {
      const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'));
      expect(matcherOf(pattern)(name)).toBe(new RegExp(`^${parts.join('[^]*')}$`).test(name));
    }),
    { numRuns: 2_000 },
  );
  const started = performance.now();
  expect(matcherOf(`${'*a'.repeat(40)}*b`)('a'.repeat(5_000))).toBe(false);
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('a name that would move the cursor, or colour what follows, is escaped on a terminal', () => {
  const rows = (status: string) => ({ result: {}, text: () => status, rows: [{ status }] });
  const told = toldOfSites(['red\u001b[31m', 'two\nlines'].map((tenant) => ({ where: { tenant }, told: rows('fine') })));
  const text = told.text({ columns: 80, style: (_format, plain) => plain });
  expect(text.split('\n')).toEqual(['tenant                status', 'red\\u001b[31m         fine', 'two\\u000alines        fine']);
});
