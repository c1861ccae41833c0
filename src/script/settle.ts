import { wakePrefix } from '../lock.js';
import { jsonLiteral, literal } from '../sql.js';
import { ownerOf } from './guard.js';
import { idOf, latestEntries, lockNumbers } from './names.js';
import type { ScriptRequest } from './script.js';

/** Lets knex go on, and leaves the owner row of a run that ended well: with the digest by which the next boot knows that nothing is pending. */
export function renderSettle({ call, tables }: ScriptRequest): string {
  const { state, host, processId, application, run } = ownerOf(call);
  const { history, lock, journal } = tables;
  const recorded = `from ${history} h left join ${latestEntries(tables)} j on j.id = ${idOf('h.name')}`;
  return [
    '-- The end: what a boot leaves behind when it is done.',
    'begin;',
    `update ${lock} set is_locked = 0;`,
    `update ${journal} set at = clock_timestamp(), detail = ${jsonLiteral({ state, run, host, processId, application })}
  || pg_catalog.jsonb_build_object('pid', detail -> 'pid'::text, 'since', detail -> 'since'::text, 'flag', detail -> 'flag'::text,
    'digest', (select ${digestSql} ${recorded}),
    'unknown', (select coalesce(pg_catalog.jsonb_agg(h.name order by h.id) filter (where j.detail ->> 'checksum'::text is null), '[]'::jsonb) ${recorded}))
  where kind = 'owner';`,
    'commit;',
  ].join('\n');
}

// digestOf(), by the server: what the history holds besides the script, and in which order, only it knows.
const lines = `pg_catalog.string_agg(h.name || E'\\n' || coalesce(j.detail ->> 'checksum'::text, '-') || E'\\n', '' order by h.id)`;
const digest = `pg_catalog.sha256(pg_catalog.convert_to(coalesce(${lines}, ''), 'UTF8'))`;
const digestSql = `pg_catalog.translate(pg_catalog.rtrim(pg_catalog.encode(${digest}, 'base64'), '='), '+/', '-_')`;

/** Lets go of the migration lock, and wakes those who wait. */
export function renderReleaseLock({ tables }: ScriptRequest): string {
  const { namespace, key } = lockNumbers(tables);
  const channel = `${literal(wakePrefix)} || ((${key})::bigint & 4294967295)`;
  return `select pg_catalog.pg_advisory_unlock(${namespace}, ${key}) as em_unlocked, pg_catalog.pg_notify(${channel}, '')::text as em_woken \\gset`;
}
