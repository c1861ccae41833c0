import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { counted } from '../counted.js';
import { talliesOf, type Tally } from './tally.js';
import type { Template } from './template.js';
import { ticketKey, type Ticket } from './ticket.js';

/**
 * For `reporters`, beside another one: after each run a line that says what its test databases came to, to where vitest prints its summary; none
 * where no test had one. Of shards it tells all of them with `--merge-reports`.
 */
export default class DatabaseReporter implements Reporter {
  private logger: Vitest['logger'] | undefined;

  /** Remembers where vitest prints. */
  onInit({ logger }: Vitest): void {
    this.logger = logger;
  }

  /** Prints the line. */
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = [...groupDatabases(modules).values()].map(renderLine);
    if (lines.length > 0) this.logger?.log(`${lines.join('\n')}\n`);
  }
}

interface Group {
  readonly label: string;
  /** Undefined where reports are merged: nothing was set up then. */
  readonly template: Template | undefined;
  readonly tallies: readonly Tally[];
}

/** One for each database of each project that some test has used. */
function groupDatabases(modules: readonly TestModule[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const module of modules) {
    for (const [name, tally] of talliesOf(module.meta())) {
      const label = ['ensure-migrated', module.project.name, name === 'default' ? '' : name].filter(Boolean).join(' ');
      const { template = templateOf(module, name), tallies = [] } = groups.get(label) ?? {};
      groups.set(label, { label, template, tallies: [...tallies, tally] });
    }
  }
  return groups;
}

function templateOf({ project }: TestModule, name: string): Template | undefined {
  const provided = project.getProvidedContext() as unknown as Readonly<Record<string, Ticket | undefined>>;
  return provided[ticketKey(name)]?.template;
}

function renderLine({ label, template, tallies }: Group): string {
  const databaseCount = tallies.reduce((sum, tally) => sum + tally.databaseCount, 0);
  const resetsMs = tallies.flatMap((tally) => tally.resetsMs).sort((one, other) => one - other);
  const parts = [...(template === undefined ? [] : [renderTemplate(template)]), counted(databaseCount, 'database'), renderResets(resetsMs)];
  return ` ${label}  ${parts.join(' · ')}`;
}

function renderTemplate({ migrationCount, buildMs }: Template): string {
  return `${counted(migrationCount, 'migration')}, template ${buildMs === undefined ? 'reused' : `built in ${Math.round(buildMs)} ms`}`;
}

function renderResets(sortedMs: readonly number[]): string {
  const [median, slowest] = [sortedMs[Math.floor(sortedMs.length / 2)], sortedMs.at(-1)];
  if (median === undefined || slowest === undefined) return 'no resets';
  return `${counted(sortedMs.length, 'reset')} (median ${Math.round(median)} ms, slowest ${Math.round(slowest)} ms)`;
}
