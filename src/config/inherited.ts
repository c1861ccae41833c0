import { delimiter } from 'node:path';

// pg reads the others by itself, and they are resolved by then; libpq would read more of them, and otherwise.
const keptPgVariables = ['PGPASSFILE'];

/** What a child process inherits of our environment: all of it but the PG* variables. */
export function inheritedVariables(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG') || keptPgVariables.includes(name));
  return Object.fromEntries(kept.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The directories of PATH, in order. */
export function searchedDirectories(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
}

/** The file of further certificates that Node was told to trust, if any. */
export function extraCertificatesFile(): string | undefined {
  return process.env['NODE_EXTRA_CA_CERTS'] || undefined;
}
