import type { AllOptions, Options } from '../config/index.js';
import { ensureMigrated } from '../ensure.js';
import { ensureAllMigrated } from '../ensure-all.js';
import { isMigrationError, type Member } from '../errors.js';
import type { Outcome } from '../outcome.js';
import type { Where } from '../sites.js';
import { outcomeCells } from './cells.js';
import { toldOfSites, type SiteTold } from './sites-text.js';
import { outcomeText } from './text.js';
import type { Told } from './verb.js';

/** An upgrade of whole databases to head, on the paths of the library; nobody is left at work on backfills when it ends. */
export async function upgradeAll(options: Options | AllOptions): Promise<Told> {
  return toldOfSites(await upgraded(options));
}

async function upgraded(options: Options | AllOptions): Promise<SiteTold[]> {
  const kind = 'databases' in options ? 'database' : 'tenant';
  try {
    if (!('databases' in options)) return outcomeTold({}, await ensureMigrated(applying(options)));
    const databases = options.databases.map((entry) => applying({ backfills: options.backfills, ...entry }));
    const outcomes = await ensureAllMigrated({ ...options, mode: 'apply', databases });
    return outcomes.flatMap(({ name, ...outcome }) => outcomeTold({ database: name }, outcome));
  } catch (error) {
    if (!isMigrationError(error, 'EM_NOT_ALL_MIGRATED')) throw error;
    return error.members.flatMap((member) => memberTold({ [kind]: member.name }, member));
  }
}

function applying<Given extends Pick<Options, 'backfills' | 'mode'>>(options: Given): Given {
  const { backfills = process.env['ENSURE_MIGRATED_BACKFILLS'] } = options;
  return { ...options, mode: 'apply', backfills: backfills === 'blocking' ? 'blocking' : 'manual' };
}

// A database of which some tenants have failed says so in its error.
function memberTold(where: Where, { outcome, error }: Member): SiteTold[] {
  if (outcome) return outcomeTold(where, outcome);
  if (!error || error.members.length === 0) return [{ where, ...(error && { error }) }];
  return error.members.flatMap((member) => memberTold({ ...where, tenant: member.name }, member));
}

function outcomeTold(where: Where, outcome: Outcome): SiteTold[] {
  return [{ where, told: { result: outcome, text: (screen) => outcomeText(outcome, screen), rows: [outcomeCells(outcome)] } }];
}
