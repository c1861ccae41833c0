import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { deferred, ProxiedConnection, type Traffic, type Trap } from './proxied-connection.js';

/** What went over the wire since the proxy was made or `reset()`. */
export interface Counts {
  /** Logins; those for a CancelRequest are apart. */
  readonly connections: number;
  readonly cancelRequests: number;
  /** Times that a client sent something and waits for ReadyForQuery: Query and Sync messages. */
  readonly roundTrips: number;
  /** ReadyForQuery messages, those that end a login left out. */
  readonly answers: number;
  /** The texts of all Query and Parse messages, in order. */
  readonly statements: readonly string[];
  /** All messages of clients after the login but the password: Q P B D E S C H X d c f. */
  readonly messages: readonly string[];
}

/** Stands between a client and PostgreSQL, counts, and misbehaves on demand. */
export interface Proxy {
  readonly port: number;
  /** The same URL, through the proxy. */
  urlOf(url: string): string;
  counts(): Counts;
  reset(): void;
  /** Each message of a client arrives this much later: one round trip takes this much longer. */
  setLatency(ms: number): void;
  /** Both ways: nothing is forwarded any more, the sockets stay open, also for new connections; an end of one side is not told to the other. What is sent meanwhile is lost for good. */
  blackHole(): void;
  /** New connections work again; those of the black hole stay dead. */
  heal(): void;
  /** Ends all connections with a reset, on both sides. */
  cut(): void;
  /** New connections are refused (ECONNREFUSED) until `accept()`. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** New logins are answered with this error until `accept()`. */
  turnAway(sqlState: string, message?: string): void;
  /** The next message whose SQL contains the text (case is ignored) waits here. */
  hold(text: string): Hold;
  /** The next such message is forwarded, and its answer never arrives: both sides are cut once the server has finished. Resolves then. */
  dropReplyOf(text: string): Promise<void>;
  /** The next such message never arrives, and both sides are cut. Resolves then. */
  dropRequest(text: string): Promise<void>;
  close(): Promise<void>;
}

export interface Hold {
  /** Resolves when the message has arrived. */
  readonly reached: Promise<void>;
  /** Forwards it, and what came after it. */
  release(): void;
}

/** Opens a proxy on a free port of 127.0.0.1 before the server of `target`, a URL. Needs no test runner: the benchmarks use it too. */
export async function openProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const state: State = { traffic: noTraffic(), connections: new Set(), traps: [], dark: false, latencyMs: 0, refusal: undefined };
  const listener = createServer((client) => open(state, client, { host: decodeURIComponent(hostname), port: Number(port) }));
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const own = (listener.address() as AddressInfo).port;
  const close = async (): Promise<void> => {
    for (const connection of state.connections) connection.cut();
    if (listener.listening) await new Promise((resolve) => listener.close(resolve));
  };
  return {
    port: own,
    urlOf: (url) => url.replace(/@[^/]*\//, `@127.0.0.1:${own}/`),
    ...controls(state),
    refuse: async () => await new Promise((resolve) => listener.close(() => resolve())),
    accept: async () => {
      state.refusal = undefined;
      if (!listener.listening) await once(listener.listen(own, '127.0.0.1'), 'listening');
    },
    close,
  };
}

/** What all connections of a proxy share. */
export interface State {
  traffic: Traffic;
  readonly connections: Set<ProxiedConnection>;
  readonly traps: Trap[];
  dark: boolean;
  latencyMs: number;
  refusal: { readonly sqlState: string; readonly message: string } | undefined;
}

function open(state: State, client: Socket, target: { host: string; port: number }): void {
  const connection = new ProxiedConnection(state, client, target);
  state.connections.add(connection);
  connection.onEnd(() => state.connections.delete(connection));
}

function noTraffic(): Traffic {
  return { connections: 0, cancelRequests: 0, answers: 0, statements: [], messages: [] };
}

function controls(state: State): Omit<Proxy, 'port' | 'urlOf' | 'refuse' | 'accept' | 'close'> {
  const trap = (text: string, action: Trap['action']): Trap => {
    const made: Trap = { text: text.toLowerCase(), action, sprung: deferred(), freed: deferred() };
    state.traps.push(made);
    return made;
  };
  return {
    counts: () => {
      const { messages, ...rest } = structuredClone(state.traffic);
      return { ...rest, messages, roundTrips: messages.filter((type) => type === 'Q' || type === 'S').length };
    },
    reset: () => void (state.traffic = noTraffic()),
    setLatency: (ms) => void (state.latencyMs = ms),
    blackHole: () => {
      state.dark = true;
      for (const connection of state.connections) connection.dark = true;
    },
    heal: () => void (state.dark = false),
    cut: () => {
      for (const connection of state.connections) connection.cut();
    },
    turnAway: (sqlState, message = 'turned away by the proxy') => void (state.refusal = { sqlState, message }),
    hold: (text) => {
      const { sprung, freed } = trap(text, 'hold');
      return { reached: sprung.promise, release: () => freed.resolve() };
    },
    dropReplyOf: (text) => trap(text, 'drop reply').sprung.promise,
    dropRequest: (text) => trap(text, 'drop request').sprung.promise,
  };
}
