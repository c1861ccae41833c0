import { messageOf, MigrationError } from '../errors.js';
import { coveredBy, differences, readBuilt, type Built } from '../likeness.js';
import { declare, inScratch, type ModelFile } from '../model/index.js';
import { replay } from '../replay.js';
import type { Line } from '../schema/index.js';
import { openScratch, type Scratch } from '../scratch.js';
import type { Session, Wire } from '../session/index.js';
import type { Workplace } from '../workplace.js';
import { judgeConversions } from './conversions.js';
import { keepCounting } from './counting.js';
import { tablesOf } from './cuts.js';
import type { Change, Differ, Read, Scope } from './differ.js';
import type { Rename } from './renames.js';
import { chooseRenames, findRenames, renderRenames } from './renames.js';
import type { Statement, Step } from './render.js';
import { divide, type Group } from './steps.js';

export interface Decisions {
  /** Renames that were decided, such as `patients.email:mail` or `public.patients:clients`. */
  readonly renames?: readonly string[] | undefined;
  /** Asked of each possible rename that `renames` leaves open. Not there: none is one. */
  readonly confirmRename?: ((rename: Rename) => Promise<boolean>) | undefined;
  /** Whether what destroys rows is written, too. Default false: EM_PLAN_REFUSED. */
  readonly allowDataLoss?: boolean | undefined;
}

/** The way from what the migrations make to what the model declares. */
export interface Way {
  readonly steps: readonly NamedStep[];
  readonly live: Built;
  readonly desired: Built;
}

export interface NamedStep extends Step {
  /** Undefined for what the message of the person says. */
  readonly what: string | undefined;
}

export interface Search {
  readonly place: Workplace;
  readonly differ: Differ;
  readonly files: readonly ModelFile[];
}

/**
 * Builds both sides in scratch databases and compares them; undefined where nothing differs. The live side is what the migrations make of an
 * empty database: no database has to be at head, and nothing that was changed by hand finds its way into a migration. Each step is run there,
 * so that what takes it back is computed from what it has really done.
 */
export async function findWay({ place, differ, files }: Search, decisions: Decisions): Promise<Way | undefined> {
  const { call, schema, migrations } = place;
  const look = async (session: Session) => covered(place, await readBuilt(session, place.tables, lockMsOf(place)));
  await using liveScratch = await openScratch(place);
  await using modelScratch = await openScratch(place);
  const live = await replay({ call, scratch: liveScratch, migrations, schema }, look);
  return await inScratch({ call, scratch: modelScratch, schema }, async (session) => {
    await declare(session, files);
    const desired = await look(session);
    if (differences(live, desired).length === 0) return undefined;
    await using wanted = await openWire(session, modelScratch);
    await using real = await openWire(session, liveScratch);
    const walk = new Walk({ place, differ, live, desired, real: real.wire });
    return { steps: await walk.steps(await differ.read(wanted.wire), decisions), live, desired };
  });
}

/** What the model is about. Pure. */
export function covered({ call }: Pick<Workplace, 'call'>, built: Built): Built {
  return call.config.schema === undefined ? built : coveredBy(call.config.schema, built);
}

function lockMsOf({ call }: Workplace): number {
  return call.config.timeouts.lockMs;
}

async function openWire(session: Session, { connection }: Scratch): Promise<AsyncDisposable & { readonly wire: Wire }> {
  const wire = await session.openSecond(connection, '/diff');
  return { wire, [Symbol.asyncDispose]: async () => await wire.close() };
}

interface Ground extends Omit<Way, 'steps'>, Pick<Search, 'place' | 'differ'> {
  /** To the live side, which every step changes. */
  readonly real: Wire;
}

interface Taken {
  readonly step: NamedStep;
  /** What it has led to, where that was read. */
  readonly after: Read | undefined;
}

class Walk {
  constructor(private readonly ground: Ground) {}

  async steps(desired: Read, decisions: Decisions): Promise<NamedStep[]> {
    const { differ, live, real } = this.ground;
    const possible = findRenames(live.schema, this.ground.desired.schema);
    const chosen = await decide(possible, decisions);
    const renames = renderRenames(chosen, { live: live.schema, desired: this.ground.desired.schema });
    for (const sql of renames.up) await this.send(sql);
    const start = await differ.read(real);
    const all = judgeConversions(differ.diff({ live: start, desired }, this.scope, 'concurrently'), this.lines);
    const changes = keepCounting(all, this.lines);
    refuseLoss(changes, openAmong(possible, chosen), decisions);
    const steps: NamedStep[] = [];
    let before: Read | undefined = start;
    const tables = this.ground.place.call.config.rules['multiple-table-locks'].level === 'off' ? 'together' : 'apart';
    for (const group of divide(changes, { live: live.schema.lines, tables })) {
      const { step, after }: Taken = group.down === 'computed' ? await this.step(group, before) : await this.knownStep(group, group.down);
      steps.push(step);
      before = after;
    }
    return withRenames(steps, renames);
  }

  /** Of what is there, then of what is to be. */
  private get lines(): readonly Line[] {
    return [...this.ground.live.schema.lines, ...this.ground.desired.schema.lines];
  }

  private get scope(): Scope {
    const { call, tables, schema } = this.ground.place;
    return { coverage: call.config.schema ?? { include: [], exclude: [] }, tables, schema };
  }

  private async step(group: Group, known: Read | undefined): Promise<Taken> {
    const { differ, real } = this.ground;
    const { what, transaction } = group;
    const before = known ?? (await differ.read(real));
    const up = await this.run(group);
    const after = await differ.read(real);
    const back = keepCounting(
      differ.diff({ live: after, desired: before }, this.scope, transaction ? 'plain' : 'concurrently'),
      this.lines,
    );
    return { step: { what, transaction, up, down: back.map((change) => backOf(change, transaction)) }, after };
  }

  // Where it leads to is read only if the next step asks.
  private async knownStep(group: Group, back: readonly string[]): Promise<Taken> {
    const { what, transaction } = group;
    const down = back.map((sql): Statement => ({ sql, loses: false }));
    return { step: { what, transaction, up: await this.run(group), down }, after: undefined };
  }

  private async run({ changes, transaction }: Group): Promise<Statement[]> {
    if (transaction) await this.send('begin');
    for (const { sql } of changes) await this.send(sql);
    if (transaction) await this.send('commit');
    return changes.map(statementOf);
  }

  private async send(sql: string): Promise<void> {
    try {
      await this.ground.real.send(sql);
    } catch (cause) {
      this.ground.place.call.stop.throwIfAborted();
      throw new MigrationError('EM_DIFF_INCOMPLETE', `a generated statement does not run: ${messageOf(cause)}\n  statement: ${sql}`, {
        cause,
      });
    }
  }
}

function statementOf({ sql, loses, toFill }: Change): Statement {
  return { sql, loses, toFill };
}

// To take something back destroys what it made; that is what down means, and needs no warning.
function backOf({ sql }: Change, transaction: boolean): Statement {
  const whole = /^CREATE (?:UNIQUE )?INDEX /.test(sql) ? sql.replace(' ON ONLY ', ' ON ') : sql;
  return { sql: transaction ? whole : whole.replace(/^DROP INDEX (?!CONCURRENTLY )/, 'DROP INDEX CONCURRENTLY '), loses: false };
}

async function decide(possible: readonly Rename[], { renames = [], confirmRename }: Decisions): Promise<Rename[]> {
  const chosen = chooseRenames(renames, possible);
  for (const rename of possible) {
    if (confirmRename && openAmong([rename], chosen).length > 0 && (await confirmRename(rename))) chosen.push(rename);
  }
  return chosen;
}

// Each name is taken once, on either side.
function openAmong(possible: readonly Rename[], chosen: readonly Rename[]): readonly Rename[] {
  return possible.filter(({ from, to }) => !chosen.some((each) => each.from === from || each.to === to));
}

function refuseLoss(changes: readonly Change[], open: readonly Rename[], { allowDataLoss }: Decisions): void {
  const losses = changes.filter(({ loses }) => loses);
  if (losses.length === 0 || allowDataLoss) return;
  const pairs = open.map(({ from, to }) => `${from}:${to.split('.').at(-1)}`);
  const which = pairs.length > 1 ? 'those that are true of ' : '';
  const asRename = pairs.length === 0 ? '' : `Where it is a rename, say so: --rename ${which}${pairs.join(',')}. `;
  const message = ['this would destroy what is stored there:', ...losses.map(({ sql }) => sql)].join('\n  ');
  throw new MigrationError('EM_PLAN_REFUSED', message, {
    remedy: `${asRename}Where it is meant, give --allow-data-loss (\`allowDataLoss\`). Nothing was written.`,
  });
}

// They come first, and are taken back last.
function withRenames(steps: readonly NamedStep[], { up, down }: ReturnType<typeof renderRenames>): NamedStep[] {
  if (up.length === 0) return [...steps];
  const plain = (sql: string): Statement => ({ sql, loses: false });
  const [first, ...others] = steps;
  if (first?.transaction !== true || tablesOf([...up.map(plain), ...first.up]).length > 1)
    return [{ what: undefined, transaction: true, up: up.map(plain), down: down.map(plain) }, ...steps];
  return [{ ...first, up: [...up.map(plain), ...first.up], down: [...first.down, ...down.map(plain)] }, ...others];
}
