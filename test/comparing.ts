import type { Compared } from '../src/answers.js';
import { resolveConfig, type RulesInput } from '../src/config/index.js';
import type { Attempt, JournalEntry, Owner } from '../src/history/index.js';
import { migrationId, type Migration } from '../src/source/index.js';
import { compare, type State } from '../src/state.js';

/** A migration as listed: nothing of it can be loaded. */
export function migration(name: string, checksum: string | undefined = `js:${name}`): Migration {
  return { name, id: migrationId(name), file: `/srv/${name}`, checksum, load: () => Promise.reject(new Error('nothing is loaded here')) };
}

/** Of a run that ended well. */
export const owner: Owner = {
  state: 'clear',
  run: 'r1',
  pid: 7,
  host: 'web-1',
  processId: 8,
  application: 'api',
  since: '2024-05-01T10:00:00Z',
};

/** What the journal says of a migration that was applied. */
export function entry(name: string, detail: Partial<Attempt> = {}): JournalEntry {
  return {
    migration: name,
    kind: 'attempt',
    run: 'r1',
    at: new Date(0),
    detail: { direction: 'up', status: 'done', checksum: `js:${name}`, ...detail },
  };
}

/** The migrations of the code, all of them applied unless a test says otherwise. */
export const code = ['01_a.js', '02_b.js', '03_c.js'];
export const migrations = code.map((name) => migration(name));

/** Compares a database in sync with its code, but for what is given. */
export function comparing({ rules = {}, ...given }: Partial<Omit<Compared, 'rules'>> & { readonly rules?: RulesInput } = {}): State {
  return compare({
    migrations,
    applied: code,
    journal: code.map((name) => entry(name)),
    owner,
    mode: 'apply',
    ...given,
    rules: resolveConfig({ connection: 'postgres://localhost/none', rules }).rules,
  });
}
