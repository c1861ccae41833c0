import { renderCreateTables, type Owner } from '../history/index.js';
import { renderOwner } from '../journal-rows.js';
import { literal } from '../sql.js';
import { idOf, idsOf, latestEntries, lockNumbers } from './names.js';
import type { ScriptRequest } from './script.js';

/** A variable of psql. */
export const batch = ':em_batch';

/** Takes the migration lock without waiting; the session keeps it. */
export function renderTakeLock({ tables }: ScriptRequest): string {
  const { namespace, key } = lockNumbers(tables);
  return [
    '-- The lock that boots take too. Without waiting: a session that waits for it would stand in the way of a concurrent index.',
    block(`if not pg_catalog.pg_try_advisory_lock(${namespace}, ${key}) then
    raise exception 'somebody is migrating this database' using hint = 'Try again when it is done. Nothing was changed.';
  end if;`),
  ].join('\n');
}

/**
 * Stops unless the database stands where the script starts, knex is not at work, and nothing has stopped half-way. It leaves its transaction
 * open, in which nobody else can change the history.
 */
export function renderGuard(request: ScriptRequest): string {
  const { tables, done } = request;
  return [
    '-- Stops here, and changes nothing, unless the history stands where this script starts. The tables are made where they are missing.',
    'begin;',
    renderCreateTables(tables),
    `lock table ${tables.lock} in exclusive mode;`,
    renderStands(request),
    renderSound(request),
    `select coalesce(max(batch), 0) + 1 as em_batch from ${tables.history} \\gset`,
    ...(done === 'skipped' ? [`select ${renderNeeded(request)} as em_needed \\gset`] : []),
  ].join('\n');
}

function renderStands(request: ScriptRequest): string {
  const { tables, range, steps, done } = request;
  const { direction, standing } = range;
  // Which of the script's own are there is what `skipped` is about; once all of them are, it does not matter what else is.
  const mayDiffer = done === 'skipped' ? idsOf(steps) : `array[]::text[]`;
  const start = standing.at(-1)?.name ?? 'base';
  return block(
    `select pg_catalog.string_agg(id, ', ') into missing from pg_catalog.unnest(${idsOf(standing)}) id
    where id not in (select ${idOf('name')} from ${tables.history}) and id <> all (${mayDiffer});
  select pg_catalog.string_agg(name, ', ') into other from ${tables.history}
    where ${idOf('name')} <> all (${idsOf(standing)}) and ${idOf('name')} <> all (${mayDiffer});
  if (missing is not null or other is not null)${done === 'skipped' ? ` and ${renderNeeded(request)}` : ''} then
    raise exception ${literal(`this script starts at ${start.replaceAll('%', '%%')}, and the database stands elsewhere: %`)},
      pg_catalog.concat_ws('; ', 'not applied: ' || missing, 'applied besides: ' || other)
      using hint = ${literal(`Make a script from where the database stands${direction === 'up' ? ' (ensure-migrated current)' : ''}. Nothing was changed.`)};
  end if;`,
    'missing text; other text;',
  );
}

// A row of knex's lock that a run of ours has set is that of a dead one, since we hold the migration lock.
function renderSound({ tables }: ScriptRequest): string {
  return block(
    `select pg_catalog.string_agg(j.id, ', ') into stopped from ${latestEntries(tables)} j
    where j.detail ->> 'status'::text in ('started', 'unfinished')
      and (j.detail ->> 'direction'::text = 'down') = exists (select from ${tables.history} h where ${idOf('h.name')} = j.id);
  if stopped is not null then
    raise exception 'stopped half-way outside a transaction: %', stopped using hint = 'Settle it first (ensure-migrated status). Nothing was changed.';
  end if;
  if exists (select from ${tables.lock} l where is_locked = 1 and not exists (select from ${tables.journal}
    where kind = 'owner' and detail ->> 'state'::text = 'active' and detail ->> 'flag'::text = l.xmin::text)) then
    raise exception 'knex''s own lock is set' using hint = 'Wait for the other run; when none is alive: ensure-migrated repair lock. Nothing was changed.';
  end if;`,
    'stopped text;',
  );
}

function renderNeeded({ tables, range, steps }: ScriptRequest): string {
  const there = `(select count(*) from ${tables.history} where ${idOf('name')} = any (${idsOf(steps)}))`;
  return range.direction === 'up' ? `${there} < ${steps.length}` : `${there} > 0`;
}

/** Makes the history ours, as a boot does: see claimHistory(). When psql stops half-way, the next boot finds that this run is dead. */
export function renderClaim({ call, tables, steps }: ScriptRequest): string {
  const { lock, journal } = tables;
  return [
    '-- Sets the lock of `knex migrate`, and says who has.',
    `insert into ${lock} (is_locked) select 0 where not exists (select from ${lock});`,
    `delete from ${lock} where index <> (select min(index) from ${lock});`,
    `update ${lock} set is_locked = 1;`,
    renderOwner(tables, { ...ownerOf(call), state: 'active', ...(steps[0] && { migration: steps[0].name }), step: 1, of: steps.length }),
    `update ${journal} set detail = detail || pg_catalog.jsonb_build_object('flag', (select xmin::text from ${lock}),
  'pid', pg_catalog.pg_backend_pid(), 'since', pg_catalog.clock_timestamp()) where kind = 'owner';`,
    'commit;',
  ].join('\n');
}

/** Who runs the script is not known here; the server adds its pid. */
export function ownerOf({ id, config }: ScriptRequest['call']): Owner {
  const { name } = config.application;
  return { state: 'clear', run: id, pid: 0, host: 'psql', processId: 0, application: name, since: new Date(0).toISOString() };
}

function block(body: string, declared?: string): string {
  return `do ${literal(`${declared === undefined ? '' : `declare ${declared} `}begin\n  ${body}\nend`)};`;
}
