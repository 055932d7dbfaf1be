/** Hooks and layers that end early: by a signal, which lets a hook clean up, or by ending the process. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { roll } from '../../src/cli/roll.js';
import { Secret } from '../../src/config/secret.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import { runSession } from '../../src/deploy/session/session.js';
import { findHooks } from '../../src/layers/find-hooks.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { COMPOSE, createProject, deployYml, load } from '../config/project-folder.js';
import { CollectingReporter } from '../support/collecting-reporter.js';

it('names the hook that is ended, and shows what it prints while it cleans up', async () => {
  const script = `#!/bin/sh
trap 'touch cleaning; sleep 1; echo cleaned; exit 1' TERM
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
});

it('names the layer that ends the process, and the run has its ending', async () => {
  const root = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('layers: { ./own.js: {} }'),
    'own.js': `const { z } = require('do-deploy');
module.exports = { name: 'own', kind: 'third-party', config: z.any(), on: { configure: () => process.exit(0) } };\n`,
  });
  const settings = await load(root, { readLayers: layerReader((value) => new Secret(value)) });
  const reporter = new CollectingReporter();
  const ports = { clock: systemClock, reporter } as unknown as DeployPorts;
  const never = new AbortController().signal;
  const about = { argv: [], env: {}, redact: (text: string) => text, ask: undefined };
  const { exit } = process;
  const end = await roll(
    ports,
    settings,
    { allowDowntime: false, waitLock: 0 },
    { ...about, interrupted: never, aborted: never },
    (watched, options) =>
      runSession('deploy', watched, options, { id: 'r1', imageTag: 'v1' }, async () => {
        throw new Error('not reached');
      }),
  );
  expect(end).toMatchObject({ exit: 1 });
  expect(reporter.of('rollout-finished').map(({ result }) => result.error?.message)).toEqual([
    'Layer own failed at configure: it called process.exit(0), which is refused during a run.',
  ]);
  expect(process.exit).toBe(exit);
});
