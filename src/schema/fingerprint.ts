import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { Line, Schema } from './inspect.js';

/** A schema in short. Two hashes, since servers from 16 on write the bodies of views in another way than 14 and 15. */
export interface Fingerprint {
  /** SHA-256 over all lines but the bodies; the same on every version of the server. */
  readonly core: string;
  /** SHA-256 over the bodies of views and of functions that the server keeps parsed. */
  readonly views: string;
  readonly serverVersion: number;
}

const bodies: ReadonlySet<string> = new Set(['view body', 'function body']);

/** The fingerprint of a schema. SHA-256, because md5 does not exist where OpenSSL runs in FIPS mode. */
export function fingerprint({ serverVersion, lines }: Schema): Fingerprint {
  const core = createHash('sha256');
  const views = createHash('sha256');
  for (const line of lines)
    (bodies.has(line.kind) ? views : core).update(`${JSON.stringify([line.kind, line.identity, line.definition])}\n`);
  return { core: core.digest('hex'), views: views.digest('hex'), serverVersion };
}

/** Says that two fingerprints are of one schema. Where they are not, `diffSchema` has the last word: it allows for the servers' versions. */
export function isSameSchema(a: Fingerprint, b: Fingerprint): boolean {
  return a.core === b.core && (a.views === b.views || !canCompareBodies(a, b));
}

/** Whether both servers write the bodies of views alike. */
export function canCompareBodies(a: { readonly serverVersion: number }, b: { readonly serverVersion: number }): boolean {
  return a.serverVersion < 160000 === b.serverVersion < 160000;
}

/** Whether the line holds a body, which some versions of the server write in other words. */
export function isBody({ kind }: Line): boolean {
  return bodies.has(kind);
}

/** The lines as text for a journal row: JSON, deflated, base64. */
export async function compressLines(lines: readonly Line[]): Promise<string> {
  const rows = lines.map(({ kind, identity, parent, definition }) => [kind, identity, parent, definition]);
  return (await promisify(deflate)(JSON.stringify(rows))).toString('base64');
}

/** The lines that `compressLines` wrote. Rejects on a text that it did not write. */
export async function expandLines(text: string): Promise<Line[]> {
  const rows = JSON.parse((await promisify(inflate)(Buffer.from(text, 'base64'))).toString()) as [string, string, string, string][];
  return rows.map(([kind, identity, parent, definition]) => ({ kind, identity, parent, definition }));
}
