import type { Finding } from './finding.js';
import { differences, type Built } from './likeness.js';
import { keyOf, renderChange, type Change } from './schema/index.js';

/** Three ideas of one schema. */
export interface Corners {
  /** What the project declares. */
  readonly model: Built;
  /** What its migrations make of an empty database: up to where the database stands, and to the end. */
  readonly migrations: Built;
  /** What is there; undefined where no database stands at the last migration. */
  readonly database: Built | undefined;
}

type Corner = keyof Corners;

/**
 * Where the three do not agree, one finding for each object: the corner that stands alone names its code. What belongs to an object that is
 * missing as a whole is not listed. Pure.
 */
export function compareCorners({ model, migrations, database }: Corners): Finding[] {
  const [unmade, stray] = [differences(migrations, model), database ? differences(migrations, database) : []];
  const apart = new Map((database ? differences(model, database) : []).map((change) => [keyOf(change), change]));
  const strays = new Map(stray.map((change) => [keyOf(change), change]));
  const shared = new Set(unmade.map(keyOf).filter((key) => strays.has(key)));
  return [
    ...unmade.map((change) => {
      const key = keyOf(change);
      if (!shared.has(key)) return findingOf('model', change);
      return apart.has(key) ? findingOf('all', change) : findingOf('migrations', change);
    }),
    ...stray.filter((change) => !shared.has(keyOf(change))).map((change) => findingOf('database', change)),
  ];
}

/** Where a database is not as its migrations make it. Pure. */
export function compareDatabase(migrations: Built, database: Built): Finding[] {
  return differences(migrations, database).map((change) => findingOf('database', change));
}

/** Where a database is not as its model declares it. Pure. */
export function compareCreated(model: Built, database: Built): Finding[] {
  return differences(model, database).map((change) => ({
    code: 'create-all-differs',
    level: 'error',
    message: `the database is not what the model declares: ${sentenceOf('database', change)}`,
    remedy: 'Take another, empty database, or bring this one to the model by a migration.',
  }));
}

const verdicts: Readonly<Record<Corner | 'all', Pick<Finding, 'code' | 'remedy'> & { readonly where: string }>> = {
  model: {
    code: 'model-differs',
    where: 'the model is not what the migrations make',
    remedy: 'Write the migration (ensure-migrated revision --autogenerate "message"), or correct the model.',
  },
  migrations: {
    code: 'migrations-differ',
    where: 'model and database agree, and the migrations do not make it',
    remedy: 'Write the migration (ensure-migrated revision --autogenerate "message"), and stamp it where the change is made already.',
  },
  database: {
    code: 'database-differs',
    where: 'the database is not what the migrations make',
    remedy: 'Undo what was changed by hand, or write a migration for it.',
  },
  all: {
    code: 'corners-differ',
    where: 'model, migrations and database are three different things',
    remedy: 'Decide which one is right: bring the database to its migrations first, then write the migration to the model.',
  },
};

function findingOf(corner: Corner | 'all', change: Change): Finding {
  const { code, where, remedy } = verdicts[corner];
  return { code, level: 'error', message: `${where}: ${sentenceOf(corner, change)}`, remedy };
}

// What is compared with is the migrations, which stand in the middle.
function sentenceOf(corner: Corner | 'all', change: Change): string {
  const { action, kind, identity } = change;
  if (action === 'changed') return renderChange(change);
  const alone = { model: 'in the model', migrations: 'in model and database', database: 'in the database', all: 'in the model' }[corner];
  return action === 'added' ? `${kind} ${identity} is only ${alone}` : `${kind} ${identity} is missing ${alone}`;
}
