import { expect, test } from 'vitest';
import { sitesOf } from '../src/sites.js';

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
