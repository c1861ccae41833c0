import path from 'node:path';
import ts from 'typescript';
import { root } from './majors.js';
import type { Snippet } from './markdown.js';

// Snippets are fragments: what they do not import or declare themselves is one of these.
const surroundings = `
import type * as library from 'ensure-migrated';
declare global {
  const ensureMigrated: typeof library.ensureMigrated;
  const createProbe: typeof library.createProbe;
  const isMigrationError: typeof library.isMigrationError;
  const connection: string;
  const logger: library.Logger;
  const signal: AbortSignal;
  const options: library.Options;
  const knex: import('knex').Knex;
}`;

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  paths: {
    'ensure-migrated': [path.join(root, 'src/index.ts')],
    'ensure-migrated/commands': [path.join(root, 'src/commands/index.ts')],
  },
  strict: true,
  noImplicitAny: false, // the parameters of a migration in JavaScript have no types
  allowJs: true,
  checkJs: true,
  noEmit: true,
  skipLibCheck: true,
};

/** What the compiler says of the snippets, each as `page:line: sentence`. Those in JavaScript are checked as JavaScript. */
export function faultsOfCode(snippets: readonly Snippet[]): string[] {
  const places = new Map(snippets.map((snippet, index) => [path.join(root, `snippet-${index}.${snippet.language}`), snippet]));
  const texts = new Map([...places].map(([file, { text }]) => [file, text]));
  texts.set(path.join(root, 'snippets.d.ts'), surroundings);
  const program = ts.createProgram([...texts.keys()], options, hostWith(texts));
  return [...places].flatMap(([file, snippet]) => {
    const source = program.getSourceFile(file);
    if (source === undefined) return [`${snippet.page}:${snippet.line}: was not read`];
    const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return diagnostics.filter((diagnostic) => !isFileOfTheReader(diagnostic)).map((diagnostic) => describe(snippet, source, diagnostic));
  });
}

function hostWith(texts: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (file) => texts.has(file) || fileExists.call(host, file);
  host.readFile = (file) => texts.get(file) ?? readFile.call(host, file);
  host.getSourceFile = (file, languageVersion, ...rest) => {
    const text = texts.get(file);
    return text === undefined
      ? getSourceFile.call(host, file, languageVersion, ...rest)
      : ts.createSourceFile(file, text, languageVersion, true);
  };
  return host;
}

// `import('./migrations/0001_patients.js')` is there at the reader's.
function isFileOfTheReader({ code, messageText }: ts.Diagnostic): boolean {
  return code === 2307 && /'\.\//.test(ts.flattenDiagnosticMessageText(messageText, ' '));
}

function describe({ page, line }: Snippet, source: ts.SourceFile, { start = 0, messageText }: ts.Diagnostic): string {
  const within = source.getLineAndCharacterOfPosition(start).line;
  return `${page}:${line + within}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
}
