import { databasesOf, type AllOptions, type Options } from './config/index.js';
import { MigrationError } from './errors.js';

/** Where a history is, by the names that the options give. */
export interface Where {
  readonly database?: string;
  readonly tenant?: string;
  readonly stream?: string;
}

/** The names of a {@link Where}, from the widest to the narrowest. */
export const siteKinds = ['database', 'tenant', 'stream'] as const satisfies readonly (keyof Where)[];

/** One history of those that the options name, as the options of a call of its own. */
export interface Site extends Where {
  readonly options: Options;
}

/** Which of them are meant: a name, or a pattern in which `*` stands for any letters. */
export interface Selection {
  readonly database?: string | undefined;
  readonly tenant?: string | undefined;
  readonly stream?: string | undefined;
}

/** Of tenants: each for itself; or all of a database as one, since they have the same migrations. */
export type Tenants = 'each' | 'as one';

/**
 * Every history that the options name and the selection means, in the order in which they are brought to head; one without a name where there is nothing to choose
 * from. Asks a function that lists the tenants, connects to nothing. Throws EM_CONFIG_INVALID, with the names that there are, for a selection that means none.
 */
export async function sitesOf(options: Options | AllOptions, selection: Selection, tenants: Tenants = 'each'): Promise<readonly Site[]> {
  const databases = choose('database', databasesIn(options), selection);
  const streams = choose('stream', (await Promise.all(databases.map(streamsIn))).flat(), selection);
  const sites = tenants === 'each' ? (await Promise.all(streams.map(tenantsIn))).flat() : streams;
  return choose('tenant', sites, selection);
}

function databasesIn(options: Options | AllOptions): readonly Site[] {
  if (!isSeveral(options)) return [{ options }];
  return databasesOf(options).map(({ name, options: own }) => ({ database: name, options: own }));
}

async function streamsIn(site: Site): Promise<readonly Site[]> {
  if (site.options.streams === undefined) return [site];
  const { streamsOf } = await import('./streams/index.js');
  const places = streamsOf(site.options);
  return places.length === 0 ? [site] : places.map(({ name, options }) => ({ ...site, stream: name, options }));
}

async function tenantsIn(site: Site): Promise<readonly Site[]> {
  const { tenants, mode } = site.options;
  if (tenants === undefined) return [site];
  const { tenantsOf } = await import('./tenants/index.js');
  const places = await tenantsOf({ ...site.options, mode: 'off' }); // which needs no connection
  return places.map(({ name, options }) => ({ ...site, tenant: name, options: { ...options, mode } }));
}

function isSeveral(options: Options | AllOptions): options is AllOptions {
  return 'databases' in options;
}

function choose(kind: keyof Where, sites: readonly Site[], { [kind]: pattern }: Selection): readonly Site[] {
  if (pattern === undefined) return sites;
  // The schema of a tenant may have a `*` in its name.
  const isMeant = sites.some(({ [kind]: name }) => name === pattern) ? (name: string) => name === pattern : matcherOf(pattern);
  const chosen = sites.filter(({ [kind]: name }) => name !== undefined && isMeant(name));
  if (chosen.length > 0) return chosen;
  const names = [...new Set(sites.flatMap(({ [kind]: name }) => name ?? []))];
  const there = names.length === 0 ? `the options name no ${kind}s` : `there are ${listed(names)}`;
  throw new MigrationError('EM_CONFIG_INVALID', `no ${kind} is called "${pattern}": ${there}`, {
    remedy: `Give the name of one, or a pattern such as "eu-*". Nothing was changed.`,
  });
}

/** Whether a name is of a pattern in which `*` stands for any letters. Takes time in proportion to the name for each `*`: an expression would try every way to split it. */
export function matcherOf(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*');
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (parts.length === 1) return (name) => name === pattern;
  return (name) => {
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    const end = name.length - last.length;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const found = name.indexOf(part, at); // the earliest one leaves most for the others
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

const atMost = 20;

// Of thousands of tenants the first say enough.
function listed(names: readonly string[]): string {
  const more = names.length > atMost ? ` and ${names.length - atMost} more` : '';
  return `${names.slice(0, atMost).join(', ')}${more}`;
}

/** A name on a terminal: what would move the cursor, or colour what follows, is written as an escape. */
export function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** For people: `database eu, tenant acme`. */
export function whereText({ database, tenant, stream }: Where): string {
  const parts = { database, tenant, stream };
  return Object.entries(parts)
    .flatMap(([kind, name]) => (name === undefined ? [] : [`${kind} ${printable(name)}`]))
    .join(', ');
}

/** The one history that is meant. Throws EM_CONFIG_INVALID, with all of them, where several are. */
export function onlySite(sites: readonly Site[], what: string): Site {
  const [only, ...others] = sites;
  if (!only) throw new MigrationError('EM_CONFIG_INVALID', `${what} is about one history, and the options list no tenants`);
  if (others.length === 0) return only;
  const kinds = siteKinds.filter((kind) => new Set(sites.map(({ [kind]: name }) => name)).size > 1);
  throw new MigrationError(
    'EM_CONFIG_INVALID',
    `${what} is about one history, and these are ${sites.length}: ${listed(sites.map(whereText))}`,
    {
      remedy: `Choose one with ${kinds.map((kind) => `--${kind}`).join(' and ')}. Nothing was changed.`,
    },
  );
}
