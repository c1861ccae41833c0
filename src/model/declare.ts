import type { Knex } from 'knex';
import { placeOf } from '../apply/index.js';
import { messageOf, MigrationError, sqlStateOf } from '../errors.js';
import type { Session } from '../session/index.js';
import { knexFor, StepConnection, type Failure } from '../step/index.js';
import type { ModelFile } from './load.js';

/**
 * Runs the files of a model in this database, all in one transaction, in their order; each begins with the settings of a migration. Either all
 * of it is in the database afterwards, or nothing. Throws EM_MODEL_INVALID with the file and the line of what failed, EM_LOST_SESSION, EM_ABORTED.
 */
export async function declare(session: Session, files: readonly ModelFile[]): Promise<void> {
  await new Declaration(session, files).run();
}

class Declaration {
  private readonly connection: StepConnection;
  private current: ModelFile | undefined;
  private committed = false;

  constructor(
    private readonly session: Session,
    private readonly files: readonly ModelFile[],
  ) {
    this.connection = new StepConnection(session.wire, { transaction: 'transaction' });
    this.connection.rideBefore(['begin isolation level read committed;', session.renderSettings()]);
  }

  async run(): Promise<void> {
    try {
      const knex = await knexFor(this.session, this.connection);
      await knex.transaction(async (trx) => await this.body(trx));
      if (!this.committed) throw new Error('the transaction ended without a commit');
    } catch (error) {
      throw await this.failed(error);
    } finally {
      this.connection.close();
    }
  }

  private async body(trx: Knex.Transaction): Promise<void> {
    try {
      for (const file of this.files) await this.file(file, trx);
      this.connection.end('closing', async () => await this.commit());
    } catch (error) {
      this.connection.end('failing');
      throw error;
    }
  }

  private async file(file: ModelFile, trx: Knex.Transaction): Promise<void> {
    // What the file before may have set: pg_dump empties the search_path for the whole session.
    if (this.current !== undefined) this.connection.rideBefore(['reset role;', 'reset all;', this.session.renderSettings()]);
    this.current = file;
    if (typeof file.code === 'function') await file.code(trx);
    else await this.connection.send({ text: `${file.code.text}\n;` });
    const { broken, failure, unheard } = this.connection;
    if (broken) throw broken;
    if (unheard) throw unheard as Error;
    if (this.session.wire.status === 'E' && failure) throw failure.thrown as Error; // it has caught that, and nothing could be committed
  }

  private async commit(): Promise<void> {
    const { tags } = await this.connection.send({ text: 'commit' }, 'ends');
    this.committed = tags.at(-1) === 'COMMIT';
  }

  private async failed(error: unknown): Promise<unknown> {
    const told = this.session.lostOr(error);
    const { failure, broken } = this.connection;
    if (!this.session.wire.lost && this.session.wire.status !== 'I') await this.session.send('rollback');
    if (told !== error || this.session.wire.lost) return told;
    return await modelFailed(this.current, broken ?? error, failure);
  }
}

async function modelFailed(file: ModelFile | undefined, error: unknown, failure: Failure | undefined): Promise<MigrationError> {
  const state = sqlStateOf(failure?.error);
  const at = file && (await placeOf({ migration: { file: file.file }, code: file.code }, error, failure));
  const said = state === undefined ? messageOf(error) : `${messageOf(failure?.error)} (SQLSTATE ${state})`;
  const statement = at?.statement && state ? [`statement: ${at.statement.trim().slice(0, 2_000)}`] : [];
  const message = [`the model does not run, at ${at?.place ?? 'its commit'}: ${said}`, ...statement].join('\n  ');
  return new MigrationError('EM_MODEL_INVALID', message, { cause: error });
}
