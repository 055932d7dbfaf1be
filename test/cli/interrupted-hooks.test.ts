/** A signal while a hook runs: what the user reads, and that the hook may clean up. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { roll } from '../../src/cli/roll.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import { runSession } from '../../src/deploy/session/session.js';
import { findHooks } from '../../src/layers/find-hooks.js';
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
  expect(reporter.of('layer-output').map(({ line }) => line)).toEqual(['cleaned']);
});
