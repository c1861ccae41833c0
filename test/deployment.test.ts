import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { optionTable } from '../src/config/table.js';
import { timeoutTable } from '../src/config/timeouts.js';
import { root } from './support/majors.js';
import { startScript } from './support/process.js';
import { createDatabase } from './support/servers.js';

function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

interface Container {
  readonly command: string;
  readonly image: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly text: string;
}

const manifests = ['job', 'api', 'worker'].map((name) => `examples/kubernetes/${name}.yaml`);
const compose = read('examples/docker-compose/docker-compose.yml');
const containers: [string, Container][] = [
  ...manifests.map((file): [string, Container] => [file, readContainer(read(file))]),
  ...compose.split(/^ {2}(?=\w+:$)/m).flatMap((text): [string, Container][] => {
    return text.includes('command:') ? [[`docker-compose.yml, ${/^\w+/.exec(text)?.[0]}`, readContainer(text)]] : [];
  }),
];

// These files are ours and have one form each: lines are enough to read them by.
function readContainer(text: string): Container {
  const pairs = [
    ...text.matchAll(/^ +([A-Z_]+): (.+)$/gm),
    ...text.matchAll(/- name: ([A-Z_]+)\n +value(?:From:\n.*\n.*\n +key)?: (.+)$/gm),
  ];
  return {
    command: /command: \['node', '([^']+)'\]/.exec(text)?.[1] ?? '',
    image: /image: (.+)/.exec(text)?.[1],
    environment: Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value.replaceAll("'", '')])),
    text,
  };
}

const serving = containers.filter(([, { environment }]) => 'PORT' in environment);

describe('the deployment examples', () => {
  it('are five containers, four of which listen', () => {
    expect(containers.map(([name]) => name)).toEqual([...manifests, 'docker-compose.yml, api', 'docker-compose.yml, worker']);
    expect(serving).toHaveLength(4);
  });

  it.each(containers)('%s runs one of the examples, from the one image', (_name, { command, image }) => {
    expect([command, existsSync(path.join(root, command))]).toEqual([expect.stringMatching(/^examples\/\w+\/\w+\.js$/), true]);
    expect(image).toBe('clinical-notes:1.0.0');
  });

  it.each(containers)('%s sets only variables that are read', (_name, { command, environment }) => {
    const ours = Object.values(optionTable).flatMap((row) => ('environment' in row ? row.environment : []));
    const readByExample = [...read(command).matchAll(/process\.env\.([A-Z_]+)/g)].map(([, name]) => name);
    expect([...ours, ...readByExample]).toEqual(expect.arrayContaining(Object.keys(environment)));
    expect(environment).toHaveProperty('DATABASE_URL');
  });

  it.each(serving)('%s is asked on the port that it listens on', (_name, { command, environment: { PORT }, text }) => {
    const asked = [...text.matchAll(/(?:containerPort|targetPort|\bport): (\d+)|127\.0\.0\.1:(\d+)|- '(\d+):\3'/g)].filter(
      ([match]) => match !== 'port: 80',
    );
    expect(asked.length).toBeGreaterThan(0);
    for (const [, inProbe, inCheck, published] of asked) expect(inProbe ?? inCheck ?? published).toBe(PORT);
    expect(read(command)).toContain(`PORT ?? ${PORT}`); // the default says the same
  });

  it.each(serving)('%s is asked for paths that its example answers', async (_name, { command, text }) => {
    const paths = [...text.matchAll(/path: (\S+)|127\.0\.0\.1:\d+(\/[\w/]+)/g)].map(([, inProbe, inCheck]) => inProbe ?? inCheck ?? '');
    expect(paths.length).toBeGreaterThan(0);
    const script = startScript(path.join(root, command), { env: { DATABASE_URL: (await createDatabase()).url, PORT: '0' } });
    await script.waitForLine(/\bserving\b/);
    const [address = ''] = /http:[\w./:]+/.exec(await script.waitForLine(/ listening at http:/)) ?? [];
    for (const asked of paths) expect([asked, (await fetch(address + asked)).status]).toEqual([asked, 200]);
    await script.kill();
  });

  it('let the job apply and the pods wait, and give them as long to start as a boot may wait', () => {
    const modes = containers.map(([, { environment }]) => environment['ENSURE_MIGRATED_MODE']);
    expect(modes).toEqual(['apply', 'wait', 'wait', undefined, undefined]);
    for (const file of manifests.slice(1)) {
      const [, period, threshold] = /startupProbe:[^]*?periodSeconds: (\d+)\n\s+failureThreshold: (\d+)/.exec(read(file)) ?? [];
      expect(Number(period) * Number(threshold) * 1000).toBeGreaterThanOrEqual(timeoutTable.callMs.default);
    }
  });

  it('build an image that holds the migrations and everything that the commands need', () => {
    const copied = [...read('examples/docker-compose/Dockerfile').matchAll(/^COPY (.+) \S+$/gm)].flatMap(
      ([, sources]) => sources?.split(' ') ?? [],
    );
    for (const source of copied) expect([source, existsSync(path.join(root, source))]).toEqual([source, true]);
    expect(copied).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'src', 'migrations', 'examples']));
    const dockerfile = /dockerfile: (.+)/.exec(compose)?.[1] ?? '';
    const context = path.resolve(root, 'examples/docker-compose', /context: (.+)/.exec(compose)?.[1] ?? '');
    expect([context, existsSync(path.join(context, dockerfile))]).toEqual([path.resolve(root), true]);
  });
});
