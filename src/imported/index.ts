/** The history that another tool has written of a database: read, and matched with our files. The only door of this room. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Session } from '../session/index.js';
import type { Migration } from '../source/index.js';
import { matchHistory, newestOf, type Candidate, type Matched } from './match.js';
import { keepsNewest, readForeign, readIdentity, tableOf, type ForeignToolName, type Identity } from './tools.js';

export { foreignTools, type ForeignToolName } from './tools.js';
export type { Matched } from './match.js';

export interface ForeignRequest {
  readonly tool: ForeignToolName;
  /** Default: where the tool keeps it by itself. */
  readonly table: string | undefined;
  readonly names: Readonly<Record<string, string>>;
}

/** What another tool says of a database, in our names. */
export interface ForeignHistory {
  /** What it keeps for itself, and no migration of ours makes. */
  readonly own: Identity | undefined;
  readonly matched: readonly Matched[];
  /** The newest of ours that was applied there. */
  readonly revision: string;
}

/** Reads it, and the files. Writes nothing. Throws EM_IMPORT_REFUSED with all that does not match. */
export async function readForeignHistory(
  session: Session,
  migrations: readonly Migration[],
  { tool, table: given, names }: ForeignRequest,
): Promise<ForeignHistory> {
  const table = tableOf(tool, given);
  const rows = await readForeign(session, tool, table);
  const files = await Promise.all(migrations.map(candidateOf));
  const matched = matchHistory({ rows, files, names, keeps: keepsNewest(tool) ? 'newest' : 'all' });
  return { own: await readIdentity(session, table), matched, revision: newestOf(matched, files) };
}

// Of the bytes as they are: both tools that keep a hash take it of those.
async function candidateOf({ name, file }: Migration): Promise<Candidate> {
  const sha256 =
    file === undefined
      ? undefined
      : createHash('sha256')
          .update(await readFile(file))
          .digest('hex');
  return { name, sha256 };
}
