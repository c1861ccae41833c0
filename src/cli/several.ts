import type { AllOptions, Options, ProgressEvent } from '../config/index.js';
import type { ConfigFile } from '../config-file/index.js';
import { orInternal, type MigrationError } from '../errors.js';
import { inLanes } from '../fleet.js';
import { onlySite, sitesOf, type Selection, type Site, type Where } from '../sites.js';
import { pageOf, placedAt, toldOfSites, type SiteTold } from './sites-text.js';
import { flagText, type Input, type Sites, type Told, type Verb } from './verb.js';

/** A verb, and what it is to work on. */
export interface SitesRequest {
  readonly verb: Verb;
  readonly file: ConfigFile;
  readonly input: Input;
  readonly onProgress: (event: ProgressEvent) => void;
}

const defaultWidth = 4;

/**
 * Runs a verb on each history that the configuration names and the flags choose. On one it is told as ever; on several in one table, or a section for each, and
 * one that fails does not hide the others.
 */
export async function runOnSites({ verb, file, input, onProgress }: SitesRequest): Promise<Told> {
  const kind = typeof verb.sites === 'function' ? verb.sites(input) : (verb.sites ?? 'one');
  const optionsOf = (site: Site): Options => ({
    ...site.options,
    logger: false,
    onProgress: (event) => onProgress({ ...event, ...whereOf(site) }),
  });
  if (kind === 'none') return await verb.run({ ...file.options, logger: false, onProgress }, input);
  const sites = await sitesFor(kind, { file, input });
  if (kind.startsWith('one') || sites.length === 1) {
    const site = onlySite(sites, verb.name);
    const told = await verb.run(optionsOf(site), input);
    return told.page ? { ...told, page: pageOf({ where: whereOf(site), told }) } : told;
  }
  if (verb.runAll && isWhole(input)) return await verb.runAll(chosenOf(file, sites), { onProgress });
  return toldOfSites(await runOnEach(verb, { sites, optionsOf, input, width: file.several?.concurrency ?? defaultWidth }));
}

async function sitesFor(kind: Sites, { file, input }: Pick<SitesRequest, 'file' | 'input'>): Promise<readonly Site[]> {
  const options = file.several ?? file.options;
  const selection = selectionOf(input);
  if (!kind.endsWith('files')) return await sitesOf(options, selection);
  return unlike(await sitesOf(options, { ...selection, tenant: undefined }, 'as one'));
}

function selectionOf(input: Pick<Input, 'flags'>): Selection {
  return { database: flagText(input, 'database'), tenant: flagText(input, 'tenant'), stream: flagText(input, 'stream') };
}

function whereOf({ options: _, ...where }: Site): Where {
  return where;
}

function unlike(sites: readonly Site[]): readonly Site[] {
  return sites.filter(({ options }, index) => sites.findIndex((other) => other.options.migrations === options.migrations) === index);
}

// Nothing of a database is left out, and head is the target: that is what a boot does.
function isWhole({ args, flags }: Input): boolean {
  return args.length === 0 && flags['tenant'] === undefined && flags['stream'] === undefined;
}

function chosenOf({ several, options }: ConfigFile, sites: readonly Site[]): Options | AllOptions {
  if (!several) return options;
  const names = new Set(sites.map(({ database }) => database));
  return { ...several, databases: several.databases.filter(({ name }) => names.has(name)) };
}

interface EachRequest {
  readonly sites: readonly Site[];
  readonly optionsOf: (site: Site) => Options;
  readonly input: Input;
  readonly width: number;
}

async function runOnEach(verb: Verb, { sites, optionsOf, input, width }: EachRequest): Promise<SiteTold[]> {
  const told: SiteTold[] = sites.map((site) => ({ where: whereOf(site) }));
  await inLanes(sites, verb.writes ? 1 : width, async (site, index) => {
    const result = await runOne(verb, optionsOf(site), input);
    const where = whereOf(site);
    told[index] = { where, ...result, findings: placedAt(where, result.told?.findings ?? []) };
    return result.error && (verb.writes || result.error.code === 'EM_ABORTED') ? 'begin no more' : 'go on';
  });
  return told;
}

async function runOne(verb: Verb, options: Options, input: Input): Promise<{ told?: Told; error?: MigrationError }> {
  try {
    return { told: await verb.run(options, input) };
  } catch (error) {
    return { error: orInternal(error) };
  }
}
