import { identifier } from '../sql.js';
import type { BuiltInCheck } from './check.js';
import { numberOf, type Server } from './server.js';

/** One for the watcher, one for the service that boots, one to look at them. */
const needed = 3;

/** Are connections left for the watcher of this run, and for the service itself? */
export const freeConnections: BuiltInCheck = {
  rule: 'free-connections',
  async find({ readServer, facts }) {
    return limitsOf(await readServer(), facts.database)
      .filter(({ limit, used }) => limit - used < needed)
      .map(({ whose, limit, used, names, raise }) => ({
        message: `${whose}: ${Math.max(0, limit - used)} of ${limit} connections free; a run that migrates opens a second one, and the service its own`,
        remedy: `Close sessions that nobody needs, or ${raise}`,
        names,
      }));
  },
};

interface Limit {
  readonly whose: string;
  readonly limit: number;
  readonly used: number;
  readonly names: readonly string[];
  readonly raise: string;
}

function limitsOf(server: Server, database: string): Limit[] {
  const { clientCount, clientCountOfDatabase, clientCountOfRole, loginRole: role, databaseLimit, roleLimit, isSuperuser } = server;
  const reserved = numberOf(server, 'superuser_reserved_connections') + numberOf(server, 'reserved_connections');
  const limits: Limit[] = [
    {
      whose: 'the server',
      limit: numberOf(server, 'max_connections') - reserved,
      used: clientCount,
      names: ['max_connections'],
      raise: 'raise max_connections.',
    },
  ];
  if (databaseLimit >= 0) {
    const raise = `run: alter database ${identifier(database)} connection limit -1;`;
    limits.push({ whose: `the database "${database}"`, limit: databaseLimit, used: clientCountOfDatabase, names: [database], raise });
  }
  if (roleLimit >= 0) {
    const raise = `run: alter role ${identifier(role)} connection limit -1;`;
    limits.push({ whose: `the role "${role}"`, limit: roleLimit, used: clientCountOfRole, names: [role], raise });
  }
  return isSuperuser ? limits.slice(0, 1) : limits; // superusers are exempt from the other two
}
