import { MigrationError } from '../errors.js';
import { migrationId } from '../source/index.js';
import type { ForeignRow } from './tools.js';

/** A migration of ours, with what can be compared. */
export interface Candidate {
  readonly name: string;
  /** Of its file as it stands. */
  readonly sha256: string | undefined;
}

/** A migration that the other tool has on record, and the file here that is it. */
export interface Matched {
  /** What the other tool calls it. */
  readonly theirs: string;
  readonly ours: string;
}

export interface MatchRequest {
  readonly rows: readonly ForeignRow[];
  /** In the order in which they run. */
  readonly files: readonly Candidate[];
  /** Of theirs, our name, where the two have nothing in common. */
  readonly names: Readonly<Record<string, string>>;
  readonly keeps: 'all' | 'newest';
}

/**
 * Which of our migrations each row of another tool's history is: the one that was named, else the one of that name, else the file with that very text,
 * else the only one with that name in its own. Pure; throws EM_IMPORT_REFUSED with every row that is none or several, that has not ended there, and with every
 * file that is older than the newest one and was not applied.
 */
export function matchHistory({ rows, files, names, keeps }: MatchRequest): readonly Matched[] {
  if (rows.length === 0) throw refused(['it has nothing on record'], 'There is nothing to import: ensureMigrated() can run all of them.');
  const problems: string[] = rows.filter(({ isUnfinished }) => isUnfinished).map(({ name }) => `${name} has not ended there`);
  problems.push(
    ...Object.keys(names)
      .filter((name) => !rows.some((row) => row.name === name))
      .map((name) => `${name} is mapped, and not on record there`),
  );
  const matched = rows.flatMap((row) => {
    const found = candidatesOf(row, files, names);
    const [one] = found;
    if (found.length === 1 && one) return [{ theirs: row.name, ours: one.name }];
    const those = found
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ');
    problems.push(found.length === 0 ? `${row.name} is none of our files` : `${row.name} may be any of ${those}`);
    return [];
  });
  problems.push(...repeatedIn(matched));
  if (problems.length === 0 && keeps === 'all') problems.push(...holesIn(matched, files));
  if (problems.length > 0) throw refused(problems, remedy);
  return matched;
}

/** The newest of ours that was applied there. Pure. */
export function newestOf(matched: readonly Matched[], files: readonly Candidate[]): string {
  const ours = new Set(matched.map((each) => each.ours));
  return files.findLast(({ name }) => ours.has(name))?.name ?? '';
}

const remedy =
  'Give the files the names that they have there, or say which is which with --map (`names`); let the other tool finish what it has begun. Nothing was changed.';

function candidatesOf({ name, sha256 }: ForeignRow, files: readonly Candidate[], names: MatchRequest['names']): readonly Candidate[] {
  const given = Object.hasOwn(names, name) ? names[name] : undefined;
  if (given !== undefined) return files.filter((file) => file.name === given || plain(file.name) === plain(given));
  const ways: readonly ((file: Candidate) => boolean)[] = [
    (file) => plain(file.name) === plain(name),
    (file) => sha256 !== undefined && file.sha256 === sha256,
    (file) => file.name.includes(plain(name)),
  ];
  return ways.map((isIt) => files.filter(isIt)).find((found) => found.length > 0) ?? [];
}

// `20200101_init`, `20200101_init.js` and `20200101_init.up.sql` are one name.
function plain(name: string): string {
  return migrationId(name).replace(/(\.up)?\.sql$/, '');
}

function repeatedIn(matched: readonly Matched[]): string[] {
  const counts = new Map<string, string[]>();
  for (const { theirs, ours } of matched) counts.set(ours, [...(counts.get(ours) ?? []), theirs]);
  return [...counts].filter(([, theirs]) => theirs.length > 1).map(([ours, theirs]) => `${ours} is ${theirs.join(' and ')} there`);
}

// An import ends at one revision, with all before it.
function holesIn(matched: readonly Matched[], files: readonly Candidate[]): string[] {
  const applied = new Set(matched.map(({ ours }) => ours));
  const upTo = files.findLastIndex(({ name }) => applied.has(name));
  return files
    .slice(0, upTo)
    .filter(({ name }) => !applied.has(name))
    .map(({ name }) => `${name} was not applied there, and is older than what was`);
}

function refused(problems: readonly string[], how: string): MigrationError {
  return new MigrationError('EM_IMPORT_REFUSED', ['the history of the other tool cannot be taken over:', ...problems].join('\n  - '), {
    remedy: how,
  });
}
