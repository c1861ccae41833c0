import { wrongAfterAll, wrongWith } from './invariants.js';
import { after, movesOf, type Fault, type Move } from './moves.js';
import { asItIs, type Rules } from './rules.js';
import { databaseKeyOf, keyOf, type State } from './state.js';

interface Edge {
  readonly from: string;
  readonly move: Move;
  readonly to: string;
}

/** Every state that some order of moves leads to. */
export interface Graph {
  readonly states: ReadonlyMap<string, State>;
  readonly edges: readonly Edge[];
  /** The first thing that is not as it must be, and a shortest way to it. */
  readonly fault: { readonly what: string; readonly trace: readonly Move[] } | undefined;
}

/** Looks at them all, breadth first, and stops at the first fault. */
export function search(first: State, possible: readonly Fault[], rules: Rules = asItIs): Graph {
  const states = new Map([[keyOf(first), first]]);
  const came = new Map<string, Edge>();
  const edges: Edge[] = [];
  const nextBoot = nextBoots(rules);
  // What is added to a Map is gone through as well.
  for (const [from, state] of states) {
    for (const move of movesOf(state, possible)) {
      const next = after(state, move, rules);
      const edge = { from, move, to: keyOf(next) };
      edges.push(edge);
      const isNew = !states.has(edge.to);
      if (isNew) came.set(edge.to, edge);
      if (isNew) states.set(edge.to, next);
      const what = wrongWith(state, move, next) ?? (isNew ? nextBoot(next) : undefined);
      if (what !== undefined) return { states, edges, fault: { what, trace: [...traceTo(came, from), move] } };
    }
  }
  const stuck = stuckIn(states, edges);
  return { states, edges, fault: stuck === undefined ? stuck : { what: 'the end is never reached', trace: traceTo(came, stuck) } };
}

// It depends on the database alone, which is the same after many stories.
function nextBoots(rules: Rules): (state: State) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (state) => {
    if (state.processes.some(({ backend }) => backend === 'alive')) return undefined;
    const key = databaseKeyOf(state);
    if (!known.has(key)) known.set(key, wrongAfterAll(state, rules));
    return known.get(key);
  };
}

function traceTo(came: ReadonlyMap<string, Edge>, key: string): Move[] {
  const trace: Move[] = [];
  for (let edge = came.get(key); edge !== undefined; edge = came.get(edge.from)) trace.unshift(edge.move);
  return trace;
}

// The first from which no end can be reached though nothing bad happens any more.
function stuckIn(states: ReadonlyMap<string, State>, edges: readonly Edge[]): string | undefined {
  const before = new Map<string, string[]>();
  for (const { from, move, to } of edges) {
    if (!/^(hear|notice)/.test(move)) continue;
    const known = before.get(to);
    if (known) known.push(from);
    else before.set(to, [from]);
  }
  const ends = [...states].filter(([, { processes }]) => processes.every(({ backend }) => backend === 'gone')).map(([key]) => key);
  const reaching = new Set(ends);
  for (const key of reaching) for (const from of before.get(key) ?? []) reaching.add(from);
  return [...states.keys()].find((key) => !reaching.has(key));
}

/** Traces from the first state, which together go along each edge at least once; each goes on for as long as it finds a new one. */
export function* tracesOf({ states, edges }: Graph): Generator<readonly Move[]> {
  const open = new Map<string, Edge[]>([...states.keys()].map((key) => [key, []]));
  const came = new Map<string, Edge>();
  const [first] = states.keys();
  for (const edge of edges) {
    open.get(edge.from)?.push(edge);
    if (edge.to !== first && !came.has(edge.to)) came.set(edge.to, edge);
  }
  for (const [from, left] of open) {
    for (let edge = left.pop(); edge !== undefined; edge = left.pop()) {
      const trace = [...traceTo(came, from), edge.move];
      for (let next = open.get(edge.to)?.pop(); next !== undefined; next = open.get(next.to)?.pop()) trace.push(next.move);
      yield trace;
    }
  }
}
