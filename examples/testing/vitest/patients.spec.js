import { expect } from 'vitest';
import { test } from 'ensure-migrated/vitest';
import { addPatient, listPatients } from '../patients.js';

test('adds a patient', async ({ db }) => {
  await addPatient(db.pool, 'Ada Example');
  expect(await listPatients(db.pool)).toEqual(['Ada Example']);
});

test('finds nobody that another test has added', async ({ db }) => {
  expect(await listPatients(db.pool)).toEqual([]);
});

for (const name of ['Bob Example', 'Cleo Example']) {
  test.concurrent(`adds ${name} while others are added`, async ({ db }) => {
    await addPatient(db.pool, name);
    expect(await listPatients(db.pool)).toEqual([name]);
  });
}
