import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeKeyPair } from '../../src/sandbox/droplets/keys.js';
import { connectTo, ending, open, run, startDroplet } from './droplet-lab.js';
import { eventually } from './eventually.js';

describe('logging in to a droplet', () => {
  it('requires the right key and the right user', async () => {
    const droplet = await startDroplet();
    const stranger = makeKeyPair().private;
    await expect(connectTo(droplet, { privateKey: stranger })).rejects.toMatchObject({
      level: 'client-authentication',
    });
    await expect(connectTo(droplet, { username: 'admin' })).rejects.toMatchObject({ level: 'client-authentication' });
    await expect(connectTo(droplet, { password: 'x', authHandler: ['password'] })).rejects.toMatchObject({
      level: 'client-authentication',
    });
    await connectTo(droplet);
  });

  it("presents the droplet's own host key", async () => {
    const [one, other] = [await startDroplet(), await startDroplet()];
    let shown = '';
    await connectTo(one, {
      hostVerifier: (key: Buffer) => {
        shown = `ssh-ed25519 ${key.toString('base64')}`;
        return true;
      },
    });
    expect(shown).toBe(one.hostKey);
    expect(one.hostKey).not.toBe(other.hostKey);
  });
});

describe('a command on a droplet', () => {
  it("runs in the user's home with its own environment", async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const { stdout } = await run(client, 'pwd; echo "$HOME"; echo "$PATH"; env | cut -d = -f 1 | sort | xargs');
    expect(stdout.split('\n')).toEqual([
      droplet.home,
      droplet.home,
      `${droplet.folder}/bin:/usr/local/bin:/usr/bin:/bin`,
      'DO_DEPLOY_LOCK_DIR DO_DEPLOY_NO_BOOTSTRAP DO_SANDBOX_STAND_INS HOME LANG LOGNAME PATH PWD SHELL TMPDIR USER',
      '',
    ]);
  });

  it('returns its output, errors and exit code', async () => {
    const client = await connectTo(await startDroplet());
    expect(await run(client, 'echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      signal: undefined,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('reports the signal that killed it', async () => {
    const client = await connectTo(await startDroplet());
    expect(await run(client, 'kill -TERM $$')).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('receives signals from its client', async () => {
    const client = await connectTo(await startDroplet());
    const channel = await open(client, "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done");
    const ended = ending(channel);
    channel.once('data', () => channel.signal('INT'));
    expect(await ended).toMatchObject({ code: 4, stdout: 'ready\ncaught\n' });
  });

  it('reads long input to the end', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const megabytes = Buffer.alloc(5_000_000, 'x');
    expect((await run(client, 'cat >big; wc -c <big', megabytes)).stdout.trim()).toBe('5000000');
    expect((await run(client, 'cat big')).stdout).toHaveLength(5_000_000);
  });

  it('runs in parallel with others on the same connection', async () => {
    const client = await connectTo(await startDroplet());
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => run(client, `echo ${i}`)));
    expect(all.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, (_, i) => `${i}\n`));
  });

  it('keeps the channel open while a child holds its output', async () => {
    const client = await connectTo(await startDroplet());
    expect(await run(client, '(sleep 0.3; echo late) & echo early')).toMatchObject({
      stdout: 'early\nlate\n',
      code: 0,
    });
  });

  it('continues when the connection is lost, and reads the end of its input', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const channel = await open(client, 'echo ready; cat >/dev/null; echo gone >noticed');
    await new Promise((resolve) => channel.once('data', resolve));
    client.destroy();
    await eventually(() => existsSync(join(droplet.home, 'noticed'))).toBe(true);
  });

  it('receives SIGHUP when the connection is lost, if that fault is on', async () => {
    const droplet = await startDroplet();
    await droplet.setFaults({ hangUpOnDisconnect: true });
    const client = await connectTo(droplet);
    // Without this, the shell would die reporting that `sleep` was hung up.
    const script = "exec 2>/dev/null; trap 'touch hung-up; exit' HUP; echo ready; while :; do sleep 0.05; done";
    const channel = await open(client, script);
    await new Promise((resolve) => channel.once('data', resolve));
    client.destroy();
    await eventually(() => existsSync(join(droplet.home, 'hung-up'))).toBe(true);
  });

  it('ends with its droplet', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const channel = await open(client, 'echo $$; sleep 1000');
    const pid = await new Promise<number>((resolve) => channel.once('data', (chunk: Buffer) => resolve(Number(chunk))));
    await droplet.stop();
    await eventually(() => isAlive(pid)).toBe(false);
  });
});

describe('the stand-in commands on a droplet', () => {
  it("come before this machine's commands", async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const { stdout } = await run(client, "command -v docker; docker version --format '{{.Server.Version}}'");
    expect(stdout).toBe(`${droplet.folder}/bin/docker\n24.0.9\n`);
  });

  it('pass on arguments, variables, folder and exit code unchanged', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    writeFileSync(
      join(droplet.home, 'compose.yml'),
      'services:\n  app:\n    image: shop\n    environment: { V: "$V" }\n',
    );
    const value = 'a \'b\' "c"\n$d é';
    mkdirSync(join(droplet.home, 'sub folder'));
    const { stdout } = await run(
      client,
      `cd 'sub folder'; export V=${quote(value)}; docker compose -p x -f ../compose.yml config --format json`,
    );
    expect(JSON.parse(stdout).services.app.environment.V).toBe(value.replaceAll('$', '$$$$'));
    expect(await run(client, "docker 'no such' ''; echo $?")).toMatchObject({
      stdout: '125\n',
      stderr: 'sandbox docker: not implemented: docker no such \n',
    });
    expect(droplet.unimplemented).toEqual(['docker no such ']);
  });

  it('read a password from standard input', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const login = 'docker login --username me --password-stdin docker.io';
    expect(await run(client, login, 'secret')).toMatchObject({ code: 0, stdout: 'Login Succeeded\n' });
    expect((await run(client, 'cat .docker/config.json')).stdout).toContain(
      Buffer.from('me:secret').toString('base64'),
    );
  });

  it('stop when their client is killed', async () => {
    const droplet = await startDroplet();
    const client = await connectTo(droplet);
    const check =
      "healthcheck: { test: [CMD, curl, -f, 'http://localhost:3000/healthz'], interval: 50ms, start_period: 1h }";
    writeFileSync(
      join(droplet.home, 'compose.yml'),
      `services:
  app: { image: 'example/shop:slow-start', ${check} }
  web: { image: nginx, depends_on: { app: { condition: service_healthy } } }
`,
    );
    const compose = 'docker compose -p shop -f compose.yml';
    expect((await run(client, `${compose} pull -q`)).code).toBe(0);
    const channel = await open(
      client,
      `${compose} up -d --no-build --pull never --remove-orphans & read -r line; kill $!; wait $!; echo "ended $?"`,
    );
    const ended = ending(channel);
    const started = () => droplet.engine.containers().find(({ service }) => service === 'app');
    await eventually(() => started()?.status).toBe('running');
    // A killed client does not continue when its dependency is healthy.
    channel.write('kill it\n');
    expect((await ended).stdout).toBe('ended 143\n');
    await started()?.until(({ health }) => health?.status === 'healthy', AbortSignal.timeout(30_000));
    expect(droplet.engine.containers().find(({ service }) => service === 'web')?.status).toBe('created');
  });

  it('include sudo without a password', async () => {
    const client = await connectTo(await startDroplet());
    expect((await run(client, 'sudo -n echo "a  b"')).stdout).toBe('a  b\n');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
