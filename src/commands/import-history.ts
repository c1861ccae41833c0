import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { foreignTools, readForeignHistory, type ForeignHistory, type ForeignToolName, type Matched } from '../imported/index.js';
import { learnWhole, type Learn } from '../proof.js';
import { openDatabase, runOnHistory } from '../run-call.js';
import type { Change } from '../schema/index.js';
import { stampDatabase, type Stamped } from '../stamp.js';

/** Which tool, where it keeps its history, and which of its names are which files. */
export interface ImportHistoryOptions {
  /** The tool that has migrated this database until now. */
  readonly from: ForeignToolName;
  /** Where it keeps its history, as `table` or `schema.table`. Default: where it does by itself. */
  readonly table?: string | undefined;
  /** Of the names that it has on record, ours, where the two have nothing in common. */
  readonly names?: Readonly<Record<string, string>> | undefined;
}

/** What was taken over. */
export interface ImportedHistory extends Stamped {
  readonly matched: readonly Matched[];
}

/**
 * Takes over the history of another tool: each migration that it has on record is found among ours, by its name or by the hash of its file. Then it is proved, as
 * {@link baseline} does: the files up to the newest of them are run in a scratch database (the role needs CREATEDB), and the catalogs are compared, without the table of
 * the other tool. Only then are they recorded, without a batch, under the lock. Never writes what is theirs. Throws EM_IMPORT_REFUSED with all that does not match,
 * EM_SCHEMA_DIFFERS with every difference, EM_PLAN_REFUSED where there is a history of ours, EM_SCRATCH_UNAVAILABLE and EM_REPLAY_FAILED; nothing is recorded then.
 */
export async function importHistory(options: Options, { from, table, names = {} }: ImportHistoryOptions): Promise<ImportedHistory> {
  if (!foreignTools.includes(from))
    throw new MigrationError('EM_IMPORT_REFUSED', `'${String(from)}' is none of ${foreignTools.join(', ')}`, {
      remedy:
        'Name the tool that has migrated this database; of any other one, `baseline --at` takes the database as it is. Nothing was changed.',
    });
  refuseNonsense(table, names);
  return await runOnHistory({ ...options, mode: 'apply', baseline: undefined }, async (call) => {
    await using opened = await openDatabase(call);
    const theirs = await readForeignHistory(opened.session, opened.migrations, { tool: from, table, names });
    const stamped = await stampDatabase(opened, {
      target: { to: theirs.revision },
      history: 'must-be-empty',
      proof: 'needed',
      learn: learnBeside(theirs.own),
      refusal: 'the migrations do not make the schema that this database has',
      reason: `imported from ${from}`,
    });
    return Object.freeze({ ...stamped, matched: Object.freeze(theirs.matched) });
  });
}

// As a caller without types, or a file of JSON, may have them.
function refuseNonsense(table: unknown, names: unknown): void {
  const isName = (value: unknown) => typeof value === 'string' && value !== '' && !value.includes('\0');
  const isMap = typeof names === 'object' && names !== null && !Array.isArray(names) && Object.values(names).every(isName);
  const wrong = [
    ...(table === undefined || isName(table) ? [] : ['`table` is the name of a table, or schema.table']),
    ...(isMap ? [] : ['`names` gives, of names that it has on record, those of our migrations']),
  ];
  if (wrong.length > 0) throw new MigrationError('EM_CONFIG_INVALID', wrong.join('; '));
}

const relations: ReadonlySet<string> = new Set(['table', 'partitioned table', 'foreign table', 'view', 'materialized view']);

// The other tool's own table, and a schema that it may have made for it.
function learnBeside(own: ForeignHistory['own']): Learn {
  const isOwn = ({ action, kind, identity }: Change) =>
    action === 'added' && ((relations.has(kind) && own?.tables.includes(identity)) || (kind === 'schema' && identity === own?.schema));
  return async (opened, stamping) => {
    const { comparedCount, missesIn } = await learnWhole(opened, stamping);
    return { comparedCount, missesIn: (live) => missesIn(live).filter((change) => !isOwn(change)) };
  };
}
