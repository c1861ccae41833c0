import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { startTestDatabases } from 'ensure-migrated/testing';
import { addPatient, listPatients } from '../patients.js';

let harness;
let db;
before(async () => {
  harness = await startTestDatabases();
  db = await harness.acquire();
});
afterEach(async () => await db.reset());
after(async () => await harness.stop());

test('adds a patient', async () => {
  await addPatient(db.pool, 'Ada Example');
  assert.deepEqual(await listPatients(db.pool), ['Ada Example']);
});

test('finds nobody that another test has added', async () => {
  assert.deepEqual(await listPatients(db.pool), []);
});

test('migrates a patient of an older release', async () => {
  const old = await harness.at('20260112141500');
  assert.equal((await old.pool.query("insert into patients (name) values ('Dan Example')")).rowCount, 1);
  await old.release();
});
