import type pg from 'pg';
import { isStronger } from '../../../src/lock-mode.js';
import { Wire } from '../../../src/session/index.js';
import { traceStatements, type TracedLock, type TracedStatement } from '../../../src/trace/index.js';
import type { TestDatabase } from '../../support/servers.js';
import { createExampleDatabase } from '../fixture.js';
import { corpusSchema, type Entry } from './entries.js';

/** A database with the tables of the corpus. */
export async function createCorpusDatabase(): Promise<TestDatabase> {
  const database = await createExampleDatabase();
  await database.query(corpusSchema);
  return database;
}

/** What an entry was seen to do: `scan: alter table ...`; undefined where it blocks nobody, or not for long. */
export interface Truth {
  readonly seen: string | undefined;
  /** The strong locks on large tables that it has taken, whatever it does under them. */
  readonly locks: readonly string[];
}

/** Runs entries on a real server. */
export class Tracing {
  private constructor(
    private readonly kept: Wire,
    private readonly spent: Wire,
    /** The kinds of those with few rows, and of materialized views; under a new name a table counts as large. */
    private readonly others: ReadonlyMap<string, 'small' | 'view'>,
  ) {}

  /** `kept`: what runs there is rolled back. `spent`: what has to commit changes it, one entry after the other. */
  static async of({ kept, spent }: { kept: pg.Client; spent: pg.Client }): Promise<Tracing> {
    const { rows } = await kept.query<{ name: string; kind: 'small' | 'view' }>(
      `select format('%I.%I', relnamespace::regnamespace, relname) as name,
         case when reltuples < 1000 then 'small' else 'view' end as kind
       from pg_class where relkind = 'v' or relkind in ('r', 'p', 'm') and (reltuples < 1000 or relkind = 'm')`,
    );
    return new Tracing(new Wire(kept), new Wire(spent), new Map(rows.map(({ name, kind }) => [name, kind])));
  }

  async see({ migrations }: Entry): Promise<Truth> {
    const truths: Truth[] = [];
    for (const { transaction, statements } of migrations) {
      const rolledBack = migrations.length === 1 && transaction && !statements.some((sql) => /\bcommit\b(?! drop)/.test(sql));
      const wire = rolledBack ? this.kept : this.spent;
      const sent = rolledBack || !transaction ? statements : ['begin', ...statements, 'commit'];
      const traced = await traceStatements({ wire, statements: sent, transaction: rolledBack ? 'rolled-back' : 'none' });
      truths.push(...traced.map((statement) => this.truthOf(statement)));
    }
    return { seen: truths.find(({ seen }) => seen !== undefined)?.seen, locks: truths.flatMap(({ locks }) => locks) };
  }

  private truthOf(statement: TracedStatement): Truth {
    const blocking = statement.held.filter((lock) => this.blocks(lock));
    const locks = blocking.filter(({ table }) => this.others.get(table) !== 'small').map(({ mode, table }) => `${mode} on ${table}`);
    const seen = statement.error
      ? `fails with ${statement.error.code}`
      : blocking.length > 0
        ? this.workOf(statement, blocking)
        : undefined;
    return { seen: seen && `${seen}: ${statement.sql}`, locks };
  }

  // Nobody writes to a materialized view. A small table counts while a large one is worked on.
  private blocks({ mode, table }: TracedLock): boolean {
    return isStronger(mode, this.others.get(table) === 'view' ? 'EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE');
  }

  private workOf({ rewritten, indexesBuilt, scanned }: TracedStatement, blocking: readonly TracedLock[]): string | undefined {
    const isLarge = (table: string) => this.others.get(table) !== 'small';
    if (rewritten.some(isLarge)) return 'rewrite';
    if (indexesBuilt.length > 0 && blocking.some(({ table }) => isLarge(table))) return 'index';
    return scanned.some(isLarge) ? 'scan' : undefined;
  }
}
