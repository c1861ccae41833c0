import type { Rules } from './rules.js';
import { isAlone, isBegun, nothing, type End, type Process, type State, type Word } from './state.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A copy of a state in which one process acts. Where a process is, is the message that it has sent and the server has not heard: what it decides between two
 * messages depends on answers alone, so an interleaving of processes is an order in which their messages are heard. Each message here is one that the library
 * sends, by its name; left out are reads on which nothing depends and writes that nobody reads.
 */
export class Turn {
  private readonly state: Mutable<State>;
  private readonly me: Mutable<Process>;

  constructor(
    before: State,
    run: number,
    private readonly rules: Rules,
  ) {
    const processes = before.processes.map((each) => (each.run === run ? { ...each } : each));
    this.state = { ...before, effects: { ...before.effects }, journal: { ...before.journal }, processes };
    this.me = processes[run - 1] as Mutable<Process>;
  }

  /** The server hears the message that is on its way; the process, where it lives, has the answer and sends the next one. */
  hear(): State {
    const [message = '', migration = ''] = this.me.at.split(' ');
    this.me.at = '';
    this[message as 'body'](migration);
    if (this.me.client === 'dead') Object.assign(this.me, { at: '', ...nothing });
    return this.state;
  }

  /** The process is gone. What it has sent may still arrive, and the server has not noticed. */
  die(): State {
    this.me.client = 'dead';
    return this.state;
  }

  /** SIGTERM. */
  stop(): State {
    this.me.isStopping = true;
    return this.state;
  }

  /** The lock is lost, and not the session: a migration has run pg_advisory_unlock_all(), or a pooler DISCARD ALL. */
  lose(): State {
    this.state.holder = 0;
    return this.state;
  }

  /** The server ends the session: what is not committed is undone, what is on its way is lost, and the lock is free. */
  endSession(): State {
    const { client, isStopping, run, ending } = this.me;
    const lost = isStopping ? 'aborted' : 'lost';
    const end = client !== 'alive' ? client : ending === 'ready' ? lost : ending; // a failure that is known is what its caller hears of
    Object.assign(this.me, { client: end, backend: 'gone', transaction: '', at: '', ...nothing });
    if (this.state.holder === run) this.state.holder = 0;
    return this.state;
  }

  look(): void {
    const { state, me } = this;
    me.seen = state.history;
    if (me.way === 'down') me.plan = state.history.slice(-1); // what a person confirms
    if (me.way === 'down' && me.isStopping) return this.end('aborted');
    if (this.isDone && this.isSettled) return this.end('ready');
    this.send('lock');
  }

  lock(): void {
    const { state, me, rules } = this;
    const holder = state.processes[state.holder - 1];
    if (holder === undefined || (holder.client === 'dead' && !rules.endsWithSession)) {
      state.holder = me.run;
      return this.decide();
    }
    if (me.way === 'up' && this.isDone && this.isSettled) return this.end('ready');
    if (me.isStopping) return this.end('aborted');
    this.send('lock');
  }

  claim(): void {
    const { state, me, rules } = this;
    const isOurs = rules.reclaims && state.owner.state === 'active' && state.owner.run === state.flag;
    if (state.flag !== 0 && !isOurs) return this.send('claim'); // it waits for knex
    me.transaction = 'claim';
    this.send('claimed');
  }

  claimed(): void {
    const { state, me, rules } = this;
    Object.assign(me, { transaction: '', isClaimed: true });
    state.flag = me.run;
    state.owner = { state: 'active', run: me.run };
    if (rules.rechecks && state.history !== me.seen) return this.decide();
    if (me.plan === '') return this.send('release');
    if (me.isStopping) return this.letGo('aborted');
    this.send('owner');
  }

  owner(): void {
    this.state.owner = { state: 'active', run: this.me.run };
    this.next();
  }

  body(migration: string): void {
    if (!this.isPossessed || !this.isFlagged) return this.fail(migration);
    if (!this.rules.recordsWithIt) this.change(migration);
    if (this.me.isStopping) return this.fail(migration);
    this.me.transaction = migration;
    this.send(`record ${migration}`);
  }

  begin(migration: string): void {
    if (!this.isPossessed || !this.isFlagged) return this.fail(migration);
    this.say(migration, 'started');
    if (this.me.isStopping) return this.fail(migration);
    this.send(`announce ${migration}`);
  }

  announce(migration: string): void {
    if (!this.isPossessed) return this.fail(migration);
    if (this.rules.announces) this.say(migration, 'started', true);
    this.send(`${this.me.isStopping ? 'refuse' : 'statement'} ${migration}`);
  }

  refuse(migration: string): void {
    if (this.isPossessed) this.say(migration, 'started', false);
    this.fail(migration);
  }

  statement(migration: string): void {
    this.change(migration);
    if (this.me.isStopping) return this.fail(migration);
    this.send(`record ${migration}`);
  }

  record(migration: string): void {
    const { state, me, rules } = this;
    me.transaction = '';
    if (!this.isPossessed || (!isAlone(migration) && !this.isFlagged)) return this.fail(migration);
    if (isAlone(migration)) this.say(migration, 'done', false);
    else if (rules.recordsWithIt) this.change(migration);
    state.history = me.way === 'up' ? state.history + migration : state.history.replace(migration, '');
    state.owner = { state: 'active', run: me.run };
    me.plan = me.plan.slice(1);
    this.next();
  }

  undone(migration: string): void {
    this.note(migration, 'undone');
  }

  unfinished(migration: string): void {
    this.note(migration, 'unfinished');
  }

  release(): void {
    const { state, me } = this;
    if (me.isClaimed && state.owner.run === me.run) {
      if (state.flag === me.run) state.flag = 0;
      state.owner = { state: me.ending === 'ready' ? 'clear' : 'failed', run: me.run };
    }
    if (state.holder === me.run) state.holder = 0;
    this.end(me.ending);
  }

  // With the lock just taken: the same message has read the history, and the next ones read what the journal says.
  private decide(): void {
    const { state, me, rules } = this;
    const confirmed = me.plan;
    if (rules.rechecks) me.seen = state.history;
    if (me.way === 'up' && this.isDone && this.isSettled) return this.send('release');
    if (Object.keys(state.journal).some((each) => this.isInTheWay(each))) return this.letGo('refused');
    me.plan =
      me.way === 'down'
        ? me.seen.slice(-1)
        : Object.keys(state.effects)
            .filter((each) => !me.seen.includes(each))
            .join('');
    if (me.isStopping && (me.plan !== '' || me.way === 'down')) return this.letGo('aborted');
    if (me.way === 'down' && me.plan !== confirmed) return this.letGo('refused');
    this.send(me.plan === '' && this.isSettled ? 'release' : 'claim');
  }

  // One of the same direction that has not announced anything can be run again.
  private isInTheWay(migration: string): boolean {
    const word = this.state.journal[migration] as Word;
    const isHalfway = isBegun(word) && this.state.history.includes(migration) === (word.way === 'down');
    return isHalfway && (word.sent || word.status === 'unfinished' || word.way !== this.me.way);
  }

  private next(): void {
    const [migration] = this.me.plan;
    if (migration !== undefined && this.me.isStopping) return this.letGo('aborted');
    this.send(migration === undefined ? 'release' : `${isAlone(migration) ? 'begin' : 'body'} ${migration}`);
  }

  private fail(migration: string): void {
    this.me.ending = this.me.isStopping ? 'aborted' : 'failed';
    this.send(`${this.state.journal[migration]?.sent ? 'unfinished' : 'undone'} ${migration}`);
  }

  private note(migration: string, status: 'undone' | 'unfinished'): void {
    if (isAlone(migration) && (this.isPossessed || !this.rules.provesPossessionOfFailed))
      this.say(migration, status, status === 'undone' ? false : undefined);
    this.send('release');
  }

  private letGo(ending: End): void {
    this.me.ending = ending;
    this.send('release');
  }

  private say(migration: string, status: Word['status'], sent = (this.state.journal[migration] as Word).sent): void {
    this.state.journal = { ...this.state.journal, [migration]: { status, way: this.me.way, sent } };
  }

  private change(migration: string): void {
    const times = this.state.effects[migration] ?? 0;
    this.state.effects = { ...this.state.effects, [migration]: times + (this.me.way === 'up' ? 1 : -1) };
  }

  private send(message: string): void {
    this.me.at = message;
  }

  // Who is dead does not say goodbye.
  private end(client: End): void {
    if (this.me.client === 'dead') return;
    this.me.client = client;
    this.endSession();
  }

  private get isDone(): boolean {
    const { history, effects } = this.state;
    return this.me.way === 'down' ? history === '' : history.length === Object.keys(effects).length;
  }

  private get isSettled(): boolean {
    return this.state.owner.state === 'clear';
  }

  private get isPossessed(): boolean {
    return !this.rules.provesPossession || this.state.holder === this.me.run;
  }

  private get isFlagged(): boolean {
    return this.state.flag === this.me.run;
  }
}
