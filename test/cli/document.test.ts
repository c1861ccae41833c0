import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { renderCommands } from '../../src/cli/document.js';
import { root } from '../support/majors.js';

const environment: NodeJS.ProcessEnv = { ...process.env };

test('docs/commands.md is what the table says (UPDATE_DOCS=1 writes it anew)', () => {
  const file = path.join(root, 'docs/commands.md');
  if (environment['UPDATE_DOCS']) writeFileSync(file, renderCommands());
  expect(readFileSync(file, 'utf8')).toBe(renderCommands());
});
