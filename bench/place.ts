import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded, type Embedded } from '../src/embedded.js';

/** A server with durability on, as in production, and a directory for the migrations that are made here. */
export interface Place extends AsyncDisposable {
  readonly server: Embedded;
  /** A fresh database; its URL. */
  createDatabase(): Promise<string>;
  /** A directory with `count` migrations of one statement each: code, or a script. */
  migrations(count: number, kind?: 'js' | 'sql'): string;
}

export async function openPlace(): Promise<Place> {
  const server = await startEmbedded({ durable: true, settings: { max_connections: '200' } });
  const root = mkdtempSync(join(tmpdir(), 'em-bench-'));
  let made = 0;
  return {
    server,
    async createDatabase() {
      const name = `bench_${++made}`;
      const client = new pg.Client(server.url);
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      const url = new URL(server.url);
      url.pathname = name;
      return url.href;
    },
    migrations: (count, kind = 'js') => writeMigrations(join(root, `${kind}-${count}`), count, kind),
    async [Symbol.asyncDispose]() {
      await server.remove();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function writeMigrations(directory: string, count: number, kind: 'js' | 'sql'): string {
  mkdirSync(directory, { recursive: true });
  // knex reads a directory with import() or require(); .mjs-like text in .js needs to know which.
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  for (let index = 0; index < count; index++) {
    const name = String(20_200_000 + index);
    const sql = `create table t_${index} (id bigint primary key, name text not null)`;
    const code = `export const up = (knex) => knex.raw(${JSON.stringify(sql)});\nexport const down = (knex) => knex.raw('drop table t_${index}');\n`;
    writeFileSync(join(directory, `${name}_t.${kind}`), kind === 'js' ? code : `${sql};\n`);
  }
  return directory;
}
