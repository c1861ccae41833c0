/* global db */
const { afterAll, beforeAll, expect, test } = require('@jest/globals');
const pg = require('pg');

let pool;
beforeAll(() => (pool = new pg.Pool({ connectionString: db.url })));
afterAll(async () => await pool.end());

test('adds a patient', async () => {
  await pool.query("insert into patients (name) values ('Ada Example')");
  expect((await pool.query('select name from patients')).rows).toEqual([{ name: 'Ada Example' }]);
});

test('finds nobody that another test has added', async () => {
  expect(await db.knex('patients').select('name')).toEqual([]);
});
