import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { startTestDatabases } from 'ensure-migrated/testing';
import { addPatient, listPatients } from '../patients.js';

let harness;
let db;
beforeAll(async () => {
  harness = await startTestDatabases();
  db = await harness.acquire();
});
afterEach(async () => await db.reset());
afterAll(async () => await harness.stop());

test('adds a patient', async () => {
  await addPatient(db.pool, 'Ada Example');
  expect(await listPatients(db.pool)).toEqual(['Ada Example']);
});

test('finds nobody that another test has added', async () => {
  expect(await listPatients(db.pool)).toEqual([]);
});
