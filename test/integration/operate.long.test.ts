/** Commands on a running fleet: programs, consoles, tunnels and logs. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MAIN = resolve('dist/main.js');

let fleet: SandboxFleet;

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

function start(program: string, args: string[], stdin?: Buffer) {
  const env = { PATH: process.env.PATH ?? '', HOME: fleet.folder, NO_COLOR: '1', TERM: 'xterm' };
  const child = spawn(program, args, { cwd: fleet.folder, env, stdio: 'pipe' });
  const out: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  if (stdin !== undefined) child.stdin.end(stdin);
  const text = () => Buffer.concat(out).toString();
  const ended = new Promise<{ code: number | null; stdout: Buffer; stderr: string }>((settle) => {
    child.on('close', (code) => settle({ code, stdout: Buffer.concat(out), stderr }));
  });
  return { child, text, ended };
}

const doDeploy = (args: string[], stdin = Buffer.alloc(0)) => start(process.execPath, [MAIN, ...args], stdin);
const until = (ask: () => boolean) => expect.poll(ask, { timeout: 30_000 }).toBe(true);
const oneOffs = () =>
  [1, 2].flatMap((number) =>
    fleet.region.droplet(`web-${number}`).engine.containers({ 'com.docker.compose.oneoff': 'True' }),
  );

const run = (...words: string[]) => ['run', 'sandbox', 'app', '--', ...words];

describe('operating a fleet', { shuffle: false }, () => {
  describe('run', () => {
    it('passes bytes, exit codes and variables through, and leaves nothing behind', async () => {
      const bytes = randomBytes(5_000_000);
      const copied = await doDeploy(run('cat'), bytes).ended;
      expect(copied).toMatchObject({ code: 0, stderr: '' });
      const digest = (one: Buffer) => createHash('sha256').update(one).digest('hex');
      expect(digest(copied.stdout)).toBe(digest(bytes));
      expect(await doDeploy(run('sh', '-c', 'echo $SHOP_VERSION; echo err >&2; exit 7')).ended).toMatchObject({
        code: 7,
        stdout: Buffer.from('v1\n'),
        stderr: 'err\n',
      });
      expect(oneOffs()).toEqual([]);
    });

    it('passes a signal on, ends at the second, and ends what nobody waits for', async () => {
      const polite = doDeploy(run('sh', '-c', 'trap "echo got; exit 9" INT; echo ready; while :; do sleep 0.1; done'));
      await until(() => polite.text() === 'ready\n');
      polite.child.kill('SIGINT');
      expect(await polite.ended).toMatchObject({ code: 9, stdout: Buffer.from('ready\ngot\n') });

      const left = doDeploy(run('sh', '-c', 'echo ready; exec sleep 600'));
      await until(() => left.text() === 'ready\n');
      expect(oneOffs()).toHaveLength(1);
      left.child.kill('SIGKILL');
      await until(() => oneOffs().length === 0);
    });

    it('runs on every droplet, and says which one printed what', async () => {
      const { code, stdout } = await doDeploy([
        'run',
        'sandbox',
        'app',
        '--all',
        '--',
        'sh',
        '-c',
        'echo hello; exit 3',
      ]).ended;
      expect(code).toBe(3);
      expect(stdout.toString().split('\n').sort()).toEqual(['', 'web-1 | hello', 'web-2 | hello']);
    });

    it('says what is not there, and does not use the exit codes of programs for it', async () => {
      expect(await doDeploy(['run', 'sandbox', 'ap', '--', 'true']).ended).toMatchObject({
        code: 255,
        stderr: expect.stringMatching(/has no service ap\.[\s\S]*Its services are app, nginx/),
      });
      expect(await doDeploy(['run', 'sandbox', 'app', '--droplet', 'web-9', '--', 'true']).ended).toMatchObject({
        code: 255,
        stderr: expect.stringMatching(/There is no droplet web-9 here[\s\S]*web-1/),
      });
      expect(await doDeploy(['run', 'sandbox', 'app', '--role', 'x', '--', 'true']).ended).toMatchObject({ code: 255 });
      expect(await doDeploy(run('no-such-program')).ended).toMatchObject({ code: 127 });
      await fleet.region.droplet('web-1').setFaults({ ssh: 'refuse' });
      const unreachable = await doDeploy(run('true')).ended;
      await fleet.region.droplet('web-1').clearFaults();
      expect(unreachable).toMatchObject({
        code: 255,
        stdout: Buffer.alloc(0),
        stderr: expect.stringContaining('web-1'),
      });
    });
  });

  describe('exec, console, ssh and tunnel', () => {
    it('runs in the container that runs', async () => {
      const words = [
        'exec',
        'sandbox',
        'app',
        '--droplet',
        'web-2',
        '--',
        'sh',
        '-c',
        'cat; echo $SHOP_VERSION; exit 5',
      ];
      expect(await doDeploy(words, Buffer.from('in ')).ended).toMatchObject({
        code: 5,
        stdout: Buffer.from('in v1\n'),
      });
    });

    it.runIf(process.platform === 'linux')('has the keys and the size of a terminal, and gives it back', async () => {
      const line = `stty cols 91 rows 27; '${process.execPath}' '${MAIN}' console sandbox app -- sh; echo "ended $?"; stty -a | grep -wo icanon`;
      const { child, text } = start('script', ['-qec', line, '/dev/null']);
      await until(() => /\$ $|# $/.test(text()));
      child.stdin.write('stty size; echo "$SHOP_VERSION"\n');
      await until(() => /27 91\r+\nv1/.test(text()));
      child.stdin.write('echo begun; sleep 600\n');
      await until(() => /\nbegun\r*\n/.test(text()));
      child.stdin.write('\u0003');
      // It flushes what was typed with it.
      await until(() => /\^C[\s\S]*[$#] $/.test(text()));
      child.stdin.write('echo "after"\n');
      await until(() => /\nafter\r+\n/.test(text()));
      child.stdin.write('\u0004');
      await until(() => /ended \d+\r+\n[\s\S]*icanon/.test(text()));
      child.kill('SIGKILL');
      await until(() => oneOffs().length === 0);
    });

    it('needs a terminal for a console', async () => {
      expect(await doDeploy(['console', 'sandbox', 'app']).ended).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('needs a terminal'),
      });
    });

    it('logs in to run a command, its words as they are', async () => {
      const words = [
        'ssh',
        'sandbox',
        'web-2',
        '--',
        'sh',
        '-c',
        'printf "%s|" "$@"; cat; exit 4',
        'sh',
        'a b',
        "it's",
        '',
      ];
      expect(await doDeploy(words, Buffer.from('in')).ended).toMatchObject({
        code: 4,
        stdout: Buffer.from("a b|it's||in"),
      });
    });

    it('leads several connections to the port of a container, until Ctrl-C', async () => {
      const tunnel = doDeploy(['tunnel', 'sandbox', 'app', '3000']);
      await until(() => tunnel.text().includes('leads to'));
      const [, port] = /^127\.0\.0\.1:(\d+) leads to port 3000 of app on web-1/.exec(tunnel.text()) ?? [];
      const get = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
      expect(await Promise.all([get(), get(), get()])).toEqual(Array(3).fill('shop v1\n'));
      const taken = await doDeploy(['tunnel', 'sandbox', 'app', '3000', '--local', `${port}`]).ended;
      expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be used: EADDRINUSE') });
      tunnel.child.kill('SIGINT');
      expect((await tunnel.ended).code).toBe(0);
    });
  });

  describe('logs', () => {
    const requests = async (name: string, ...paths: string[]) => {
      const tunnel = doDeploy(['tunnel', 'sandbox', 'app', '3000', '--droplet', name]);
      await until(() => tunnel.text().includes('leads to'));
      const [, port] = /^127\.0\.0\.1:(\d+)/.exec(tunnel.text()) ?? [];
      for (const path of paths) await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
      tunnel.child.kill('SIGINT');
      await tunnel.ended;
    };

    it('merges droplets by time, and shows only what matches', async () => {
      await requests('web-1', '/first');
      await requests('web-2', '/second?%1b%5b2J');
      await requests('web-1', '/third');
      const { code, stdout } = await doDeploy([
        'logs',
        'sandbox',
        'app',
        '--tail',
        '1000',
        '--grep',
        '/(first|second|third)',
      ]).ended;
      expect(code).toBe(0);
      expect(stdout.toString().split('\n')).toEqual([
        'web-1 app | GET /first 404',
        'web-2 app | GET /second?%1b%5b2J 404',
        'web-1 app | GET /third 404',
        '',
      ]);
      const json = await doDeploy([
        'logs',
        'sandbox',
        'app',
        '--json',
        '--droplet',
        'web-2',
        '--since',
        '1h',
        '--grep',
        'second',
      ]).ended;
      expect(JSON.parse(json.stdout.toString())).toMatchObject({
        type: 'log',
        droplet: 'web-2',
        service: 'app',
        stream: 'stdout',
      });
    });

    it('follows through a deploy and a droplet that loses its connections', async () => {
      const logs = doDeploy(['logs', 'sandbox', 'app', '-f', '--tail', '1', '--json']);
      const lines = () =>
        logs
          .text()
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as { droplet: string; container: string; text: string });
      await until(() => new Set(lines().map(({ droplet }) => droplet)).size === 2);
      expect(await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'])).toMatchObject({ code: 0 });
      fleet.region.droplet('web-2').resetConnections();
      for (const number of [1, 2, 3]) await requests('web-2', `/after-${number}`);
      await until(() => lines().some(({ text }) => text.includes('/after-3')));
      logs.child.kill('SIGINT');
      expect((await logs.ended).code).toBe(0);
      const seen = lines().map(({ text }) => text);
      for (const number of [1, 2, 3]) expect(seen.filter((text) => text.includes(`/after-${number} `))).toHaveLength(1);
      expect(seen.filter((text) => text.includes('shop v2 listens'))).toHaveLength(2);
    });

    it('ends at a service that does not exist, with those that do', async () => {
      expect(await doDeploy(['logs', 'sandbox', 'ap']).ended).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('Its services are app, nginx'),
      });
    });

    it('shows the others where a droplet is unreachable', async () => {
      await fleet.region.droplet('web-1').setFaults({ ssh: 'refuse' });
      const { code, stdout, stderr } = await doDeploy(['logs', 'sandbox', 'app', '--tail', '1']).ended;
      await fleet.region.droplet('web-1').clearFaults();
      expect(code).toBe(1);
      expect(stdout.toString()).toMatch(/^web-2 app \| .*\n$/);
      expect(stderr).toContain('web-1');
    });
  });
});
