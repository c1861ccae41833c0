import type { Call } from '../call.js';
import type { Member } from '../errors.js';
import { placed, type Finding } from '../finding.js';
import { outcomeOf, statusOfAll, withFindings, type Outcome, type TenantOutcome } from '../outcome.js';

/** What the call came to: one outcome for all tenants, each of which is told in it. Pure but for the timings of the call. */
export function tell(call: Call, members: readonly Member[], backup: string | undefined): Outcome {
  const outcomes = members.flatMap(({ outcome }) => (outcome ? [outcome] : []));
  const whole = outcomeOf(call, {
    status: statusOfAll(outcomes),
    from: shared(outcomes.map(({ from }) => from)),
    to: shared(outcomes.map(({ to }) => to)),
    applied: outcomes.flatMap(({ applied }) => applied),
    backup,
  });
  const tenants = Object.freeze(members.flatMap(({ name, outcome }) => (outcome ? [tenantOutcome(name, outcome)] : [])));
  return Object.freeze({ ...withFindings(whole, findingsOf(members)), tenants });
}

function tenantOutcome(name: string, { status, from, to, applied, backfills }: Outcome): TenantOutcome {
  return Object.freeze({ name, status, from, to, applied, ...(backfills && { backfills }) });
}

function shared(values: readonly (string | undefined)[]): string | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}

const shownCount = 5;

// What is the same everywhere is told once, with who has it.
function findingsOf(members: readonly Member[]): Finding[] {
  const groups = new Map<string, { readonly finding: Finding; readonly names: string[] }>();
  for (const { name, outcome } of members) {
    for (const finding of outcome?.findings ?? []) {
      const key = JSON.stringify(finding);
      const group = groups.get(key) ?? { finding, names: [] };
      groups.set(key, group);
      group.names.push(name);
    }
  }
  return [...groups.values()].map(({ finding, names }) => placed(finding, named(names)));
}

function named(names: readonly string[]): string {
  const more = names.length > shownCount ? ` and ${names.length - shownCount} more` : '';
  return `tenant${names.length > 1 ? 's' : ''} ${names.slice(0, shownCount).join(', ')}${more}`;
}
