// Four releases of a shop, one after the other, each beside the one before it, with a rollback and a deploy that fails. Environment: DATABASE_URL.
import assert from 'node:assert/strict';
import { ensureMigrated, isMigrationError } from 'ensure-migrated';
import { downgrade, repair } from 'ensure-migrated/commands';
import pg from 'pg';
import * as release1 from './release-1/code.js';
import * as release2 from './release-2/code.js';
import * as release3 from './release-3/code.js';
import * as release4 from './release-4/code.js';

const releases = [release1, release2, release3, release4];
const db = new pg.Pool({ connectionString: process.env.DATABASE_URL });

// The migrations that a release has in its image: a project has one directory, and each release some more files in it.
const optionsOf = (number) => ({
  migrations: { directory: releases.slice(0, number).map((_, index) => new URL(`./release-${index + 1}/migrations`, import.meta.url)) },
  application: { name: 'shop', version: `${number}.0.0` },
  logger: false,
});

const cliOf = (number) => ({ ...optionsOf(number), connection: process.env.DATABASE_URL });

async function boot(number, options = {}) {
  const who = `release ${number}${options.mode ? `, mode ${options.mode},` : ''}`;
  try {
    const { status, applied } = await ensureMigrated({ ...optionsOf(number), backfills: 'blocking', ...options });
    console.log(`${who} boots: ${status}${applied.map(({ name }) => `\n  ${name}`).join('')}`);
  } catch (error) {
    if (!isMigrationError(error)) throw error;
    console.log(`${who} is refused: ${error.code}${error.findings.map(({ code }) => `, ${code}`).join('')}`);
  }
}

/** Each of the releases writes a customer, and all of them read it, before and after another one has changed it. */
async function serve(...numbers) {
  for (const writer of numbers) {
    const customer = { name: `Ada ${writer}`, street: 'Main Street 1', city: 'Bern', total: 19.95 };
    const id = await releases[writer - 1].save(db, { ...customer, email: `ada-${writer}@shop.example` });
    for (const reader of numbers) assert.deepEqual(await releases[reader - 1].read(db, id), customer);
    for (const mover of numbers) {
      const moved = { ...customer, street: `New Street ${mover}` };
      await releases[mover - 1].move(db, id, moved);
      for (const reader of numbers) assert.deepEqual(await releases[reader - 1].read(db, id), moved);
    }
  }
  console.log(`  code of release ${numbers.join(' and ')}: reads and writes the same`);
}

await boot(1);
await serve(1);

await boot(2); // expand
await serve(1, 2);
await boot(1); // a pod of release 1 restarts, or release 2 is rolled back

await release1.save(db, { name: 'Late', street: 'Side Street 2', city: 'Bern', total: 5 }); // by release 1: without an email
await boot(3); // which every customer must have from here on
await serve(2);
await boot(2, { mode: 'verify' }); // until a run has ended well
await boot(2); // as this one does, which has nothing to run
await boot(2, { mode: 'verify' });
console.log('the customer without an email is given one');
await db.query(`update customers set email = 'late@shop.example' where email is null`);

await boot(3); // move the code
await serve(2, 3);
await boot(2); // a rollback: the old image on the new schema
await downgrade(cliOf(3), { target: { to: 'customers_email' }, yes: true }); // by the release that has the file; not needed for a rollback
console.log('downgrade to customers_email');
await boot(2);
await serve(2);
await boot(3);

await boot(4); // contract
await serve(3, 4);
await boot(3); // refused: columns are gone
for (const migration of ['old_columns_of_orders', 'old_columns_of_customers'])
  await repair(cliOf(4), { action: 'compatible', migration, reason: 'release 3 does without', yes: true });
console.log('repair compatible');
await boot(3);

await db.end();
