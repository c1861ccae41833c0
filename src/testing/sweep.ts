import type { Desk } from './desk.js';
import { dropDatabase, dropTemplate } from './drop.js';
import { keptMark, lockNumber, lockSpaces, mark, namePattern, runOf } from './names.js';

const keptTemplates = 3;
const keptDatabases = 10;

interface Row {
  readonly name: string;
  readonly comment: string | null;
}

// Nobody could ever connect to one that has our name and no comment yet: it is empty for sure.
async function listOurs({ link, facts }: Desk, kinds: string): Promise<Row[]> {
  return await link.query<Row>(
    `select datname as name, pg_catalog.shobj_description(oid, 'pg_database') as comment from pg_catalog.pg_database
     where datname ~ $1 and pg_catalog.pg_has_role(datdba, 'usage')
       and (pg_catalog.shobj_description(oid, 'pg_database') like $2 || '%'
         or (pg_catalog.shobj_description(oid, 'pg_database') is null and not datallowconn))
     order by 1`,
    [namePattern(kinds, facts.oid), mark],
  );
}

/**
 * Drops what dead runs have left: a run's databases go when its lock can be taken, which tells for sure what a pid or a time would have to be
 * guessed from. Of those that failed tests kept, the newest stay.
 */
export async function sweep(desk: Desk): Promise<void> {
  const rows = (await listOurs(desk, 'bc')).filter(({ name }) => runOf(name) !== desk.run);
  for (const run of new Set(rows.map(({ name }) => runOf(name)))) {
    if (!(await tryLock(desk, lockSpaces.run, run))) continue;
    for (const { name, comment } of rows) {
      if (runOf(name) === run && !isKept(comment)) await (name.startsWith('em_b_') ? dropTemplate : dropDatabase)(desk, name);
    }
    await unlock(desk, lockSpaces.run, run);
  }
  const kept = rows.filter(({ comment }) => isKept(comment));
  for (const { name } of newestFirst(kept).slice(keptDatabases)) await dropDatabase(desk, name);
}

/** Drops all databases of this run but those that failed tests keep. */
export async function sweepOwn(desk: Desk): Promise<void> {
  for (const { name, comment } of await listOurs(desk, 'bc')) {
    if (runOf(name) === desk.run && !isKept(comment)) await (name.startsWith('em_b_') ? dropTemplate : dropDatabase)(desk, name);
  }
}

/** Drops all templates that nobody uses but the three that were used last. */
export async function pruneTemplates(desk: Desk): Promise<void> {
  for (const { name } of newestFirst(await listOurs(desk, 't')).slice(keptTemplates)) {
    if (!(await tryLock(desk, lockSpaces.use, name))) continue;
    await dropTemplate(desk, name);
    await unlock(desk, lockSpaces.use, name);
  }
}

function isKept(comment: string | null): boolean {
  return comment?.startsWith(keptMark) ?? false;
}

// Their comments end with a time, and differ in nothing else.
function newestFirst(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => ((a.comment ?? '') < (b.comment ?? '') ? 1 : -1));
}

async function tryLock({ link }: Desk, space: number, name: string): Promise<boolean> {
  const [row] = await link.query<{ taken: boolean }>(`select pg_catalog.pg_try_advisory_lock(${space}, ${lockNumber(name)}) as taken`);
  return row?.taken ?? false;
}

async function unlock({ link }: Desk, space: number, name: string): Promise<void> {
  await link.query(`select pg_catalog.pg_advisory_unlock(${space}, ${lockNumber(name)})`);
}
