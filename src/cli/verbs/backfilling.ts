import { backfill, type BackfillProgress } from '../../backfills.js';
import type { Options } from '../../config/index.js';
import { MigrationError } from '../../errors.js';
import { asideText, backfillsText } from '../backfill-text.js';
import type { Input, Told, Verb } from '../verb.js';

/** What is asked of the verb `backfill`. */
interface Asked {
  readonly names: readonly string[] | undefined;
  readonly flags: Input['flags'];
}

type Act = (options: Options, asked: Asked) => Promise<Told>;

const acts: Readonly<Record<string, Act>> = {
  list: async (options, { names, flags }) => {
    if (flags['aside'] !== true) return toldOf(await backfill.list(options, { names }));
    const result = await backfill.aside(options, { names });
    return { result, text: (screen) => asideText(result, screen) };
  },
  run: async (options, { names }) => {
    const result = await backfill.run(options, { names });
    // What was cancelled is settled, unless it is this one that was wanted.
    const isSettled = ({ status }: BackfillProgress) => status === 'done' || (status === 'cancelled' && names === undefined);
    return { ...toldOf(result), exitCode: result.every(isSettled) ? 0 : 78 };
  },
  pause: async (options, { names }) => toldOf(await backfill.pause(options, { names })),
  resume: async (options, { names, flags }) => toldOf(await backfill.resume(options, { names, changed: acceptOf(flags) })),
  retry: async (options, { names, flags }) =>
    toldOf(
      await backfill.retry(options, {
        names,
        changed: acceptOf(flags),
        from: flags['fromStart'] === true ? 'start' : undefined,
        aside: flags['aside'] === true ? 'again' : undefined,
      }),
    ),
  cancel: async (options, { names }) => toldOf(await backfill.cancel(options, { names: names ?? [] })),
};

const flagsOf: Readonly<Record<string, readonly string[]>> = {
  aside: ['list', 'retry'],
  fromStart: ['retry'],
  acceptChanged: ['resume', 'retry'],
};

/** The verb for data migrations. */
export const backfilling: readonly Verb[] = [
  {
    name: 'backfill',
    arguments: '<action> [names...]',
    summary: 'Work on backfills, and tell them what to do.',
    description: `Backfills change many rows in batches while the application runs: see docs/backfills.md. An action is for those that are named, else for all for which it makes sense. Asked twice, each is the same as asked once; who asked last is shown by list --json. Actions:

- list: what each has come to, how fast it goes, and what is left; --aside shows the keys of rows that were set aside;
- run: works until none has anything left to do, together with whoever else is at them. Exit code 78 when one is not done then. SIGTERM ends it at a batch boundary, and the next run goes on there;
- pause: nobody works on them until they are resumed; returns when no batch is under way;
- resume: paused ones go on where they stopped;
- retry: failed ones go on where they stopped, and unverified ones are verified again; neither changes a row twice;
- cancel: they are never worked on again, and migrations that require them stay refused. Names must be given.`,
    flags: {
      '--aside': 'With list: show the rows that were set aside. With retry: try them again, each by itself.',
      '--from-start':
        'With retry: walk the whole table of an unverified one again, for rows that came late. It must have a where that no row matches which is done.',
      '--accept-changed': 'With resume and retry: do the rest by the definition that is in the code now.',
    },
    examples: [
      'ensure-migrated backfill list',
      'ensure-migrated backfill run orders_cents',
      'ensure-migrated backfill pause',
      'ensure-migrated backfill list orders_cents --aside',
      'ensure-migrated backfill retry orders_cents --accept-changed',
    ],
    run: async (options, { args: [action = '', ...names], flags }) => {
      const act = Object.hasOwn(acts, action) ? acts[action] : undefined;
      const problems = problemsOf(action, flags);
      if (!act || problems.length > 0) throw invalid(problems);
      return await act(options, { names: names.length === 0 ? undefined : names, flags });
    },
  },
];

function toldOf(result: readonly BackfillProgress[]): Told {
  return { result, text: (screen) => backfillsText(result, screen) };
}

function acceptOf(flags: Input['flags']): 'accept' | undefined {
  return flags['acceptChanged'] === true ? 'accept' : undefined;
}

function problemsOf(action: string, flags: Input['flags']): string[] {
  if (!Object.hasOwn(acts, action)) return [`action: expected one of ${Object.keys(acts).join(', ')}; got '${action}'`];
  const misplaced = Object.entries(flagsOf).filter(([flag, actions]) => flags[flag] === true && !actions.includes(action));
  return misplaced.map(
    ([flag, actions]) =>
      `--${flag.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: expected with ${actions.join(' and ')} only; got it with ${action}`,
  );
}

function invalid(problems: readonly string[]): MigrationError {
  const remedy = 'Correct the command line: `ensure-migrated backfill --help` has the actions. Nothing was changed.';
  return new MigrationError('EM_CONFIG_INVALID', problems.join('\n  '), { remedy });
}
