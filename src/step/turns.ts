/**
 * One piece of work after the other. Whoever admits a statement may ask the database behind a savepoint: a statement that was sent meanwhile would be
 * rolled back with the question.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Does the work when all that was taken before has ended, however it did. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(work);
    this.last = done.catch(() => undefined);
    return await done;
  }

  async settled(): Promise<void> {
    await this.last;
  }
}
