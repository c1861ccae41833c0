import type { Call } from '../call.js';
import type { Finding } from '../finding.js';
import type { Facts } from '../history/index.js';
import type { Session } from '../session/index.js';
import { answer, type Asked, type BuiltInCheck, type Found } from './check.js';
import { guarded } from '../session/index.js';

type Needs = Pick<Asked, 'call' | 'session' | 'facts' | 'query'>;

/** Is this the database that `expect` names? */
export const identity: BuiltInCheck<Needs> = {
  rule: 'identity',
  async find({ call, facts, query }) {
    const { database, systemIdentifier } = call.config.expect;
    const found: Found[] = [];
    if (database !== undefined && database !== facts.database)
      found.push({ message: `connected to the database "${facts.database}"; expected "${database}" (expect.database)`, remedy });
    if (systemIdentifier === undefined) return found;
    const actual = await readSystemIdentifier(query);
    if (actual !== systemIdentifier)
      found.push({ message: `connected to the server ${actual}; expected ${systemIdentifier} (expect.systemIdentifier)`, remedy });
    return found;
  },
};

const remedy = 'Correct the connection (DATABASE_URL), or the option `expect` where the database has moved.';

/** The same question for the moment after connecting, before anything else. Asks the server only for a system identifier. */
export async function checkIdentity({ call, session, facts }: { call: Call; session: Session; facts: Facts }): Promise<Finding[]> {
  return await answer(identity, { call, session, facts, query: guarded(session) });
}

async function readSystemIdentifier(query: Asked['query']): Promise<string | undefined> {
  const [row] = await query<{ identifier: string }>(`select system_identifier::text as identifier from pg_catalog.pg_control_system()`);
  return row?.identifier;
}
