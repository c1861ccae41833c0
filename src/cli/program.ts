import { Command, CommanderError } from 'commander';
import { createInterface } from 'node:readline/promises';
import { loadConfigFile, type ConfigFile } from '../config-file/index.js';
import { messageOf, MigrationError, orInternal } from '../errors.js';
import { verbs } from './commands.js';
import { errorFields } from './error-fields.js';
import { readOwnPackage } from '../own-package.js';
import { makePage, readPageTarget } from './page.js';
import { tellProgress } from './progress.js';
import { screenOf } from './screen.js';
import { siteKinds } from '../sites.js';
import { runOnSites } from './several.js';
import { flagText, type Input, type Told, type Verb } from './verb.js';
import { wordsOfOthers } from './words-of-others.js';

/** The streams of a process. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

const invalidUsage = 78;

/** Flags of every verb. */
export const commonFlags: Readonly<Record<string, string>> = {
  '--connection <url>': 'The database. Default: DATABASE_URL, or the PG* variables.',
  '--migrations <directory>': 'The migrations. Default: ./migrations.',
  '-c, --config <file>': 'The configuration file. Default: ensure-migrated.config.*, else a knexfile.',
  '--env <name>': 'The environment: the section of a knexfile, and the name that is recorded. Default: NODE_ENV.',
  '--database <name>': 'Of several databases of the configuration file: this one, or those of a pattern such as "eu-*".',
  '--tenant <name>': 'The same of tenants.',
  '--stream <name>': 'The same of streams.',
  '--json': 'Print the result, or the error, as JSON.',
};

/** Runs one command line and gives its exit code: results go to stdout, all else to stderr. Never throws. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  try {
    const program = createProgram(terminal, async (verb, input) => {
      exitCode = await runVerb(verb, input, terminal);
    });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return tellFailure(error, args.includes('--json') ? 'as JSON' : 'as text', terminal);
    if (error.exitCode === 0) return 0; // it has shown the help, or the version
    if (args.includes('--json')) printError(unusable(error), terminal.stdout); // and what is wrong with the words stands on stderr
    return invalidUsage;
  }
}

type RunVerb = (verb: Verb, input: Words) => Promise<void>;

/** What stands on the command line. */
type Words = Pick<Input, 'args' | 'flags'>;

/** The parser of the command line, made from the table of verbs. */
export function createProgram({ stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>, run: RunVerb): Command {
  const program = new Command('ensure-migrated')
    .description('Migrations that a Node service on PostgreSQL can trust with its boot.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .version(readOwnPackage().version, '-V, --version', 'Print the version of ensure-migrated.')
    .showSuggestionAfterError()
    .showHelpAfterError('(ensure-migrated --help lists the verbs, ensure-migrated <verb> --help explains one)')
    .helpCommand(false);
  for (const verb of verbs) addVerb(program, verb, run);
  for (const [word, here] of Object.entries(wordsOfOthers)) addWordOfOthers(program, word, here);
  return program;
}

// Whatever follows it: the word alone says what was meant.
function addWordOfOthers(program: Command, word: string, here: string): void {
  const command = program.command(word, { hidden: true }).helpOption(false).allowUnknownOption().allowExcessArguments();
  command.action(() => command.error(`error: unknown command '${word}'\n(Here that is: ${here})`));
}

function addVerb(program: Command, verb: Verb, run: RunVerb): void {
  const command = program
    .command(`${verb.name} ${verb.arguments ?? ''}`.trim())
    .summary(verb.summary)
    .description(verb.description)
    .showHelpAfterError(`(As in: ${verb.examples[0] ?? ''}. ensure-migrated ${verb.name} --help explains it)`);
  for (const [flag, sentence] of Object.entries({ ...verb.flags, ...commonFlags })) command.option(flag, sentence);
  command.addHelpText('after', `\nExamples:\n${verb.examples.map((example) => `  ${example}`).join('\n')}`);
  command.action(async () => {
    const args = command.processedArgs.flat().filter((arg): arg is string => typeof arg === 'string');
    await run(verb, { args, flags: command.opts() });
  });
}

async function runVerb(verb: Verb, { args, flags }: Words, terminal: Terminal): Promise<number> {
  const { stdin, stdout, stderr } = terminal;
  const progress = await tellProgress(stderr);
  const json = flags['json'] === true || flags['format'] === 'json';
  const asking = stdin.isTTY && !json ? askingOn(terminal) : { ask: undefined, askText: undefined };
  try {
    const file = await loadFile({ flags });
    const target = await readPageTarget({ flags });
    const told = await runOnSites({ verb, file, input: { args, flags, ...asking }, onProgress: progress.onProgress });
    progress.end();
    const made = target === undefined ? '' : await makePage(target, told);
    const shown = json ? jsonOf(told) : told.text({ ...screenOf(stdout), said: saidOf(flags) });
    stdout.write(target === 'stdout' ? made : `${shown}\n${json ? '' : made}`);
    return told.exitCode ?? 0;
  } catch (error) {
    progress.end();
    return tellFailure(error, json ? 'as JSON' : 'as text', terminal);
  }
}

// Not the connection: it may have a password.
const flagsOfPlace = ['migrations', 'config', 'env', ...siteKinds];

function saidOf(flags: Input['flags']): Record<string, string> {
  const said = flagsOfPlace.map((name) => [name, flagText({ flags }, name)] as const);
  return Object.fromEntries(said.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

function tellFailure(error: unknown, how: 'as JSON' | 'as text', { stdout, stderr }: Terminal): number {
  const failure = orInternal(error);
  if (how === 'as JSON') printError(failure, stdout);
  else stderr.write(`${screenOf(stderr).style('red', failure.code)}: ${failure.message}\n`);
  return failure.exitCode;
}

async function loadFile(input: Pick<Input, 'flags'>): Promise<ConfigFile> {
  const given = (name: string) => flagText(input, name);
  refuseEmpty(input);
  const [connection, migrations, schema] = [given('connection'), given('migrations'), given('schema')?.split(',')];
  const flags = { ...(connection && { connection }), ...(migrations && { migrations }), ...(schema && { schema }) };
  const request = { directory: process.cwd(), file: given('config'), environment: given('env'), flags };
  return await loadConfigFile(request);
}

// `--connection "$PRODUCTION"` with a variable that is not set: passed over, it would mean another database.
function refuseEmpty({ flags }: Pick<Input, 'flags'>): void {
  const [empty] = Object.keys(flags).filter((name) => flags[name] === '');
  if (empty === undefined) return;
  const flag = `--${empty.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const remedy = `Give ${flag} a value, or leave it out. Nothing was changed.`;
  throw new MigrationError('EM_CONFIG_INVALID', `${flag} is empty`, { remedy });
}

function jsonOf({ result }: Told): string {
  return JSON.stringify(result, undefined, 2);
}

function unusable({ message }: CommanderError): MigrationError {
  const remedy = 'Correct the command line: `ensure-migrated --help` lists the verbs. Nothing was changed.';
  return new MigrationError('EM_CONFIG_INVALID', message.replace(/^error: /, ''), { remedy });
}

function printError(error: MigrationError, stdout: NodeJS.WriteStream): void {
  stdout.write(`${JSON.stringify({ error: errorFields(error) }, undefined, 2)}\n`);
}

function askingOn(terminal: Terminal): Pick<Input, 'ask' | 'askText'> {
  return {
    ask: async (question) => /^y(es)?$/i.test(await answerTo(`${question} [y/N] `, terminal)),
    askText: async (question) => await answerTo(`${question} `, terminal),
  };
}

// Ctrl-D, or Ctrl-C, is no answer.
async function answerTo(question: string, { stdin, stderr }: Terminal): Promise<string> {
  const readline = createInterface({ input: stdin, output: stderr });
  try {
    return (await readline.question(question)).trim();
  } catch (error) {
    stderr.write(`${messageOf(error)}\n`);
    return '';
  } finally {
    readline.close();
  }
}
