import type { Check, CheckContext } from '../config/index.js';
import { messageOf } from '../errors.js';
import type { Finding, Place } from '../finding.js';
import { redact } from '../sql.js';
import { throwIfOver, type CheckInput } from './check.js';
import { beginReadOnly, bounded, type ReadOnly } from './read-only.js';

/** Asks a question of the user's own, in a transaction that cannot write. What it throws, and what it gives that is no finding, refuses the boot. */
export async function runUserCheck(check: Check, input: CheckInput): Promise<Finding[]> {
  throwIfOver(input, undefined);
  const door = await beginReadOnly(input.session);
  const findings = await ask(check, input, door);
  const ended = door.isOpen ? [] : [fault(check, 'ended its transaction', 'Leave begin, commit and rollback out of it.')];
  await door.end();
  throwIfOver(input, undefined);
  return [...findings, ...ended];
}

async function ask(check: Check, input: CheckInput, door: ReadOnly): Promise<Finding[]> {
  try {
    const given: unknown = await bounded(input, door, async () => await check.run(contextOf(input, door)));
    return readFindings(check, given);
  } catch (error) {
    return [fault(check, `failed: ${messageOf(error)}`, 'Mend the check, or what it met.')];
  }
}

function contextOf({ call, facts, pending }: CheckInput, door: ReadOnly): CheckContext {
  const { serverVersion, database } = facts;
  return { query: door.query, serverVersion, database, environment: call.config.environment, pending: pending.map(({ name }) => name) };
}

function fault({ name }: Check, what: string, remedy: string): Finding {
  return { code: name, level: 'error', message: redact(`the check "${name}" ${what}`), remedy };
}

function readFindings(check: Check, given: unknown): Finding[] {
  if (!Array.isArray(given)) return [fault(check, `gave ${given === undefined ? 'nothing' : typeof given}, not a list of findings`, shape)];
  return given.map((each: unknown) => readFinding(check, each));
}

const shape = 'Give a list of { code, level, message, remedy }; an empty one when nothing is wrong.';
const levels: readonly unknown[] = ['error', 'warn', 'info'];

function readFinding(check: Check, given: unknown): Finding {
  const { code, level, message, remedy, at } = (given ?? {}) as Record<string, unknown>;
  const lacking = Object.entries({ code, message, remedy }).find(([, value]) => typeof value !== 'string' || value === '');
  if (lacking) return fault(check, `gave a finding whose ${lacking[0]} is not a text`, shape);
  if (!levels.includes(level)) return fault(check, 'gave a finding whose level is none of error, warn, info', shape);
  const [texts, place] = [{ message: redact(String(message)), remedy: redact(String(remedy)) }, readPlace(at)];
  return { code: String(code), level: level as Finding['level'], ...texts, ...(place && { at: place }) };
}

function readPlace(given: unknown): Place | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { migration, file, line } = given as Record<string, unknown>;
  return {
    ...(typeof migration === 'string' && { migration }),
    ...(typeof file === 'string' && { file }),
    ...(typeof line === 'number' && { line }),
  };
}
