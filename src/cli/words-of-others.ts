/** What a hand that comes from Alembic, Flyway, knex, node-pg-migrate, Prisma or Rails types, and what says the same here. Never run in its place. */
export const wordsOfOthers: Readonly<Record<string, string>> = {
  ...saidBy('upgrade', ['migrate', 'up', 'latest', 'deploy', 'apply', 'migrate:latest', 'migrate:up', 'db:migrate']),
  ...saidBy('downgrade -1', ['rollback', 'down', 'undo', 'revert', 'migrate:rollback', 'migrate:down', 'db:rollback']),
  ...saidBy('revision "what it changes"', ['create', 'make', 'new', 'migrate:make']),
  ...saidBy('revision --autogenerate "what it changes"', ['autogenerate', 'generate', 'dev']),
  ...saidBy('current', ['head', 'heads', 'branches', 'version', 'migrate:currentVersion']),
  ...saidBy('history --verbose', ['show', 'list', 'migrate:list']),
  ...saidBy('status', ['info', 'validate', 'migrate:status', 'db:migrate:status']),
  ...saidBy('check', ['diff']),
  ...saidBy('repair --help', ['resolve', 'fix']),
};

function saidBy(here: string, theirs: readonly string[]): Record<string, string> {
  return Object.fromEntries(theirs.map((word) => [word, `ensure-migrated ${here}`]));
}
