import type { ActionOf, IndexDefinition } from '../actions/index.js';
import { indexName, type Catalog, type QualifiedName, type Relation } from '../catalog/index.js';
import { changed } from '../change.js';
import { defineRule, type Harm, type Judging, type Write } from '../rule.js';
import { isLarge } from '../surroundings.js';
import { nameWords, outsideWords, tableWords, waitWords } from '../words.js';

export const concurrentlyOnPartitioned = defineRule({
  id: 'concurrently-on-partitioned',
  on: ['create-index', 'drop'],
  spares: 'small',
  find(action, at) {
    return action.kind === 'drop' ? ofDrop(action, at) : ofCreate(action, at);
  },
});

function ofDrop({ object, name, concurrently }: ActionOf<'drop'>, { catalog }: Judging): Harm | undefined {
  const index = catalog.relation(name);
  if (object !== 'index' || !concurrently || index.kind !== 'I') return undefined;
  return {
    message: `drop index concurrently fails with 0A000: ${nameWords(index)} is an index of a partitioned table`,
    remedy: `Write \`drop index ${nameWords(index)}\` alone in a migration of its own: it locks the table and all of its partitions until it ends.`,
  };
}

function ofCreate({ table, index }: ActionOf<'create-index'>, at: Judging): Harm | undefined {
  const relation = at.catalog.relation(table);
  if (relation.kind !== 'p') return undefined;
  const remedy: Harm['remedy'] = (write) => stepsOf({ index, relation, at, write });
  if (index.concurrently)
    return { message: `create index concurrently fails with 0A000: ${nameWords(relation)} is a partitioned table`, remedy }; // also where it is small
  if (index.only || at.effects[0]?.work === undefined) return undefined;
  const message = `create index locks ${tableWords(relation)} and all of its partitions in SHARE mode: ${waitWords('SHARE')} until the last build ends`;
  const blocked = at.effects.map((effect) => effect.relation).find((each) => isLarge(each, at));
  return { table: blocked ?? relation, message, remedy }; // a new one may have large partitions
}

interface Building {
  readonly index: IndexDefinition;
  readonly relation: Relation;
  readonly at: Judging;
  readonly write: Write;
}

function stepsOf({ index, relation, at, write }: Building): string {
  const { catalog, statement, step } = at;
  const nameFor = (owner: QualifiedName) => (owner === relation ? index.name : undefined) ?? indexName(owner, index.columns);
  const on = (owner: QualifiedName, how: 'only' | 'concurrently') =>
    changed({ ...statement, write }, 'IndexStmt', ({ relation: { inh: _, schemaname: _schema, ...rest } = {}, ...body }) => ({
      ...body,
      idxname: nameFor(owner),
      relation: { ...rest, relname: owner.name, ...schemaOf(owner), ...(how === 'concurrently' && { inh: true }) }, // without it: ONLY
      concurrent: how === 'concurrently',
    }));
  const below = descendantsOf(relation, catalog);
  const parents = [relation, ...below.map(({ child }) => child).filter(({ kind }) => kind === 'p')];
  const leaves = below.map(({ child }) => child).filter(({ kind }) => kind !== 'p');
  const attached = below.map(
    ({ parent, child }) => `alter index ${indexWords(parent, nameFor(parent))} attach partition ${indexWords(child, nameFor(child))}`,
  );
  const alone = `Make the index of the parent alone, which is instant: ${listed(parents.map((each) => on(each, 'only')))}.`;
  if (below.length === 0) return alone;
  const built = listed(leaves.map((each) => on(each, 'concurrently')));
  return `${alone} Then build it on each partition, and ${outsideWords(step)} for that: ${built}. Then attach them: ${listed(attached)}.`;
}

const writtenOut = 12;

function listed(statements: readonly string[]): string {
  const more = statements.length - writtenOut;
  const shown = statements.slice(0, writtenOut).map((each) => `\`${each}\``);
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more like them` : ''}`;
}

interface Descendant {
  readonly parent: Relation;
  readonly child: Relation;
}

function descendantsOf(parent: Relation, catalog: Catalog): Descendant[] {
  return parent.partitions.flatMap((each) => {
    const child = catalog.relation(each);
    return [{ parent, child }, ...descendantsOf(child, catalog)];
  });
}

// It lives where its table does.
function indexWords({ schema }: QualifiedName, name: string): string {
  return nameWords({ schema, name });
}

function schemaOf({ schema }: QualifiedName): { readonly schemaname?: string } {
  return schema === 'public' ? {} : { schemaname: schema };
}
