import { runCall } from '../run-call.js';
import { findRevision } from '../state.js';
import { traceReplay, type Trace } from '../traced-steps.js';
import { tablesOf } from '../history/index.js';
import type { Project } from './project.js';

/**
 * Runs the migrations on an empty database and tells what each statement did to the tables that were there before its migration. Those up to
 * `from` are run, and not told. One that fails is told, and ends the trace. Throws EM_PLAN_REFUSED for a revision that is none.
 */
export async function traceMigrations({ project, url, from }: TraceOrder): Promise<Trace> {
  return await runCall(await project.optionsOf(url), async (call) => {
    const migrations = await project.list();
    const { schema } = tablesOf(project.config.migrations);
    const replaying = { call, scratch: call.config, schema };
    if (from !== undefined) {
      const last = migrations.indexOf(findRevision(from, migrations, 'the revision before the trace'));
      const before = await traceReplay({ ...replaying, migrations: migrations.slice(0, last + 1) });
      if (before.failure) return Object.freeze({ migrations: Object.freeze([]), failure: before.failure });
    }
    return await traceReplay({ ...replaying, migrations });
  });
}

export interface TraceOrder {
  readonly project: Project;
  /** Of an empty database. */
  readonly url: string;
  readonly from: string | undefined;
}
