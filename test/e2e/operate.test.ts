import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { must, until } from './lab/processes.js';
import { MAIN } from './lab/region.js';

interface Ended {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** The command with its streams as bytes. */
function program(fleet: Fleet, args: string[], stdin?: Iterable<Buffer>) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: fleet.project.folder,
    env: { PATH: process.env.PATH ?? '', HOME: `${fleet.folder}/home`, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  const give = async () => {
    for (const chunk of stdin ?? []) {
      if (!child.stdin.write(chunk)) await new Promise((resolve) => child.stdin.once('drain', resolve));
    }
    child.stdin.end();
  };
  void give();
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
  return { child, ended, text: () => Buffer.concat(stdout).toString() };
}

/** A terminal of 100 columns and 30 rows, on a server of its own. */
class Tmux {
  readonly #fleet: Fleet;
  #screens = 0;

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  async start(args: string[]): Promise<void> {
    const { folder, project } = this.#fleet;
    const env = ['-e', `HOME=${folder}/home`, '-e', 'NO_COLOR=1'];
    const line = `cd '${project.folder}'; '${process.execPath}' '${MAIN}' ${args.join(' ')}; echo ended $?; exec sh`;
    this.#screens += 1;
    const size = ['-x', '100', '-y', '30'];
    await this.#tmux('new-session', '-d', '-s', this.#session, ...size, ...env, 'sh', '-c', line);
  }

  type(line: string): Promise<string> {
    return this.#tmux('send-keys', '-t', this.#session, line, 'Enter');
  }

  key(name: string): Promise<string> {
    return this.#tmux('send-keys', '-t', this.#session, name);
  }

  resize(columns: number, rows: number): Promise<string> {
    return this.#tmux('resize-window', '-t', this.#session, '-x', String(columns), '-y', String(rows));
  }

  async screen(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-t', this.#session)).trimEnd();
  }

  async shows(expected: RegExp): Promise<void> {
    let screen = '';
    await until(`${expected} on the screen`, 30_000, async () => {
      screen = await this.screen();
      return expected.test(screen);
    }).catch((error) => {
      throw new Error(`${error}\n${screen}`);
    });
  }

  async stop(): Promise<void> {
    for (; this.#screens > 0; this.#screens -= 1) await this.#tmux('kill-session', '-t', this.#session).catch(() => '');
  }

  get #session(): string {
    return `console-${this.#screens}`;
  }

  #tmux(...args: string[]): Promise<string> {
    return must('tmux', ['-L', 'opstest', '-f', '/dev/null', ...args]);
  }
}

const nameOf = (release: string) => release.split('-').at(-1);
/** Counts, and says so when it is stopped. */
const COUNTER = `services:
  counter:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    stop_grace_period: 5s
    env_file: ../config/.env.production
    entrypoint:
      - /bin/sh
      - -c
      - |
        n=0
        echo "the key is $$SECRET_KEY"
        trap 'echo "$$VERSION stops after $$n"; exit 0' TERM
        while :; do n=$$((n + 1)); echo "$$VERSION line $$n"; usleep 20000; done
`;
const EXTRA = 'compose/docker-compose.extra.yml';
const compose = ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', EXTRA];

interface Line {
  time: string;
  droplet: string;
  service: string;
  container: string;
  text: string;
}

const APP = ['run', 'production', 'app', '--no-entrypoint'];

describe('operating a fleet', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, settings: { keep_releases: 2 } });
    await fleet.project.write(EXTRA, COUNTER);
    await fleet.project.configure({ compose });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  const run = (args: string[], stdin?: Iterable<Buffer>) => program(fleet, args, stdin).ended;
  const version = async () => Object.values(await fleet.versions())[0] ?? '';
  const oneOffs = async () => {
    const list = 'docker ps -aq --filter label=com.docker.compose.oneoff=True';
    const all = await Promise.all(fleet.machines.map((machine) => machine.must(list)));
    return all.join('').trim();
  };

  it('runs a command in a container of its own, with its exit code and nothing else on standard output', async () => {
    const zero = await run([...APP, '--', 'sh', '-c', 'echo "$VERSION $APP_NAME"; echo err >&2']);
    expect(zero).toMatchObject({ code: 0 });
    expect(zero.stdout.toString()).toBe('v1 shop\n');
    expect(zero.stderr).toBe('err\n');
    const seven = await run([...APP, '--', 'sh', '-c', 'exit 7']);
    expect(seven).toMatchObject({ code: 7, stdout: Buffer.alloc(0) });
    expect(await oneOffs()).toBe('');
  });

  it('passes words exactly', async () => {
    const bytes = Array.from({ length: 127 }, (_, code) => String.fromCharCode(code + 1)).join('');
    const words = ['', ' a  b ', '$HOME `id` "\'\\', '--', '-x', 'é\u{1f600}', bytes, 'end\n'];
    const { code, stdout } = await run([
      ...APP,
      '--',
      'sh',
      '-c',
      'for w; do printf "%s\\n--\\n" "$w"; done',
      'sh',
      ...words,
    ]);
    expect(code).toBe(0);
    expect(stdout.toString()).toBe(words.map((word) => `${word}\n--\n`).join(''));
  });

  it('passes 100 MB of random bytes through, unchanged', async () => {
    const { randomBytes } = await import('node:crypto');
    const sent = createHash('sha256');
    const random = function* () {
      for (let mb = 0; mb < 100; mb += 1) {
        const chunk = randomBytes(1_000_000);
        sent.update(chunk);
        yield chunk;
      }
    };
    const { code, stdout } = await run([...APP, '--', 'cat'], random());
    expect(code).toBe(0);
    expect(stdout.length).toBe(100_000_000);
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(sent.digest('hex'));
  });

  it('passes Ctrl-C on, and ends the command at the second', async () => {
    const script = 'trap "echo got; exit 9" INT; echo ready; while :; do sleep 1; done';
    const polite = program(fleet, [...APP, '--', 'sh', '-c', script]);
    await until('the command', 30_000, async () => polite.text() === 'ready\n');
    polite.child.kill('SIGINT');
    expect(await polite.ended).toMatchObject({ code: 9 });
    expect(polite.text()).toBe('ready\ngot\n');

    const deaf = program(fleet, [...APP, '--', 'sh', '-c', 'trap "" INT; echo ready; while :; do sleep 1; done']);
    await until('the command', 30_000, async () => deaf.text() === 'ready\n');
    deaf.child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    deaf.child.kill('SIGINT');
    expect((await deaf.ended).code).toBe(137);
    const terminated = program(fleet, [...APP, '--', 'sh', '-c', 'echo ready; kill -TERM $$; exec sleep 60']);
    await until('the command', 30_000, async () => terminated.text() === 'ready\n');
    terminated.child.kill('SIGKILL');
    await until('the end of every one-off container', 60_000, async () => (await oneOffs()) === '');
  });

  it('follows the logs through a rolling deploy and a lost connection: no line is lost or repeated', async () => {
    const before = await version();
    const next = before === 'v2' ? 'v3' : 'v2';
    const logs = program(fleet, ['logs', 'production', 'counter', '-f', '--tail', '5', '--json']);
    const lines = () =>
      logs
        .text()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line);
    await until(
      'lines of both droplets',
      60_000,
      async () => new Set(lines().map(({ droplet }) => droplet)).size === 2,
    );
    expect(await fleet.deploy(next)).toMatchObject({ code: 0 });
    // All connections of web-1 are reset.
    await fleet.machine('web-1').must('pkill -9 -f "sshd: [r]oot" || :');
    const after = lines().length;
    const isBack = () =>
      lines()
        .slice(after)
        .filter(({ droplet }) => droplet === 'web-1').length > 200;
    await until('web-1 to be back', 60_000, async () => isBack());
    logs.child.kill('SIGINT');
    expect((await logs.ended).code).toBe(0);

    const byContainer = new Map<string, Line[]>();
    for (const line of lines()) byContainer.set(line.container, [...(byContainer.get(line.container) ?? []), line]);
    expect(byContainer.size).toBe(4);
    for (const [, own] of byContainer) {
      const numbers = own.flatMap(({ text }) => (/ line (\d+)$/.exec(text)?.slice(1) ?? []).map(Number));
      const [first = 0] = numbers;
      expect(numbers).toEqual(numbers.map((_, index) => first + index));
      if (own.at(-1)?.text.startsWith(`${next} `)) expect([first, own[0]?.text]).toEqual([1, 'the key is [secret]']);
      else expect(own.at(-1)?.text).toBe(`${before} stops after ${numbers.at(-1)}`);
    }
    const times = lines().map(({ time }) => time);
    const late = times.filter((time, index) => time < (times[index - 1] ?? ''));
    expect(late.length).toBeLessThan(times.length / 20);
  });

  it('shows the logs of all droplets by time, and ends', async () => {
    const { code, stdout } = await run(['logs', 'production', '--tail', '3', '--grep', ' line ']);
    expect(code).toBe(0);
    const lines = stdout.toString().trim().split('\n');
    expect(lines).toHaveLength(6);
    for (const line of lines) expect(line).toMatch(/^web-[12] counter +\| v\d line \d+$/);
    const wrong = await run(['logs', 'production', 'count']);
    expect(wrong).toMatchObject({ code: 2, stdout: Buffer.alloc(0) });
    expect(wrong.stderr).toContain('Its services are app, counter, nginx');
  });

  it('names each droplet before its lines with --all', async () => {
    const { code, stdout } = await run([...APP, '--all', '--', 'sh', '-c', 'echo one; echo two']);
    expect(code).toBe(0);
    expect(stdout.toString().split('\n').sort()).toEqual([
      '',
      'web-1 | one',
      'web-1 | two',
      'web-2 | one',
      'web-2 | two',
    ]);
  });

  it('survives deploys, and keeps the files of its release', async () => {
    const before = await version();
    const [next = '', last = ''] = ['v1', 'v2', 'v3'].filter((one) => one !== before);
    const script = 'echo ready; while [ ! -e /tmp/go ]; do sleep 0.2; done; echo "still $VERSION"';
    const lasting = program(fleet, [...APP, '--droplet', 'web-1', '--', 'sh', '-c', script]);
    await until('the command', 30_000, async () => lasting.text() === 'ready\n');
    expect(await fleet.deploy(next)).toMatchObject({ code: 0 });
    expect(await fleet.deploy(last)).toMatchObject({ code: 0 });
    const kept = async (name: string) =>
      (await fleet.machine(name).must('ls do-deploy/shop/releases')).trim().split('\n').map(nameOf);
    // Of two older releases, the one in use is still there.
    expect(await kept('web-1')).toContain(before);
    expect(await kept('web-2')).not.toContain(before);
    const find = 'docker ps -q --filter label=com.docker.compose.oneoff=True';
    await fleet.machine('web-1').must(`docker exec $(${find}) sh -c ': >/tmp/go'`);
    expect(await lasting.ended).toMatchObject({ code: 0 });
    expect(lasting.text()).toBe(`ready\nstill ${before}\n`);
    expect(await fleet.deploy(next)).toMatchObject({ code: 0 });
    expect(await kept('web-1')).not.toContain(before);
  });

  it('executes a command in the running container, and passes signals on', async () => {
    const exec = ['exec', 'production', 'app', '--droplet', 'web-2'];
    expect(await run([...exec, '--', 'sh', '-c', 'cat; exit 7'], [Buffer.from('in\0put')])).toMatchObject({
      code: 7,
      stdout: Buffer.from('in\0put'),
    });
    const polite = program(fleet, [
      ...exec,
      '--',
      'sh',
      '-c',
      'trap "echo got; exit 9" INT; echo ready; while :; do sleep 1; done',
    ]);
    await until('the command', 30_000, async () => polite.text() === 'ready\n');
    polite.child.kill('SIGINT');
    expect(await polite.ended).toMatchObject({ code: 9 });
    const killed = program(fleet, [...exec, '--', 'sh', '-c', 'echo ready; exec sleep 987']);
    await until('the command', 30_000, async () => killed.text() === 'ready\n');
    const sleeping = async () => (await fleet.machine('web-2').sh('pgrep -f "sleep 98[7]"')).stdout.trim();
    expect(await sleeping()).not.toBe('');
    killed.child.kill('SIGKILL');
    await until('the end of what was executed', 60_000, async () => (await sleeping()) === '');
  });

  it('opens a console in a terminal, which follows its size', async () => {
    const tmux = new Tmux(fleet);
    try {
      await tmux.start(['console', 'production', 'app']);
      await tmux.shows(/# ?$/m);
      await tmux.type('echo "$VERSION" $((40 + 2))');
      await tmux.shows(/v\d 42/);
      const hasSize = (size: string) =>
        until(`the size ${size}`, 30_000, async () => {
          await tmux.type('busybox stty size');
          return (await tmux.screen()).includes(size);
        });
      await hasSize('30 100');
      await tmux.resize(120, 40);
      await hasSize('40 120');
      await tmux.type('sleep 600');
      await tmux.key('C-c');
      await tmux.type('echo after $?');
      await tmux.shows(/after 130/);
      await tmux.key('C-d');
      await tmux.shows(/ended 130|ended 0/);
      // The terminal echoes and takes lines again.
      await tmux.type('stty -a | tr " " "\\n" | grep -x icanon');
      await tmux.shows(/^icanon$/m);
      expect(await oneOffs()).toBe('');

      await tmux.start(['ssh', 'production', 'web-2']);
      await tmux.shows(/# ?$/m);
      await tmux.type('hostname; id -un');
      await tmux.shows(/web-2\nroot/);
      await tmux.type('exit 5');
      await tmux.shows(/ended 5/);
    } finally {
      await tmux.stop();
    }
  });

  it('logs in to run a command', async () => {
    const ssh = (...words: string[]) => run(['ssh', 'production', 'web-2', '--', ...words], [Buffer.from('in')]);
    expect(await ssh('sh', '-c', 'hostname; cat; echo err >&2; exit 3')).toMatchObject({ code: 3, stderr: 'err\n' });
    expect((await ssh('printf', '%s|', 'a b', "it's", '')).stdout.toString()).toBe("a b|it's||");
  });

  it('leads a port to a container, also after a deploy', async () => {
    const tunnel = program(fleet, ['tunnel', 'production', 'app', '3000', '--droplet', 'web-1']);
    await until('the tunnel', 30_000, async () => tunnel.text().includes('leads to'));
    const [, port] = /^127\.0\.0\.1:(\d+) leads to port 3000 of app on web-1/.exec(tunnel.text()) ?? [];
    const get = async () => (await fetch(`http://127.0.0.1:${port}/cgi-bin/page`)).headers.get('x-version');
    const before = await version();
    expect(await Promise.all([get(), get(), get(), get()])).toEqual([before, before, before, before]);
    const next = before === 'v3' ? 'v1' : 'v3';
    expect(await fleet.deploy(next)).toMatchObject({ code: 0 });
    expect(await get()).toBe(next);
    tunnel.child.kill('SIGINT');
    expect(await tunnel.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('says what does not exist', async () => {
    const service = await run(['run', 'production', 'ap', '--', 'true']);
    expect(service).toMatchObject({ code: 255, stdout: Buffer.alloc(0) });
    expect(service.stderr).toContain('Its services are app, counter, nginx');
    const droplet = await run(['exec', 'production', 'app', '--droplet', 'web-9', '--', 'true']);
    expect(droplet).toMatchObject({ code: 255 });
    expect(droplet.stderr).toContain('web-1');
  });
});
