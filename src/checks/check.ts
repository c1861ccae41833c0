import type { Call } from '../call.js';
import type { Rule, RuleSetting } from '../config/index.js';
import { messageOf, sqlStateOf } from '../errors.js';
import type { Finding, Place } from '../finding.js';
import type { Facts, History, Tables } from '../history/index.js';
import type { Session } from '../session/index.js';
import { migrationId, type LoadedMigration } from '../source/index.js';
import { redact } from '../sql.js';
import type { Server } from './server.js';

/** What is known when the checks run: under the lock, before the first change. */
export interface CheckInput {
  readonly call: Call;
  readonly session: Session;
  readonly facts: Facts;
  /** With their schema, where one could be found. */
  readonly tables: Tables;
  readonly applied: readonly string[] | undefined;
  readonly journal: History['journal'];
  readonly pending: readonly LoadedMigration[];
  /** What of the migrations is about to run. */
  readonly direction: 'up' | 'down';
  readonly pooled: boolean;
}

/** A check's input, and the ways to ask the server for more. */
export interface Asked extends CheckInput {
  /** Asks the catalogs. Throws what the server said, and leaves the session as it was. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** What several checks want to know of the server: asked once. */
  readServer(): Promise<Server>;
}

/** One thing that a check found. */
export interface Found {
  readonly message: string;
  readonly remedy: string;
  readonly at?: Place;
  /** What the rule's `except` may name to pass it over. */
  readonly names?: readonly string[];
  /** Where it weighs less than the rule's level says. */
  readonly level?: 'warn' | 'info';
}

/** One question to the server or to the migrations; its level is that of its rule. Reads only. */
export interface BuiltInCheck<Needs = Asked> {
  readonly rule: Rule;
  find(asked: Needs): Promise<readonly Found[]> | readonly Found[];
}

/**
 * Asks one question, unless its rule is off. A question that fails is a finding of its rule's level, since nobody knows the answer then;
 * only a lost session, and having been told to stop, are thrown.
 */
export async function answer<Needs extends Pick<Asked, 'call' | 'session'>>(check: BuiltInCheck<Needs>, asked: Needs): Promise<Finding[]> {
  const { call } = asked;
  call.stop.throwIfAborted();
  const setting = call.config.rules[check.rule];
  return setting.level === 'off' ? [] : judge(check.rule, setting, await findOrFail(check, asked));
}

async function findOrFail<Needs extends Pick<Asked, 'call' | 'session'>>(
  { rule, find }: BuiltInCheck<Needs>,
  asked: Needs,
): Promise<readonly Found[]> {
  try {
    return await find(asked);
  } catch (error) {
    throwIfOver(asked, error);
    const state = sqlStateOf(error);
    const message = `this could not be found out: ${messageOf(error)}${state === undefined ? '' : ` (SQLSTATE ${state})`}`;
    return [{ message, remedy: `Mend what the message names, or go without the answer: rules: { '${rule}': 'off' }.` }];
  }
}

/** Throws EM_LOST_SESSION or EM_ABORTED where no further question can be asked. */
export function throwIfOver({ call, session }: Pick<Asked, 'call' | 'session'>, error: unknown): void {
  if (session.wire.lost) throw session.lostOr(error);
  call.stop.throwIfAborted();
}

/** Makes findings of what was found: the level of the rule, without what the rule passes over. Pure. */
export function judge(code: Rule, { level, except }: RuleSetting, found: readonly Found[]): Finding[] {
  if (level === 'off') return [];
  const excepted = new Set(except.map(migrationId));
  return found
    .filter(({ names = [] }) => !names.some((name) => excepted.has(migrationId(name))))
    .map(({ message, remedy, at, level: lighter = level }) => ({
      code,
      level: lighter,
      message: redact(message),
      remedy,
      ...(at !== undefined && { at }),
    }));
}

/** Where a finding about a migration stands. */
export function placeOf({ name, file }: Pick<LoadedMigration, 'name' | 'file'>, line?: number): Place {
  return { migration: name, ...(file !== undefined && { file }), ...(line !== undefined && { line }) };
}
