// Measures beside knex's own migrator and a bare pg client, in one run, each pair in turn; writes docs/performance.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { openProxy } from '../test/support/wire-proxy.js';
import { openPlace, type Place } from './place.js';
import { herd, measure, median, type Sample, type Tool } from './runner.js';

const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 15;
const sizes = quick ? [10, 100] : [10, 100, 1000];
const names: Record<Tool, string> = { pg: 'bare pg', knex: 'knex', each: "transaction 'each'", all: "transaction 'all'" };
const tell = (line: string) => process.stderr.write(`${line}\n`);

await using place = await openPlace();
const sections = [await upToDate(place), await apply(place), await herds(place)];
write(sections.join('\n\n'));

/** A boot with nothing to do. */
async function upToDate({ createDatabase, migrations, server }: Place): Promise<string> {
  const rows: string[] = [];
  for (const size of sizes) {
    const [url, directory] = [await createDatabase(), migrations(size)];
    await measure('knex', url, directory);
    await measure('each', url, directory); // adds what the journal needs: nothing, as nothing is pending
    for (const latencyMs of [0, 5]) {
      const proxy = await openProxy(server.url);
      proxy.setLatency(latencyMs);
      const target = latencyMs === 0 ? url : proxy.urlOf(url);
      const samples = await inTurn(['pg', 'each', 'knex'], (tool) => measure(tool, target, directory));
      const [pg, ours, knex] = (['pg', 'each', 'knex'] as const).map((tool) => median(samples[tool].map(({ callMs }) => callMs))) as [
        number,
        number,
        number,
      ];
      rows.push(row([size, latencyMs, ms(pg), ms(ours), ms(knex), ratio(ours / pg), ratio(ours / knex)]));
      tell(rows.at(-1) ?? '');
      await proxy.close();
    }
  }
  const [url, directory] = [await createDatabase(), migrations(10)];
  await measure('each', url, directory);
  const wire = await onTheWire(place);
  const samples = await inTurn(['pg', 'each', 'knex'], (tool) => measure(tool, url, directory), 5);
  const imports = (['pg', 'each', 'knex'] as const).map((tool) => median(samples[tool].map(({ importMs }) => importMs)));
  return [
    '## Up to date\n',
    table(['applied', 'added latency, ms', 'bare pg, ms', 'ensure-migrated, ms', 'knex, ms', 'to bare pg', 'to knex'], rows),
    '\nOn the wire, 100 applied:\n',
    table(['', 'connections', 'round trips', 'statements'], wire),
    `\nImport, median: pg ${ms(imports[0])} ms, ensure-migrated ${ms(imports[1])} ms (pg included), knex with pg ${ms(imports[2])} ms.`,
  ].join('\n');
}

/** The first boot: everything is pending. Round trips are counted in a run of their own. */
async function apply({ createDatabase, migrations }: Place): Promise<string> {
  const rows: string[] = [];
  for (const size of quick ? [1, 100] : [1, 100, 1000]) {
    const tools = ['each', 'all', 'knex'] as const;
    const samples = await inTurn(
      [...tools],
      async (tool) => await measure(tool, await createDatabase(), migrations(size)),
      quick ? 1 : size === 1000 ? 3 : 7,
    );
    for (const tool of tools) {
      const trips = await counted(place, { tool, size });
      rows.push(
        row([
          size,
          names[tool],
          ms(of(samples[tool], 'callMs')),
          trips.roundTrips,
          per(trips.roundTrips, size),
          trips.connections,
          ms(of(samples[tool], 'peakMb')),
        ]),
      );
      tell(rows.at(-1) ?? '');
    }
    const script = await counted(place, { tool: 'each', size, kind: 'sql' });
    rows.push(row([size, `${names.each}, .sql`, '', script.roundTrips, per(script.roundTrips, size), script.connections, '']));
  }
  return [
    '## Apply, one statement each\n',
    table(['migrations', '', 'ms', 'round trips', 'per migration', 'connections', 'peak memory, MB'], rows),
  ].join('\n');
}

/** Many processes boot at once on an empty database; 20 migrations. The floor: as many that only connect and ask. */
async function herds({ createDatabase, migrations }: Place): Promise<string> {
  const rows: string[] = [];
  const directory = migrations(20);
  const alone = async (tool: Tool) => (await herd(tool, 1, { url: await createDatabase(), directory })).ms;
  const one = median([await alone('each'), await alone('each'), await alone('each')]);
  for (const count of quick ? [2, 10] : [2, 10, 30]) {
    const url = await createDatabase();
    const ours = await herd('each', count, { url, directory });
    const floor = await herd('pg', count, { url, directory });
    const knex = await herd('knex', count, { url: await createDatabase(), directory });
    rows.push(row([count, ms(ours.ms), ours.failedCount, ratio(ours.ms / one), ms(floor.ms), ms(knex.ms), knex.failedCount]));
    tell(rows.at(-1) ?? '');
  }
  const ourHeading = ['processes', 'ensure-migrated: all ready, ms', 'failed', 'to one process'];
  const heading = [...ourHeading, 'bare pg, only connects and asks, ms', 'knex: all ended, ms', 'failed'];
  return [`## A herd\n\nOne process alone: ${ms(one)} ms.\n`, table(heading, rows)].join('\n');
}

async function inTurn<T extends Tool>(tools: T[], run: (tool: T) => Promise<Sample>, times = rounds): Promise<Record<T, Sample[]>> {
  const samples = Object.fromEntries(tools.map((tool) => [tool, [] as Sample[]])) as Record<T, Sample[]>;
  for (let round = 0; round < times; round++) {
    for (const tool of tools) samples[tool].push(await measured(tool, run));
  }
  return samples;
}

async function measured<T extends Tool>(tool: T, run: (tool: T) => Promise<Sample>): Promise<Sample> {
  const sample = await run(tool);
  if (sample.failure !== undefined) throw new Error(`${tool}: ${sample.failure}`);
  return sample;
}

async function counted({ createDatabase, migrations, server }: Place, what: { tool: Tool; size: number; kind?: 'sql' }) {
  const proxy = await openProxy(server.url);
  await measure(what.tool, proxy.urlOf(await createDatabase()), migrations(what.size, what.kind));
  const counts = proxy.counts();
  await proxy.close();
  return counts;
}

async function onTheWire({ createDatabase, migrations, server }: Place): Promise<string[]> {
  const [url, directory] = [await createDatabase(), migrations(100)];
  await measure('each', url, directory);
  const rows: string[] = [];
  for (const tool of ['pg', 'each', 'knex'] as const) {
    const proxy = await openProxy(server.url);
    await measure(tool, proxy.urlOf(url), directory);
    const { connections, roundTrips, statements } = proxy.counts();
    rows.push(row([tool === 'each' ? 'ensure-migrated' : names[tool], connections, roundTrips, statements.length]));
    await proxy.close();
  }
  return rows;
}

function of(samples: readonly Sample[], key: 'callMs' | 'peakMb'): number {
  return median(samples.map((sample) => sample[key]));
}

function ms(value: number | undefined): string {
  return value === undefined ? '' : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function ratio(value: number): string {
  return value.toFixed(2);
}

function per(count: number, size: number): string {
  return (count / size).toFixed(2);
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function table(heading: readonly string[], rows: readonly string[]): string {
  return [row(heading), row(heading.map(() => '---')), ...rows].join('\n');
}

// What stands above and below the marks is written by hand.
function write(results: string): void {
  const file = join(import.meta.dirname, '../docs/performance.md');
  const [before = '', after = ''] = readFileSync(file, 'utf8').split(/<!-- results -->[\s\S]*<!-- \/results -->/);
  const machine = `Measured with Node ${process.version} on ${cpus().length} cores, PostgreSQL 18 on the same machine, fsync on; medians of ${rounds} rounds unless a row needs fewer.`;
  writeFileSync(file, `${before}<!-- results -->\n${machine}\n\n${results}\n<!-- /results -->${after}`);
}
