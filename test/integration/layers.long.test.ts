/** Hooks and layers in whole deploys: the order of the events, and what a failure at each of them does. */
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LifecyclePayload } from '../../src/rollout/lifecycle.js';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

/** A layer of the project's own, in TypeScript. */
const OWN_LAYER = `import { appendFileSync } from 'node:fs';
import { defineLayer, z } from 'do-deploy';

const config = z.strictObject({ file: z.string(), fail: z.string().optional(), hang: z.string().optional() });
const on = Object.fromEntries(
  ['configure', 'pre_deploy', 'deploy', 'before_leave', 'after_rejoin', 'after_batch', 'post_deploy', 'deploy_succeeded',
   'deploy_skipped', 'deploy_failed'].map((event) => [
    event,
    async (payload: { event: string; droplet?: string }, context: { config: z.output<typeof config>; signal: AbortSignal }) => {
      appendFileSync(context.config.file, JSON.stringify(payload) + '\\n');
      if (context.config.fail === payload.event) throw new Error('told to fail');
      if (context.config.hang === payload.event) await new Promise(() => {});
    },
  ]),
);
export default defineLayer({ name: 'own', kind: 'third-party', config, timeoutMs: 2_000, on });
`;

let fleet: SandboxFleet;
const log = () => join(fleet.folder, 'events.jsonl');
const config = () => join(fleet.folder, 'config/deploy.yml');
let plain = '';

async function layers(yaml: string): Promise<void> {
  await writeFile(config(), `${plain}\nlayers:\n${yaml}`);
}

async function hook(event: string, ...lines: string[]): Promise<void> {
  const path = join(fleet.folder, 'config/hooks', event);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  await chmod(path, 0o755);
}

const payloads = (): LifecyclePayload[] =>
  existsSync(log())
    ? readFileSync(log(), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : [];
const events = () => payloads().map(({ event, droplet }) => (droplet === undefined ? event : `${event} ${droplet}`));

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  plain = await readFile(config(), 'utf8');
  await mkdir(join(fleet.folder, 'deploy'));
  await writeFile(join(fleet.folder, 'deploy/own.ts'), OWN_LAYER);
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  await rm(log(), { force: true });
  await rm(join(fleet.folder, 'config/hooks'), { recursive: true, force: true });
  await writeFile(config(), plain);
});

const deploy = (release: string, ...more: string[]) =>
  fleet.run(['deploy', 'sandbox', release, '--yes', '--json', ...more]);

describe('events', { shuffle: false }, () => {
  // The tests of layers may have come first.
  beforeAll(async () => {
    expect(await deploy('v1')).toMatchObject({ code: 0 });
  });

  it('come in order; hooks get them in variables and as JSON, without secrets', async () => {
    await layers(`  ./deploy/own.ts: { file: ${log()} }\n`);
    const seen = join(fleet.folder, 'seen');
    for (const event of ['pre_deploy', 'after_rejoin', 'deploy_succeeded']) {
      await hook(event, `env | sort >>${seen}`, `cat >>${seen}`, 'echo "said by $DO_DEPLOY_EVENT"');
    }
    const load = fleet.load();
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'], {
      env: { SENTRY_AUTH_TOKEN: 'sntrys_0123456789', COLOUR: 'green' },
    });
    expectNoFailures(await load.stop());
    expect(end).toMatchObject(DEPLOYED);
    expect(events()).toEqual([
      'configure',
      'pre_deploy',
      'deploy',
      'before_leave web-1',
      'after_rejoin web-1',
      'after_batch',
      'before_leave web-2',
      'after_rejoin web-2',
      'after_batch',
      'post_deploy',
      'deploy_succeeded',
    ]);
    const last = payloads().at(-1);
    expect(last).toMatchObject({
      command: 'deploy',
      app: 'shop',
      environment: 'sandbox',
      droplets: ['web-1', 'web-2'],
      result: { outcome: 'succeeded' },
    });
    expect(last?.previous, 'what ran before').toHaveLength(1);
    const text = readFileSync(seen, 'utf8');
    for (const line of [
      'DO_DEPLOY_EVENT=after_rejoin',
      'DO_DEPLOY_DROPLET=web-2',
      'DO_DEPLOY_IMAGE_TAG=v2',
      'COLOUR=green',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toContain('DO_DEPLOY_OUTCOME=succeeded');
    expect(text).toContain('"event":"deploy_succeeded"');
    expect(text).not.toMatch(/sntrys_|DO_TOKEN/);
    expect(text).not.toContain(fleet.region.api.token);
    const said = end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(said).toContain('said by pre_deploy');

    await rm(log());
    expect(await deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(events()).toEqual(['configure', 'pre_deploy', 'deploy_skipped']);
  });

  it.each(['configure', 'pre_deploy', 'deploy', 'before_leave'])(
    'that fail at %s change nothing, and are named',
    async (event) => {
      await layers(`  ./deploy/own.ts: { file: ${log()}, fail: ${event} }\n`);
      const end = await deploy('v3');
      expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'layer-failed' } } });
      expect(end.result?.error?.message).toBe(`Layer own failed at ${event}: told to fail.`);
      expect(events().at(-1)).toBe('deploy_failed');
      expect(events().filter((one) => one.startsWith('deploy_'))).toHaveLength(1);
      expectWhole(fleet, ['v2']);
    },
  );

  it('that hang are ended; in an ending, and after a rejoin, that is a warning', async () => {
    await layers(`  ./deploy/own.ts: { file: ${log()}, hang: pre_deploy }\n`);
    const hanging = await deploy('v3');
    expect(hanging.result?.error?.message).toBe('Layer own failed at pre_deploy: it did not finish within 2 s.');

    await layers(`  ./deploy/own.ts: { file: ${log()}, hang: after_rejoin, fail: deploy_succeeded }\n`);
    const end = await deploy('v3');
    expect(end).toMatchObject(DEPLOYED);
    const warnings = end.events.flatMap((one) => (one.type === 'notice' && one.level === 'warning' ? one.message : []));
    expect(warnings).toEqual(
      expect.arrayContaining([
        'Layer own failed at after_rejoin: it did not finish within 2 s.',
        'Layer own failed at deploy_succeeded: told to fail.',
      ]),
    );
    expectWhole(fleet, ['v3']);
  });

  it('that fail after a batch stop the rollout; after the last one, everything is deployed', async () => {
    await layers(`  ./deploy/own.ts: { file: ${log()}, fail: after_batch }\n`);
    const first = await deploy('v2');
    expect(first).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'layer-failed' } } });
    expect(first.result?.rows.map(({ outcome }) => outcome)).toEqual(['deployed', 'not deployed']);

    await layers(`  ./deploy/own.ts: { file: ${log()}, fail: post_deploy }\n`);
    const last = await deploy('v2');
    expect(last).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'layer-failed' }, next: 'do-deploy rollback sandbox' },
    });
    expectWhole(fleet, ['v2']);

    await layers(`  ./deploy/own.ts: { file: ${log()} }\n`);
    await rm(log());
    expect(await deploy('v2')).toMatchObject(DEPLOYED);
    expect(events(), 'the same deploy makes up for it').toEqual([
      'configure',
      'pre_deploy',
      'post_deploy',
      'deploy_succeeded',
    ]);
    expect(await deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });

  it('come from rollback, heal and adopt, too, and once an ending after an interruption', async () => {
    await layers(`  ./deploy/own.ts: { file: ${log()} }\n`);
    for (const [command, ending] of [
      ['rollback', 'deploy_succeeded'],
      ['heal', 'deploy_skipped'],
      ['adopt', 'deploy_skipped'],
    ] as const) {
      await rm(log(), { force: true });
      await fleet.run(
        [command, 'sandbox', '--yes', '--json'].filter((word) => command === 'rollback' || word !== '--yes'),
      );
      expect(payloads().map((one) => one.command)).toEqual(events().map(() => command));
      expect(events().at(-1)).toBe(ending);
    }
    await rm(log());
    const run = fleet.start(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    run.onEvent((event) => {
      if (event.type === 'step-started' && event.step === 'drain') run.child.kill('SIGINT');
    });
    expect(await run.ended).toMatchObject({ code: 130 });
    expect(events().filter((one) => one.startsWith('deploy_'))).toEqual(['deploy_failed']);
  });

  it.each([
    // Nothing of the droplet has changed: it serves.
    ['before_leave', 'All 2 droplets are in rotation, 1 of them still recorded as out.', 'unfinished'],
    // It was back before the event.
    ['after_rejoin', 'All 2 droplets are in rotation.', 'deployed'],
    ['after_batch', 'All 2 droplets are in rotation.', 'deployed'],
  ])(
    'a signal during %s ends its handlers after the grace, and the result says what is true',
    async (event, summary, outcome) => {
      await writeFile(
        config(),
        `${plain}\nrollout: { interrupt_grace: 1s, probe: false }\nhooks: { folder: config/hooks, timeout: 1m }\n`,
      );
      await hook(event, 'echo ready; exec sleep 50');
      const run = fleet.start(['deploy', 'sandbox', 'v2', '--yes', '--json']);
      run.onEvent((line) => {
        if (line.type === 'layer-output' && line.line === 'ready') run.child.kill('SIGINT');
      });
      const end = await run.ended;
      expect(end).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
      expect(end.result?.summary).toContain(summary);
      expect(end.result?.rows.map((row) => row.outcome)).toContain(outcome);
      expect(end.result?.error).toBeUndefined();
      await writeFile(config(), plain);
      await rm(join(fleet.folder, 'config/hooks'), { recursive: true });
      await fleet.run(['heal', 'sandbox', '--yes', '--json']);
      expect(await deploy('v2')).toMatchObject({ code: 0 });
      expect(await fleet.run(['rollback', 'sandbox', '--yes', '--json'])).toMatchObject({ code: 0 });
    },
  );

  it('a signal during after_batch of the last batch is an interruption, too', async () => {
    await writeFile(
      config(),
      `${plain}\nrollout: { interrupt_grace: 1s, probe: false }\nhooks: { folder: config/hooks, timeout: 1m }\n`,
    );
    const second = join(fleet.folder, 'second');
    await hook('after_batch', `test -e '${second}' || { touch '${second}'; exit 0; }`, 'echo ready; exec sleep 50');
    const run = fleet.start(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    run.onEvent((line) => {
      if (line.type === 'layer-output' && line.line === 'ready') run.child.kill('SIGINT');
    });
    const end = await run.ended;
    expect(end).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
    expect(end.result?.rows.map((row) => row.outcome)).toEqual(['deployed', 'deployed']);
    expect(end.result?.next).not.toContain('rollback');
    await writeFile(config(), plain);
    await rm(join(fleet.folder, 'config/hooks'), { recursive: true });
    expect(await fleet.run(['rollback', 'sandbox', '--yes', '--json'])).toMatchObject({ code: 0 });
  });

  it('a hook that deploys to its own environment is refused immediately, except in an ending', async () => {
    const main = join(process.cwd(), 'dist/main.js');
    const nested = `'${process.execPath}' '${main}' heal sandbox --wait-lock 1m`;
    await hook('pre_deploy', nested);
    const end = await deploy('v2');
    expect(end).toMatchObject({ code: 1, result: { error: { code: 'layer-failed' } } });
    const lines = end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines.join('\n')).toContain('A hook or layer of sandbox at pre_deploy cannot deploy to sandbox');
  });

  it('a layer that starts such a deploy is refused as well', async () => {
    await writeFile(
      join(fleet.folder, 'deploy/nested.ts'),
      `import { execFileSync } from 'node:child_process';
import { defineLayer, z } from 'do-deploy';

export default defineLayer({
  name: 'nested',
  kind: 'application',
  config: z.strictObject({ main: z.string() }),
  on: {
    pre_deploy: (_, { config }) => {
      execFileSync(process.execPath, [config.main, 'heal', 'sandbox', '--wait-lock', '1m'], { stdio: 'pipe' });
    },
  },
});
`,
    );
    await layers(`  ./deploy/nested.ts: { main: ${join(process.cwd(), 'dist/main.js')} }\n`);
    const end = await deploy('v2');
    expect(end.result?.error?.message).toContain('A hook or layer of sandbox at pre_deploy cannot deploy to sandbox');
  });

  it('an error that nothing catches brings the droplet to a safe end, and the deploy fails', async () => {
    await writeFile(
      join(fleet.folder, 'deploy/careless.ts'),
      `import { defineLayer, z } from 'do-deploy';

const fail = async () => { throw new Error('nobody waits for me'); };
export default defineLayer({
  name: 'careless',
  kind: 'third-party',
  config: z.strictObject({}),
  on: { before_leave: () => { setTimeout(fail, 1_500); } },
});
`,
    );
    await layers('  ./deploy/careless.ts: {}\n');
    const load = fleet.load();
    const end = await deploy('v2');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'uncaught' } } });
    expect(end.result?.error?.message).toBe('Nothing caught this error: nobody waits for me.');
    expectNoFailures(await load.stop());
    await writeFile(config(), plain);
    expect(await deploy('v3')).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v3']);
  });

  it('wrong settings are all reported with their lines, and nothing runs', async () => {
    await layers('  ./deploy/own.ts: { fail: 3 }\n  migrate: { service: app, comand: x }\n  slak: {}\n');
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes']);
    expect(end.code).toBe(2);
    const first = plain.split('\n').length + 2;
    for (const words of [
      `:${first}: layers../deploy/own.ts.file is missing`,
      `:${first + 1}: layers.migrate.command is missing`,
      `:${first + 1}: layers.migrate.comand is an unknown key`,
      `:${first + 2}: layers.slak is not a layer`,
    ]) {
      expect(end.stderr).toContain(words);
    }
  });
});

describe('migrate', { shuffle: false }, () => {
  it('runs once for a release, on one droplet, before anything serves it', async () => {
    await layers('  migrate: { service: app, command: migrate }\n');
    const end = await deploy('v2', '--force');
    expect(end).toMatchObject(DEPLOYED);
    const order = end.events.flatMap((event) => {
      if (event.type === 'layer-output') return event.line;
      return event.type === 'step-started' && event.step === 'leave' ? 'leave' : [];
    });
    expect(order).toEqual(['running migrate in app', 'migrated the database', 'leave', 'leave']);

    const again = await deploy('v2', '--force');
    expect(again).toMatchObject(DEPLOYED);
    const lines = again.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines).toContain('not run: the last migration was for this release');
  });

  it('that fails ends the deploy with nothing changed; --skip-migrate deploys without it', async () => {
    await layers("  migrate: { service: app, command: [migrate, '3'] }\n");
    const load = fleet.load();
    const end = await deploy('v3');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'layer-failed' } } });
    expect(end.result?.error?.message).toBe(
      'Layer migrate failed at deploy: migrate 3 ended with exit code 3: migration failed: relation "orders" is locked.',
    );
    expectWhole(fleet, ['v2']);
    expect(await deploy('v3', '--skip-migrate')).toMatchObject(DEPLOYED);
    expectNoFailures(await load.stop());
  });

  it('that runs at rollbacks as well runs again when the release comes back', async () => {
    await layers('  migrate: { service: app, command: migrate, on_rollback: true }\n');
    const said = (end: Awaited<ReturnType<typeof deploy>>) =>
      end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    const migrated = ['running migrate in app', 'migrated the database'];
    expect(said(await deploy('v3', '--force'))).toEqual(migrated);
    expect(said(await fleet.run(['rollback', 'sandbox', 'v2', '--yes', '--json']))).toEqual(migrated);
    expect(said(await deploy('v3'))).toEqual(migrated);
    expectWhole(fleet, ['v3']);
  });

  it('is finished after the first Ctrl-C; then nothing is rolled', async () => {
    await layers('  migrate: { service: app, command: migrate }\n');
    const run = fleet.start(['deploy', 'sandbox', 'v2', '--force', '--yes', '--json']);
    run.onEvent((event) => {
      if (event.type === 'layer-started' && event.event === 'deploy') run.child.kill('SIGINT');
    });
    const end = await run.ended;
    expect(end).toMatchObject({ code: 130, result: { summary: 'Nothing was changed in rotation.' } });
    const lines = end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines).toContain('migrated the database');
    expectWhole(fleet, ['v3']);
  });

  it('goes on when the deployer is killed in the middle; the next deploy waits for its end', async () => {
    await layers("  migrate: { service: app, command: [migrate, '0', '6000'] }\n");
    await appendFile(join(fleet.folder, 'config/.env.common'), 'ROUND=1\n');
    const names = () =>
      [...fleet.region.droplets.values()].flatMap(({ engine }) => engine.containers().map(({ name }) => name));
    const first = fleet.start(['deploy', 'sandbox', 'v2', '--force', '--yes', '--json']);
    await vi.waitFor(() => expect(names()).toContain('shop-migrate-once'), { timeout: 60_000 });
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await deploy('v2', '--wait-lock', '1m');
    expect(second).toMatchObject(DEPLOYED);
    const lines = second.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    const last = ['migrated the database'];
    // Its keeper may have recorded it before the lock was free.
    if (lines.includes(last[0] ?? '')) {
      expect(lines.at(1)).toMatch(
        /^waiting for the container shop-migrate-once, which an earlier run has started for /,
      );
      expect(lines.slice(2)).toEqual(last);
    } else expect(lines).toContain('not run: the last migration was for this release');
    expect(names()).not.toContain('shop-migrate-once');
    expectWhole(fleet, ['v2']);
  });

  it('of a service behind a profile runs with the image of the release', async () => {
    const override = join(fleet.folder, 'compose/docker-compose.sandbox.yml');
    const before = await readFile(override, 'utf8');
    await appendFile(override, '  tool:\n    image: docker.io/example/shop:$IMAGE_TAG\n    profiles: [tools]\n');
    await layers('  migrate: { service: tool, command: printenv SHOP_VERSION }\n');
    const end = await deploy('v3');
    expect(end).toMatchObject(DEPLOYED);
    const lines = end.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines).toEqual(['running printenv SHOP_VERSION in tool', 'v3']);
    expectWhole(fleet, ['v3']);
    await writeFile(override, before);
  });

  it('goes on at its timeout, and the error says where', async () => {
    await layers("  migrate: { service: app, command: [migrate, '0', '5000'], timeout: 2s }\n");
    const end = await deploy('v3', '--force');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'layer-failed' } } });
    expect(end.result?.error?.message).toBe(
      'Layer migrate failed at deploy: it did not finish within 2 s. It may still run in the container shop-migrate-once on web-1: the next run waits for its end.',
    );
    expect(end.result?.error?.hint).toMatch(/^To stop it: ssh .* 'docker stop shop-migrate-once'$/);
    await layers("  migrate: { service: app, command: [migrate, '0', '5000'] }\n");
    const again = await deploy('v3');
    expect(again).toMatchObject(DEPLOYED);
    const lines = again.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines.filter((line) => line === 'migrated the database').length).toBeLessThan(2);
    expect(lines.at(1)).toMatch(/^(waiting for the container shop-migrate-once|not run: the last migration)/);
    expectWhole(fleet, ['v3']);
  });

  it('is not repeated by a run that continues after a crash', async () => {
    await layers('  migrate: { service: app, command: migrate }\n');
    await appendFile(join(fleet.folder, 'config/.env.common'), 'ROUND=2\n');
    const first = fleet.start(['deploy', 'sandbox', 'v3', '--yes', '--json']);
    first.onEvent((event) => {
      if (event.type === 'layer-output' && event.line === 'migrated the database') first.child.kill('SIGKILL');
    });
    await first.ended;
    const second = await deploy('v3', '--wait-lock', '1m');
    expect(second).toMatchObject(DEPLOYED);
    const lines = second.events.flatMap((event) => (event.type === 'layer-output' ? event.line : []));
    expect(lines).toContain('not run: the last migration was for this release');
  });
});

describe('workers', { shuffle: false }, () => {
  it('workers get no new jobs, are stopped before their droplet is changed, and start with the release', async () => {
    const worker = 'services:\n  worker:\n    image: docker.io/example/shop:$IMAGE_TAG\n    restart: unless-stopped\n';
    await appendFile(join(fleet.folder, 'compose/docker-compose.sandbox.yml'), worker.replace('services:\n', ''));
    expect(await deploy('v2')).toMatchObject(DEPLOYED);
    await layers('  workers: { services: [worker], quiet: TSTP, stop_timeout: 5s }\n');
    const end = await deploy('v3');
    expect(end).toMatchObject(DEPLOYED);
    const lines = end.events.flatMap((event) =>
      event.type === 'layer-output' ? `${event.droplet} ${event.event}: ${event.line}` : [],
    );
    expect(lines).toEqual(
      ['web-1', 'web-2'].flatMap((name) => [
        `${name} before_leave: worker: no new jobs (TSTP)`,
        `${name} before_leave: worker: stopped`,
      ]),
    );
    expectWhole(fleet, ['v3']);
  });

  it('a worker that a killed deploy has stopped is missed by status, and started by heal', async () => {
    const compose = join(fleet.folder, 'compose/docker-compose.sandbox.yml');
    // Without a restart policy, Docker says nothing of a worker that has stopped.
    await writeFile(compose, (await readFile(compose, 'utf8')).replace('    restart: unless-stopped\n', ''));
    await layers('  workers: { services: [worker], stop_timeout: 5s }\n');
    expect(await deploy('v2', '--force')).toMatchObject(DEPLOYED);
    const run = fleet.start(['deploy', 'sandbox', 'v3', '--yes', '--json']);
    run.onEvent((event) => {
      if (event.type === 'layer-output' && event.line === 'worker: stopped') run.child.kill('SIGKILL');
    });
    await run.ended;
    const status = await fleet.run(['status', 'sandbox']);
    expect(status.stdout).toContain('worker was stopped, and not started again');
    expect(await fleet.run(['heal', 'sandbox', '--yes'])).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v2']);
    expect((await fleet.run(['status', 'sandbox', '--check'])).code).toBe(0);
  });
});
