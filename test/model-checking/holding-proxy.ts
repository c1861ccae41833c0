import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { ClientStream, ServerStream, sqlOf, type Message } from '../support/wire.js';

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  /** What the client has sent and the server has not heard. */
  readonly waiting: Message[];
  /** Of the backend. */
  pid: number;
  isHolding: boolean;
  /** Resolves with the next answer, which is kept from the client. */
  swallow: (() => void) | undefined;
}

/** Stands between one process and the server. Each message that is a step waits here until it is let go, so that an interleaving is made, not met by chance. */
export class HoldingProxy implements AsyncDisposable {
  private readonly lines = new Set<Line>();
  private readonly listener = createServer((client) => this.open(client));
  /** The backend that the last step was for. */
  pid = 0;
  private holding: { readonly step: string; readonly line: Line } | undefined;
  private isDead = false;
  private wake: () => void = () => undefined;
  private cancelled: () => void = () => undefined;

  private constructor(
    private readonly target: URL,
    private readonly stepOf: (sql: string) => string | undefined,
  ) {}

  static async start(url: string, stepOf: (sql: string) => string | undefined): Promise<HoldingProxy> {
    const proxy = new HoldingProxy(new URL(url), stepOf);
    await once(proxy.listener.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return this.target.href.replace(/@[^/]*\//, `@127.0.0.1:${(this.listener.address() as AddressInfo).port}/`);
  }

  /** The step that waits here. */
  get step(): string {
    return this.holding?.step ?? '';
  }

  /** Resolves when a step waits here. */
  async held(): Promise<void> {
    while (!this.holding) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  /** Lets the step go on to the server. Of a process that is dead nobody hears the answer: resolves when the server has given it. */
  async release(): Promise<void> {
    const { line } = this.holding ?? {};
    this.holding = undefined;
    if (line === undefined) throw new Error('no step waits here');
    line.isHolding = false;
    const answered = this.isDead ? this.nextAnswer(line) : undefined;
    this.pump(line, 'released');
    await answered;
  }

  /** Sends the server something else before the step, in the same session. */
  async slipIn(sql: string): Promise<void> {
    const { line } = this.holding ?? {};
    if (line === undefined) throw new Error('no step waits here');
    const text = Buffer.from(`Q....${sql}\0`);
    text.writeInt32BE(text.length - 1, 1);
    line.server.write(text);
    await this.nextAnswer(line);
  }

  /** The process is gone, and the server has not noticed. */
  die(): void {
    this.isDead = true;
    for (const { client } of this.lines) client.destroy();
  }

  /** Now it has. */
  notice(): void {
    for (const { server } of this.lines) server.destroy();
    this.holding = undefined;
  }

  /** Resolves when the next CancelRequest has been dealt with. */
  async nextCancel(): Promise<void> {
    await new Promise<void>((resolve) => (this.cancelled = resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.die();
    this.notice();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private open(client: Socket): void {
    client.on('error', () => undefined);
    if (this.isDead) return void client.destroy();
    const server = connect(Number(this.target.port), this.target.hostname).setNoDelay();
    client.setNoDelay();
    const line: Line = { client, server, waiting: [], pid: 0, isHolding: false, swallow: undefined };
    this.lines.add(line);
    const [sent, answers] = [new ClientStream(), new ServerStream()];
    client.on('data', (chunk: Buffer) => {
      for (const message of sent.push(chunk)) this.take(line, message);
    });
    client.on('close', () => this.isDead || server.destroy());
    server.on('data', (chunk: Buffer) => answers.push(chunk, false).forEach((answer) => this.answer(line, answer)));
    server.on('error', () => undefined).on('close', () => (this.lines.delete(line), client.destroy()));
  }

  private take(line: Line, message: Message): void {
    if (message.type === 'cancel') line.server.on('close', () => this.cancelled());
    line.waiting.push(message);
    if (!line.isHolding) this.pump(line);
  }

  private pump(line: Line, first?: 'released'): void {
    for (let isFirst = first === 'released'; line.waiting[0] !== undefined; isFirst = false) {
      const [message] = line.waiting as [Message];
      const step = isFirst ? undefined : this.stepOf(sqlOf(message));
      if (step !== undefined) {
        line.isHolding = true;
        this.holding = { step, line };
        this.pid = line.pid;
        return this.wake();
      }
      line.waiting.shift();
      line.server.write(message.bytes);
    }
  }

  private answer(line: Line, { type, bytes }: Message): void {
    if (type === 'K') line.pid = bytes.readInt32BE(5);
    if (line.swallow === undefined) return void (this.isDead || line.client.write(bytes));
    if (type === 'Z') line.swallow();
  }

  private async nextAnswer(line: Line): Promise<void> {
    await new Promise<void>((resolve) => {
      line.swallow = resolve;
      line.server.once('close', resolve);
    });
    line.swallow = undefined;
  }
}
