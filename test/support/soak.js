// `npm run soak -- --minutes 30 [--seed n]`: the stories of test/soak for so long, on a server of its own that is crashed at times. Exit code 1 and the seed of the
// chapter for the first thing that is not as it must be; what happened is counted.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, seed: { type: 'string' } } });
const env = { ...process.env, SOAK_MINUTES: values.minutes, ...(values.seed !== undefined && { SOAK_SEED: values.seed }) };
const { status } = spawnSync('npx', ['vitest', 'run', 'test/soak/soak.test.ts'], { stdio: 'inherit', env });
process.exitCode = status ?? 1;
