import { styleText } from 'node:util';

const hidden = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'event', 'run']);
const colours = ['cyan', 'yellow', 'green', 'magenta', 'blue'];
const names = [];
const started = Date.now();

/** A line of a service: the object of a JSON log line, else `{ msg }`. */
export function readRecord(line) {
  try {
    const record = JSON.parse(line);
    if (typeof record === 'object' && record !== null) return record;
  } catch {
    // not JSON: printed as it is
  }
  return { msg: line };
}

/** Prints a record as one line: seconds since the demo began, who, what, and the fields. */
export function printLine(name, record) {
  const seconds = ((Date.now() - started) / 1000).toFixed(2).padStart(6);
  const text = record.msg ?? record.event ?? '';
  console.log(`${paint('dim', seconds)} ${paintName(name)} ${text} ${paint('dim', describeFields(record))}`.trimEnd());
}

/** Prints the title of a part of the story. */
export function printTitle(title) {
  console.log(`\n${paint('bold', title)}`);
}

/** Prints a sentence that has been checked; throws it when it is not true. */
export function check(condition, sentence) {
  if (!condition) throw new Error(`it is not true that ${sentence}`);
  console.log(`       ${paint('green', 'ok')} ${sentence}`);
}

function paint(style, text) {
  return process.stdout.isTTY && !process.env.NO_COLOR ? styleText(style, text) : text;
}

function paintName(name) {
  if (!names.includes(name)) names.push(name);
  return paint(colours[names.indexOf(name) % colours.length], name.padEnd(9));
}

// The fields of a log line that are not told by its text.
function describeFields({ holder, ...record }) {
  const fields = describeEntries(Object.entries(record).filter(([key]) => !hidden.has(key)));
  return holder ? `${describeHolder(holder)} ${fields}` : fields;
}

function describeHolder({ pid, application, since, migration, step, of }) {
  const work = migration === undefined || migration === null ? '' : `, at ${migration}, ${step} of ${of}`;
  return `held by pid ${pid} (${application}) since ${String(since).slice(11, 19)}${work}`;
}

function describeEntries(entries) {
  return entries
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => `${key}=${describeValue(value)}`)
    .join(' ');
}

function describeValue(value) {
  if (typeof value === 'number') return String(Math.round(value * 10) / 10);
  if (typeof value !== 'object') return String(value).replace(/\s*\n\s*/g, ' | ');
  if (typeof value.message === 'string') return describeValue(value.message);
  return shorten(Array.isArray(value) ? `[${value.map(describeValue).join(', ')}]` : `{${describeEntries(Object.entries(value))}}`);
}

// Texts are told whole: a failed demo is read for them.
function shorten(text) {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
