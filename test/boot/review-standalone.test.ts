import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { makeScene, type Scene } from '../support/scene.js';

const index = (text: string) => `await knex.raw('create ${text}');`;

async function definitionOf(scene: Scene, name: string): Promise<unknown> {
  const [row] = await scene.database.query('select indexdef from pg_indexes where indexname = $1', [name]);
  return row?.['indexdef'];
}

/** A copy of the migrations (a module is loaded once) with other text in the one under test. */
async function corrected({ directory, file }: Scene, ...changes: readonly (readonly [string, string])[]): Promise<Options> {
  const copy = await makeDirectory({});
  await cp(directory, copy, { recursive: true });
  const text = changes.reduce((was, [from, to]) => was.replace(from, to), await readFile(file, 'utf8'));
  await writeFile(path.join(copy, path.basename(file)), text);
  return { migrations: copy };
}

/** Without the row for the log, which could not be settled. */
function indexes(...texts: readonly string[]): string {
  return `export const config = { transaction: false };
    export async function up(knex) { ${texts.map(index).join('\n')} }
    export async function down() {}`;
}

describe('a migration outside a transaction that is resumed', () => {
  test("does not take somebody else's index for its own", async () => {
    const text = indexes('index concurrently i on patients (name)', 'index concurrently patients_email_key on patients (name)');
    const scene = await makeScene({ text });
    for (const boot of ['first', 'second', 'third']) {
      const error = await scene.fail();
      expect(error.code, boot).toBe('EM_MIGRATION_FAILED');
      expect(error.message, boot).toContain('42P07');
    }
    expect(await definitionOf(scene, 'patients_email_key')).toContain('(email)');
    await scene.database.query('alter table patients drop constraint patients_email_key');
    expect(await scene.boot()).toMatchObject({ status: 'migrated' });
    expect(await definitionOf(scene, 'patients_email_key')).toContain('(name)');
  });

  test('does not take an index that it built for one that it is to build since it was corrected', async () => {
    const text = indexes('index concurrently i on patients (name)', 'index concurrently j on patients (nowhere)');
    const scene = await makeScene({ text });
    await scene.fail();
    const unique = ['index concurrently i on patients (name)', 'unique index concurrently i on patients (email)'] as const;
    const options = await corrected(scene, unique, ['nowhere', 'email']);
    for (const boot of ['second', 'third']) expect((await scene.fail(options)).message, boot).toContain('42P07');
    await scene.database.query('drop index i');
    expect(await scene.boot(options)).toMatchObject({ status: 'migrated' });
    expect(await definitionOf(scene, 'i')).toContain('UNIQUE');
  });

  test('takes over what two runs before it have built', async () => {
    const [i, j] = ['index concurrently i on patients (name)', 'index concurrently j on patients (email)'] as const;
    const scene = await makeScene({ text: indexes(i, 'index concurrently x on nowhere (a)', j) });
    await scene.fail();
    const without = [index('index concurrently x on nowhere (a)'), ''] as const;
    const early = await corrected(scene, without, [index(i), `throw new Error('too early'); ${index(i)}`]);
    expect((await scene.fail(early)).message).toContain('too early');
    expect(await scene.boot(await corrected(scene, without))).toMatchObject({ status: 'migrated' });
    expect(scene.events).toContainEqual(expect.objectContaining({ event: 'step.adopted' }));
  });
});

describe('what cannot be written after a failure', () => {
  test('does not hide the failure', async () => {
    const text = `export const config = { transaction: false };
      export async function up(knex) { await knex.raw('drop table knex_migrations_journal'); throw new Error('the real cause'); }
      export async function down() {}`;
    const scene = await makeScene({ text });
    const error = await scene.fail();
    expect(error.code).toBe('EM_MIGRATION_FAILED');
    expect(error.message).toContain('the real cause');
    expect(scene.events).toContainEqual(expect.objectContaining({ event: 'step.unrecorded' }));
  });
});
