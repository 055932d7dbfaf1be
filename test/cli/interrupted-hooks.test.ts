/** Hooks and layers that end early: by a signal, which lets a hook clean up, or by ending the process. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { roll } from '../../src/cli/roll.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import { runSession } from '../../src/deploy/session/session.js';
import { findHooks } from '../../src/layers/find-hooks.js';
import { COMPOSE, createProject, deployYml, load } from '../config/project-folder.js';
import { CollectingReporter } from '../support/collecting-reporter.js';
import { runCommandLine } from '../support/command-line.js';

it('names the hook that is ended, and shows what it prints while it cleans up', async () => {
  const script = `#!/bin/sh
trap 'echo once >> cleaning; sleep 1; echo cleaned; exit 1' TERM
touch ready
sleep 60 & wait
`;
  const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(), 'config/hooks/configure*': script });
  const settings = await load(root, { findHooks });
  const reporter = new CollectingReporter();
  const ports = { clock: systemClock, reporter } as unknown as DeployPorts;
  const [first, second] = [new AbortController(), new AbortController()];
  const about = { argv: [], env: { PATH: process.env.PATH }, redact: (text: string) => text, ask: undefined };
  const signals = { interrupted: first.signal, aborted: second.signal };
  const args = { allowDowntime: false, waitLock: 0 };
  const running = roll(ports, settings, args, { ...about, ...signals }, (watched, options) =>
    runSession('deploy', watched, options, { id: 'r1', imageTag: 'v1' }, async () => {
      throw new Error('not reached');
    }),
  );
  await expect.poll(() => existsSync(join(root, 'ready')), { timeout: 20_000 }).toBe(true);
  first.abort('SIGINT');
  expect(await running).toMatchObject({ exit: 130 });
  expect(reporter.of('deploy-interrupted').map(({ detail }) => detail)).toEqual([
    expect.stringMatching(/^Ending hook config\/hooks\/configure, within 5 s\. A second signal/),
  ]);
  expect(reporter.of('layer-output').map(({ line }) => line)).toContain('cleaned');
  expect(readFileSync(join(root, 'cleaning'), 'utf8')).toBe('once\n');
});

const HEAD = "import { defineLayer, z } from 'do-deploy';\n";
const layer = (rest: string) => `defineLayer({ name: 'own', kind: 'third-party', config: z.any(), ${rest} })`;

describe('a layer that ends the process', () => {
  const REFUSED = 'it called process.exit(3), which is refused during a run.';
  it.each([
    [
      'in a handler',
      `export default ${layer('on: { configure: () => process.exit(3) }')};`,
      1,
      'Layer own failed at configure: ',
    ],
    [
      'by an import',
      `import { exit } from 'node:process';\nexport default ${layer('on: { configure: () => exit(3) }')};`,
      1,
      'Layer own failed at configure: ',
    ],
    [
      'while it is loaded',
      `process.exit(3);\nexport default ${layer('on: {}')};`,
      2,
      'layers../own.mjs cannot be loaded: ',
    ],
    [
      'while its settings are checked',
      `export default ${layer('on: {}').replace('z.any()', 'z.any().transform(() => process.exit(3))')};`,
      2,
      'layers../own.mjs exports a layer whose config fails: ',
    ],
  ])('%s does not end it', async (_, text, exit, place) => {
    const root = createProject({
      ...COMPOSE,
      'config/deploy.yml': deployYml('layers: { ./own.mjs: {} }'),
      'own.mjs': `${HEAD}${text}\n`,
    });
    const before = process.exit;
    const env = { DO_TOKEN: 'dop_v1_x', STAGING_DROPLET_ID: '1', LOAD_BALANCER: 'web', HOME: root, CI: 'true' };
    const ended = await runCommandLine(['test', 'v1', '--yes', '--log-dir', root], { cwd: root, env });
    expect(`${ended.stdout}${ended.stderr}`).toContain(`${place}${REFUSED}`);
    expect(ended.exit).toBe(exit);
    expect(process.exit).toBe(before);
  });
});
