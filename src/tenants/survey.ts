import type { Call } from '../call.js';
import { sqlStateOf } from '../errors.js';
import { isOwner, tablesOf, type JournalEntry, type Owner } from '../history/index.js';
import { renderSettings, type Session } from '../session/index.js';
import type { Migration } from '../source/index.js';
import { compare, type State } from '../state.js';
import { foundOf, renderJournalQuery, renderNamesQuery, tablesQuery, type Found, type JournalRow, type NamesRow } from './survey-sql.js';

/** What a look at one tenant has shown. */
export interface Seen {
  readonly name: string;
  /** As a boot of this tenant alone would have it; undefined where only that can tell: there is no history yet, or it may not be read. */
  readonly state: State | undefined;
  readonly unfinishedBackfills: boolean;
  /** Of a run that is at work, or has died. */
  readonly owner: Owner | undefined;
}

export interface Survey {
  readonly seen: readonly Seen[];
  readonly maxConnections: number;
}

/**
 * A statement locks the tables, and the indexes, of all tenants that it asks: six locks for each. Of these the server has room for 6400 by default
 * (max_locks_per_transaction, for all sessions together), and many processes may ask at once.
 */
const partSize = 100;
const namesAtOnce = 5_000;

export interface SurveyRequest {
  readonly call: Call;
  readonly session: Session;
  readonly migrations: readonly Migration[];
}

/** Compares code and database for each tenant, in a few round trips. Takes no lock, writes nothing. */
export class Surveyor {
  private readonly judge: Judge;

  constructor(private readonly request: SurveyRequest) {
    this.judge = new Judge(request);
  }

  async survey(names: readonly string[]): Promise<Survey> {
    const seen: Seen[] = [];
    let maxConnections = Infinity;
    for (const part of partsOf(names, namesAtOnce)) {
      const found = await this.find(part);
      maxConnections = found.maxConnections;
      for (const tenants of partsOf(found.tenants, partSize)) seen.push(...(await this.look(tenants)));
    }
    return { seen, maxConnections };
  }

  /** Those that are not at head. Asks the last first, and ends with the first part that has one: the others are taken as they were. */
  async stillBehind(names: readonly string[]): Promise<{ readonly names: readonly string[]; readonly seen: readonly Seen[] }> {
    for (const [index, part] of [...partsOf(names, partSize).entries()].reverse()) {
      const { seen } = await this.survey(part);
      const behind = seen.filter(isBehind);
      if (behind.length > 0) return { names: [...names.slice(0, index * partSize), ...behind.map(({ name }) => name)], seen: behind };
    }
    return { names: [], seen: [] };
  }

  private async find(names: readonly string[]): Promise<{ readonly tenants: readonly Found[]; readonly maxConnections: number }> {
    const { call, session } = this.request;
    const { tableName } = call.config.migrations;
    const tables = tablesOf({ tableName, schemaName: undefined }).names;
    const values = [names, tables.history, tables.journal, tables.backfills];
    const rows = await session.query<Omit<Found, 'tables'> & { readonly maxConnections: number }>(tablesQuery, values);
    return { tenants: rows.map((row) => foundOf(row, tableName)), maxConnections: rows[0]?.maxConnections ?? Infinity };
  }

  private async look(tenants: readonly Found[]): Promise<readonly Seen[]> {
    const rows = await this.ask<NamesRow>(
      tenants.filter(({ history }) => history),
      renderNamesQuery,
    );
    const undecided = [...rows.entries()].filter(([found, row]) => this.judge.state(found, row)?.undecided).map(([found]) => found);
    const journals = await this.ask<JournalRow>(undecided, renderJournalQuery);
    return tenants.map((found) => {
      const row = rows.get(found);
      const state = row && this.judge.state(found, row, journals.get(found));
      return { name: found.name, state, unfinishedBackfills: row?.unfinished ?? false, owner: row && this.judge.ownerOf(row) };
    });
  }

  private async ask<Row extends NamesRow | JournalRow>(
    tenants: readonly Found[],
    render: (part: readonly Found[]) => string,
  ): Promise<Map<Found, Row>> {
    if (tenants.length === 0) return new Map();
    try {
      const rows = await this.request.session.query<Row>(`${patience} ${render(tenants)}`);
      for (const row of rows) this.judge.learn(row);
      return new Map(rows.map((row) => [tenants[row.at] as Found, row]));
    } catch (error) {
      if (!isOfOne(error, tenants)) throw error;
      if (tenants.length === 1) return new Map(); // its own boot says what is the matter
      const half = Math.ceil(tenants.length / 2);
      return new Map([...(await this.ask<Row>(tenants.slice(0, half), render)), ...(await this.ask<Row>(tenants.slice(half), render))]);
    }
  }
}

// For this message alone: behind a pooler the session is not ours. A tenant whose tables somebody has locked holds up the others no longer than it takes to find it.
const patience = renderSettings([['lock_timeout', '500']], 'local');

// A table or a schema that has gone meanwhile, a right on it, tables that are not as ours are, are broken or locked; and too many locks at once, which one alone is not.
function isOfOne(error: unknown, tenants: readonly unknown[]): boolean {
  const state = sqlStateOf(error) ?? '';
  return /^(21|22|3F|42|55P03|XX)/.test(state) || (state === '53200' && tenants.length > 1);
}

function partsOf<T>(all: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, part) => all.slice(part * size, (part + 1) * size));
}

/** Whether a boot has something to do there. */
export function isBehind({ state }: Seen): boolean {
  return state?.inSync !== true;
}

/** Compares each history that is not like another one once: most tenants are alike. */
class Judge {
  private readonly texts = new Map<string, string>();
  private readonly states = new Map<string, State | undefined>();

  constructor(private readonly request: SurveyRequest) {}

  learn(row: NamesRow | JournalRow): void {
    const text = 'names' in row ? row.names : row.journal;
    if (row.hash !== null && text !== null) this.texts.set(row.hash, text);
  }

  /** As readState() has it: the journal is needed where the state without it is undecided. */
  state({ journal }: Found, { hash, owner }: NamesRow, read?: JournalRow): State | undefined {
    const key = [hash, journal, owner, read?.hash].join('\n');
    if (!this.states.has(key)) {
      const entries = journal !== 'known' ? [] : read && (JSON.parse(this.texts.get(read.hash ?? '') ?? '[]') as JournalEntry[]);
      this.states.set(key, this.compare(hash, owner, entries));
    }
    return this.states.get(key);
  }

  ownerOf({ owner }: NamesRow): Owner | undefined {
    const parsed: unknown = owner === null ? undefined : JSON.parse(owner);
    return isOwner(parsed) ? parsed : undefined;
  }

  private compare(hash: string | null, owner: string | null, journal: readonly JournalEntry[] | undefined): State | undefined {
    const { call, migrations } = this.request;
    const { mode, rules, baseline } = call.config;
    const applied = (this.texts.get(hash ?? '') ?? '').split('\n').filter((name) => name !== '');
    if (owner !== null && !isOwner(JSON.parse(owner))) return undefined; // its own boot refuses it
    if (applied.length === 0 && baseline !== undefined) return undefined; // whether there are tables is to be asked
    return compare({ migrations, applied, owner: this.ownerOf({ owner } as NamesRow), mode, rules, unmanaged: [], journal });
  }
}
