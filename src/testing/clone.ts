import { identifier, literal } from '../sql.js';
import type { Desk } from './desk.js';
import { renderDress } from './dress.js';
import { mark } from './names.js';
import type { Template } from './template.js';

/**
 * Copies the template, with the settings and the rights that a copy does not take along. Nobody can connect to it before its comment says what
 * it is. A copy is one of files: the objects have the numbers of the template's, and their rows its transactions.
 */
export async function makeClone({ link, facts }: Desk, { name: template, dress }: Template, name: string): Promise<void> {
  const quoted = identifier(name);
  const strategy = facts.strategy === null ? '' : `strategy ${facts.strategy}`;
  await link.query(`create database ${quoted} template ${identifier(template)} ${strategy} allow_connections false`);
  await link.query(
    [
      ...renderDress(dress, name),
      `comment on database ${quoted} is ${literal(mark)};`,
      `alter database ${quoted} with allow_connections true is_template false;`,
    ].join('\n'),
  );
}
