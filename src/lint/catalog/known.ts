import type { Action } from '../actions/index.js';
import { Catalog } from './catalog.js';
import { readFacts, type Facts, type Query, type Wanted } from './facts.js';
import { withSizes, type Sizes } from './sizes.js';
import { wantedBy } from './wanted.js';

/** What has been asked of the database so far: each name once. */
export class KnownFacts {
  private readonly facts: Facts[] = [];
  private readonly asked = {
    relations: new Set<string>(),
    types: new Set<string>(),
    functions: new Set<string>(),
    schemas: new Set<string>(),
  };

  /** Without a query there is no database. */
  constructor(
    private readonly query: Query | undefined,
    private readonly sizes: Sizes = 'measured',
  ) {}

  /** Asks about what these actions name and nobody has asked about: one query, or none. The catalogs learn it. */
  async learn(actions: readonly Action[], catalogs: readonly Catalog[] = []): Promise<void> {
    const wanted = this.notAsked(wantedBy(actions));
    if (this.query === undefined || (this.facts.length > 0 && isNothing(wanted))) return;
    const facts = await withSizes(await readFacts(this.query, wanted), this.sizes, wanted);
    this.facts.push(facts);
    for (const kind of ['relations', 'types', 'functions', 'schemas'] as const) for (const name of wanted[kind]) this.asked[kind].add(name);
    for (const catalog of catalogs) catalog.learn(facts);
  }

  /** The database as it was when it was asked. */
  catalog(): Catalog {
    const [first, ...others] = this.facts;
    const catalog = new Catalog(first);
    for (const facts of others) catalog.learn(facts);
    return catalog;
  }

  private notAsked(wanted: Wanted): Wanted {
    const fresh = (kind: keyof Wanted) => wanted[kind].filter((name) => !this.asked[kind].has(name));
    const schemas = fresh('schemas');
    // What has been asked before may be there, too.
    const relations = schemas.length === 0 ? fresh('relations') : [...new Set([...this.asked.relations, ...wanted.relations])];
    return { relations, types: fresh('types'), functions: fresh('functions'), schemas: [...new Set([...this.asked.schemas, ...schemas])] };
  }
}

function isNothing({ relations, types, functions }: Wanted): boolean {
  return relations.length + types.length + functions.length === 0;
}
