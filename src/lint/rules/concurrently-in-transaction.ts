import { everyTable, type ActionOf } from '../actions/index.js';
import { defineRule, type Judging } from '../rule.js';
import { surroundingOf, type Surrounding } from '../surroundings.js';
import { outsideWords } from '../words.js';

type Refusable = ActionOf<'create-index' | 'drop' | 'reindex' | 'detach-partition' | 'rewrite-table' | 'other'>;

export const concurrentlyInTransaction = defineRule({
  id: 'concurrently-in-transaction',
  on: ['create-index', 'drop', 'reindex', 'detach-partition', 'rewrite-table', 'other'],
  spares: 'none',
  find(action, at) {
    const refused = refusedAs(action, at);
    const surrounding = surroundingOf(at);
    if (refused === undefined || surrounding === undefined) return undefined;
    return {
      message: `${refused} fails with 25001: PostgreSQL refuses it inside ${insideWords[surrounding]}`,
      remedy: remedies[surrounding](outsideWords(at.step)),
    };
  },
});

const insideWords: Readonly<Record<Surrounding, string>> = {
  migration: 'a transaction, and this migration runs in one',
  begin: 'a transaction, and this migration has begun one',
  message: 'a transaction, and several statements in one message share one',
  block: 'a block of code',
};

const remedies: Readonly<Record<Surrounding, (outside: string) => string>> = {
  migration: (outside) => `Leave it alone in a migration of its own, and ${outside}.`,
  begin: () => 'Move it in front of the begin, or behind the commit.',
  message: () => 'Send each statement in a call of its own.',
  block: (outside) => `Take it out of the block into a migration of its own, and ${outside}.`,
};

/** The name of what PostgreSQL does only outside of a transaction (PreventInTransactionBlock); undefined for all else. */
function refusedAs(action: Refusable, { catalog }: Judging): string | undefined {
  switch (action.kind) {
    case 'create-index':
      return action.index.concurrently ? 'create index concurrently' : undefined;
    case 'drop':
      return action.concurrently ? 'drop index concurrently' : undefined;
    case 'detach-partition':
      return action.concurrently ? 'detach partition concurrently' : undefined;
    case 'reindex': {
      const isWide = action.object === 'schema' || action.object === 'database' || isPartitioned(catalog.relation(action.name).kind);
      return action.concurrently ? 'reindex concurrently' : isWide ? `reindex of a ${isWideName(action.object)}` : undefined;
    }
    case 'rewrite-table': {
      if (action.how === 'vacuum-full') return 'vacuum full';
      const isWide = action.table === everyTable || isPartitioned(catalog.relation(action.table).kind);
      return action.how === 'cluster' && isWide ? 'cluster of more than one table' : undefined;
    }
    case 'other':
      return others[action.statement];
  }
}

function isWideName(object: ActionOf<'reindex'>['object']): string {
  return object === 'schema' || object === 'database' ? object : `partitioned ${object}`;
}

function isPartitioned(kind: string): boolean {
  return kind === 'p' || kind === 'I';
}

const others: Readonly<Record<string, string>> = {
  VacuumStmt: 'vacuum',
  CreatedbStmt: 'create database',
  DropdbStmt: 'drop database',
  AlterDatabaseTablespaceStmt: 'alter database set tablespace',
  AlterSystemStmt: 'alter system',
  CreateTableSpaceStmt: 'create tablespace',
  DropTableSpaceStmt: 'drop tablespace',
  CreateSubscriptionStmt: 'create subscription',
  DiscardStmt: 'discard all',
};
