import type { Answer, Follower, Sending } from '../session/index.js';
import { Tracer, type TracedStatement } from './tracer.js';

/** What one migration was seen to do. */
export interface TracedMigration {
  readonly name: string;
  readonly statements: readonly TracedStatement[];
}

/** Traces each migration that sends something, against what was there before it. */
export class MigrationTracer implements Follower {
  private readonly tracers = new Map<string, Tracer>();

  /** `except`: the tables of the history, by their names as SQL. */
  constructor(private readonly except: readonly string[]) {}

  async around(sending: Sending): Promise<Answer> {
    return await this.tracerOf(sending.migration).around(sending);
  }

  onStream(migration: string, text: string): void {
    this.tracerOf(migration).onStream(text);
  }

  /** In the order in which they ran. */
  get migrations(): readonly TracedMigration[] {
    return Object.freeze(
      [...this.tracers].map(([name, { statements }]) => Object.freeze({ name, statements: Object.freeze([...statements]) })),
    );
  }

  private tracerOf(migration: string): Tracer {
    const tracer = this.tracers.get(migration) ?? new Tracer(this.except);
    this.tracers.set(migration, tracer);
    return tracer;
  }
}
