import { variableOf, type AllOptions, type Options } from '../config/index.js';
import { ensureMigrated } from '../ensure.js';
import { ensureAllMigrated } from '../ensure-all.js';
import { isMigrationError, type Member } from '../errors.js';
import type { Outcome } from '../outcome.js';
import type { Where } from '../sites.js';
import { outcomeCells } from './cells.js';
import { placedAt, toldOfSites, type SiteTold } from './sites-text.js';
import { outcomeText } from './text.js';
import type { Told } from './verb.js';

/** An upgrade of whole databases to head, on the paths of the library; nobody is left at work on backfills when it ends. */
export async function upgradeAll(options: Options | AllOptions): Promise<Told> {
  const kind = 'databases' in options ? 'database' : 'tenant';
  try {
    return toldOfSites((await upgraded(options)).flatMap(({ where, outcome }) => outcomeTold(where, outcome)));
  } catch (error) {
    if (!isMigrationError(error, 'EM_NOT_ALL_MIGRATED')) throw error;
    return toldOfSites(error.members.flatMap((member) => memberTold({ [kind]: member.name }, member)));
  }
}

async function upgraded(options: Options | AllOptions): Promise<{ where: Where; outcome: Outcome }[]> {
  if (!('databases' in options)) return [{ where: {}, outcome: await ensureMigrated(applying(options)) }];
  const databases = options.databases.map((entry) => applying({ backfills: options.backfills, ...entry }));
  const outcomes = await ensureAllMigrated({ ...options, mode: 'apply', databases });
  return outcomes.map(({ name, ...outcome }) => ({ where: { database: name }, outcome }));
}

function applying<Given extends Pick<Options, 'backfills' | 'mode'>>(options: Given): Given {
  const { backfills = process.env[variableOf('backfills') ?? ''] } = options;
  return { ...options, mode: 'apply', backfills: backfills === 'blocking' ? 'blocking' : 'manual' };
}

// A database of which some tenants have failed says so in its error.
function memberTold(where: Where, { outcome, error }: Member): SiteTold[] {
  if (outcome) return outcomeTold(where, outcome);
  if (!error || error.members.length === 0) return [{ where, ...(error && { error }) }];
  return error.members.flatMap((member) => memberTold({ ...where, tenant: member.name }, member));
}

// Of a database with streams, or tenants, each of these is told.
function outcomeTold(where: Where, outcome: Outcome): SiteTold[] {
  const { streams, tenants, findings } = outcome;
  if (streams === undefined && tenants === undefined) return [{ ...toldOf(where, outcome), findings: placedAt(where, findings) }];
  const [first, ...others] = toldOfParts(where, outcome);
  return first ? [{ ...first, findings: placedAt(where, findings) }, ...others] : []; // which of the parts, they say themselves
}

function toldOfParts(where: Where, { streams = [], tenants = [] }: Outcome): SiteTold[] {
  return [
    ...streams.map(({ name, ...own }) => toldOf({ ...where, stream: name }, { ...own, findings: [], timings: {} })),
    ...tenants.map(({ name, ...own }) => toldOf({ ...where, tenant: name }, { ...own, findings: [], timings: {} })),
  ];
}

function toldOf(where: Where, outcome: Outcome): SiteTold {
  return { where, told: { result: outcome, text: (screen) => outcomeText(outcome, screen), rows: [outcomeCells(outcome)] } };
}
