import { readConnection, type Connect, type ConnectionInput } from './connection.js';
import { isPlainObject, kindOf, oneOf, record, refuse, shown, text, within, type Place, type Reader } from './values.js';

/** A read replica: its URL, a configuration of pg or a function giving either; or an object that says more. */
export type ReplicaInput =
  | ConnectionInput
  | URL
  | {
      /** What findings and events call it. Default: `replica-1`, by its place in the list. */
      readonly name?: string | undefined;
      /** Its own direct connection: behind a load balancer each connect may reach another one. */
      readonly connection: ConnectionInput | URL;
      /** Whether a replica that does not show the migrated schema refuses the boot (default) or is a finding of the outcome. */
      readonly policy?: 'fail' | 'warn' | undefined;
      /**
       * How long to wait for it after the last commit, within `timeouts.callMs`; a configured delay of its replay is added.
       * @default 30000
       * @asType integer
       * @minimum 1
       */
      readonly timeoutMs?: number | undefined;
      /** `always` (default): also looked at when nothing is pending. `migrated`: only by a call that finds something pending when it begins. */
      readonly when?: 'always' | 'migrated' | undefined;
    };

/** A read replica, resolved. */
export interface ReplicaSettings {
  readonly name: string;
  readonly connection: Connect;
  readonly policy: 'fail' | 'warn';
  readonly timeoutMs: number;
  readonly when: 'always' | 'migrated';
}

/** Reads the list of replicas. Never shows a connection: it may hold a password. */
export function readReplicas(value: unknown, place: Place): readonly ReplicaSettings[] | undefined {
  if (!Array.isArray(value)) return refuse(place, 'a list of connections or { name, connection, policy, timeoutMs, when }', kindOf(value));
  const read = value.map((each, index) => readReplica(each, within(place, String(index)), index));
  const replicas = read.filter((replica) => replica !== undefined);
  const names = replicas.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  return twice === undefined ? Object.freeze(replicas) : refuse(place, 'a name of its own for each', `${shown(twice)} twice`);
}

function readReplica(value: unknown, place: Place, index: number): ReplicaSettings | undefined {
  const isEntry = isPlainObject(value) && 'connection' in value;
  const given: Record<string, unknown> = isEntry ? value : { connection: value };
  const settings = record<ReplicaSettings>({
    name: text,
    connection: isEntry ? readConnection : (connection) => readConnection(connection, place),
    policy: oneOf('fail', 'warn'),
    timeoutMs: duration,
    when: oneOf('always', 'migrated'),
  })(given, place);
  if (isEntry && value['connection'] === undefined) return refuse(within(place, 'connection'), 'a connection', 'undefined');
  if (settings?.connection === undefined) return undefined;
  const { connection } = settings;
  return Object.freeze({ name: `replica-${index + 1}`, policy: 'fail', timeoutMs: 30_000, when: 'always', ...settings, connection });
}

const duration: Reader<number> = (value, place) =>
  Number.isSafeInteger(value) && (value as number) >= 1
    ? (value as number)
    : refuse(place, 'milliseconds, a whole number from 1', shown(value));
