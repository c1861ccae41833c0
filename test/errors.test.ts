import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { isMigrationError, MigrationError } from '../src/index.js';
import { root } from './support/majors.js';

test('an error of another copy of the package is recognised, and nothing else is', async () => {
  const again = `${pathToFileURL(path.join(root, 'dist/errors.js')).href}?copy`;
  const copy = (await import(again)) as { MigrationError: typeof MigrationError };
  const error: unknown = new copy.MigrationError('EM_BLOCKED', 'somebody is in the way');
  expect(error).not.toBeInstanceOf(MigrationError);
  expect([isMigrationError(error), isMigrationError(error, 'EM_BLOCKED'), isMigrationError(error, 'EM_ABORTED')]).toEqual([
    true,
    true,
    false,
  ]);
  const others = [undefined, null, 'EM_BLOCKED', new Error('EM_BLOCKED'), { name: 'MigrationError', code: 'EM_BLOCKED' }];
  expect(others.filter((other) => isMigrationError(other))).toEqual([]);
});
