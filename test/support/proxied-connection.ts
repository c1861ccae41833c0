import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from './wire-proxy.js';
import { ClientStream, errorResponse, ServerStream, sqlOf, type Message } from './wire.js';

export interface Traffic {
  connections: number;
  cancelRequests: number;
  answers: number;
  readonly statements: string[];
  readonly messages: string[];
}

/** Waits for one message and does something to it. */
export interface Trap {
  readonly text: string;
  readonly action: 'hold' | 'drop reply' | 'drop request';
  readonly sprung: Deferred;
  readonly freed: Deferred;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

// Promise.withResolvers() came with Node 22.
export function deferred(): Deferred {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

/** One client, its connection to the server, and the messages between them. */
export class ProxiedConnection {
  /** In the black hole: nothing gets through, and no end is told. */
  dark: boolean;
  readonly #state: State;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #fromClient = new ClientStream();
  readonly #fromServer = new ServerStream();
  #toServer: Promise<void> = Promise.resolve(); // keeps the order of what is delayed or held
  #loggedIn = false;
  #awaitsTls = false;
  #encrypted = false;
  #swallowing: Trap | undefined;

  constructor(state: State, client: Socket, target: { host: string; port: number }) {
    this.#state = state;
    this.dark = state.dark;
    this.#client = client.setNoDelay();
    this.#server = target.host.startsWith('/') ? connect(`${target.host}/.s.PGSQL.${target.port}`) : connect(target.port, target.host);
    this.#server.setNoDelay();
    client.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#server.on('data', (chunk: Buffer) => this.#answer(chunk));
    client.on('end', () => void this.#toServer.then(() => !this.dark && this.#server.end()));
    this.#server.on('end', () => !this.dark && client.end());
    client.on('error', () => !this.dark && this.#server.destroy());
    this.#server.on('error', () => !this.dark && client.destroy());
  }

  onEnd(listener: () => void): void {
    this.#client.once('close', listener);
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#encrypted) return this.#send(chunk);
    for (const message of this.#fromClient.push(chunk)) {
      const trap = this.#count(message);
      if (message.type === 'ssl' || message.type === 'gss') this.#awaitsTls = true;
      if (message.type === 'startup' && this.#state.refusal !== undefined) this.#refuse(this.#state.refusal);
      else this.#send(message.bytes, trap);
    }
  }

  /** Counts the message, and finds the trap that it steps into. */
  #count(message: Message): Trap | undefined {
    const { traffic, traps } = this.#state;
    if (message.type === 'startup') traffic.connections++;
    else if (message.type === 'cancel') traffic.cancelRequests++;
    else if (message.type !== 'p' && message.type.length === 1) traffic.messages.push(message.type);
    const sql = sqlOf(message);
    if (sql === '' && message.type !== 'Q' && message.type !== 'P') return undefined;
    traffic.statements.push(sql);
    const index = traps.findIndex(({ text }) => sql.toLowerCase().includes(text));
    return index < 0 ? undefined : traps.splice(index, 1)[0];
  }

  #refuse({ sqlState, message }: { sqlState: string; message: string }): void {
    this.#client.end(errorResponse(sqlState, message));
    this.#server.destroy();
  }

  #send(bytes: Buffer, trap?: Trap): void {
    const dueAt = performance.now() + this.#state.latencyMs;
    this.#toServer = this.#toServer.then(async () => {
      if (trap !== undefined && !(await this.#spring(trap))) return;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      if (!this.dark && this.#server.writable) this.#server.write(bytes);
    });
  }

  /** Resolves with whether the message goes on to the server. */
  async #spring(trap: Trap): Promise<boolean> {
    if (trap.action === 'drop reply') this.#swallowing = trap;
    else trap.sprung.resolve();
    if (trap.action === 'drop request') this.cut();
    if (trap.action === 'hold') await trap.freed.promise;
    return trap.action !== 'drop request';
  }

  #answer(chunk: Buffer): void {
    if (this.#encrypted) return this.#give(chunk);
    const bare = this.#awaitsTls;
    this.#awaitsTls = false;
    for (const { type, bytes } of this.#fromServer.push(chunk, bare)) {
      if (type === 'tls') this.#encrypted = bytes.toString() !== 'N';
      if (type === 'Z' && this.#loggedIn) this.#state.traffic.answers++;
      if (type === 'Z') this.#loggedIn = true;
      if (this.#swallowing === undefined) this.#give(bytes);
      else if (type === 'Z') this.#finishSwallowing(this.#swallowing);
    }
  }

  #finishSwallowing(trap: Trap): void {
    this.cut();
    trap.sprung.resolve();
  }

  #give(bytes: Buffer): void {
    if (!this.dark && this.#client.writable) this.#client.write(bytes);
  }
}
