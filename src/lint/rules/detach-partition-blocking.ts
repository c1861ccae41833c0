import { changed } from '../change.js';
import { defineRule } from '../rule.js';
import { nameWords, outsideWords, tableWords, waitWords } from '../words.js';

export const detachPartitionBlocking = defineRule({
  id: 'detach-partition-blocking',
  on: ['detach-partition'],
  spares: 'small',
  find({ table, partition, concurrently }, { catalog, statement, step }) {
    const relation = catalog.relation(table);
    const byDefault = relation.partitions.map((each) => catalog.relation(each)).find(({ isDefaultPartition }) => isDefaultPartition);
    const alone = 'leave it alone in a migration of its own: it waits for the lock, and then it is instant';
    if (concurrently && byDefault === undefined) return undefined;
    if (concurrently)
      return {
        message: `detach partition concurrently fails with 55000: ${nameWords(relation)} has a default partition, ${nameWords(byDefault ?? relation)}`,
        remedy: `Write \`alter table ${nameWords(relation)} detach partition ${nameWords(catalog.relation(partition))}\`, and ${alone}.`,
      };
    const mode = 'ACCESS EXCLUSIVE';
    return {
      table: relation,
      message: `detach partition locks ${tableWords(relation)} in ${mode} mode: ${waitWords(mode)} until the transaction ends`,
      remedy: (write) => {
        if (byDefault) return `It cannot be detached concurrently while ${nameWords(byDefault)} is the default partition: ${alone}.`;
        const safe = changed({ ...statement, write }, 'AlterTableStmt', ({ cmds = [], ...body }) => ({
          ...body,
          cmds: cmds.map(concurrent),
        }));
        return `Write \`${safe}\`, and ${outsideWords(step)}.`;
      },
    };
  },
});

function concurrent<Command>(command: Command): Command {
  const copy = structuredClone(command) as { AlterTableCmd?: { def?: { PartitionCmd?: { concurrent?: boolean } } } };
  const partition = copy.AlterTableCmd?.def?.PartitionCmd;
  if (partition) partition.concurrent = true;
  return copy as Command;
}
