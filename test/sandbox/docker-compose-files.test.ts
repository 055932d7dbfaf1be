import { describe, expect, it } from 'vitest';
import { DockerLab } from './docker-lab.js';

describe('compose files', () => {
  it('takes variables from the process, then the last env file, then the default', async () => {
    const lab = new DockerLab();
    lab.write('a.env', 'TAG=from-a\nONLY_A=a\n');
    lab.write('b.env', 'TAG=from-b\n');
    lab.write(
      'compose.yml',
      `services:
  app:
    image: shop:\${TAG}
    environment:
      - PROCESS=\${PROCESS:-default}
      - ONLY_A
      - DEFAULT=\${NOWHERE:-de\${TAG}ault}
      - EMPTY=\${NOWHERE-}
      - OTHER=\${TAG:+other}
      - DOLLAR=$$TAG
`,
    );
    const files = ['--env-file', 'a.env', '--env-file', 'b.env'];
    const args = ['compose', '-p', 'lab', '-f', 'compose.yml', ...files, 'config', '--format', 'json'];
    const { stdout } = await lab.docker(args, { env: { PROCESS: 'process' } });
    const { app } = JSON.parse(stdout).services;
    expect(app.image).toBe('shop:from-b');
    expect(app.environment).toEqual({
      PROCESS: 'process',
      ONLY_A: 'a',
      DEFAULT: 'defrom-bault',
      EMPTY: '',
      OTHER: 'other',
      // The output is a compose file again, so the dollar is escaped.
      DOLLAR: '$$TAG',
    });
  });

  it("refuses a required variable without a value, with compose's message", async () => {
    const lab = new DockerLab();
    lab.write('compose.yml', `services:\n  app:\n    image: shop:\${TAG:?is set by do-deploy}\n`);
    expect(await lab.compose(['config', '--quiet'])).toEqual({
      code: 15,
      stdout: '',
      stderr:
        'error while interpolating services.app.image: required variable TAG is missing a value: is set by do-deploy\n',
    });
  });

  it('warns about a variable that is not set', async () => {
    const lab = new DockerLab();
    lab.write('compose.yml', 'services:\n  app:\n    image: shop:v1$NOWHERE\n');
    const { code, stderr } = await lab.compose(['config', '--quiet']);
    expect(code).toBe(0);
    expect(stderr).toContain('The \\"NOWHERE\\" variable is not set. Defaulting to a blank string.');
  });

  it('names a missing file', async () => {
    const lab = new DockerLab();
    expect(await lab.compose(['config', '--quiet'])).toMatchObject({
      code: 14,
      stderr: `open ${lab.folder}/compose.yml: no such file or directory\n`,
    });
    lab.write('compose.yml', 'services:\n  app:\n    image: shop\n    env_file: config/.env\n');
    expect(await lab.compose(['config', '--quiet'])).toMatchObject({
      code: 14,
      stderr: `env file ${lab.folder}/config/.env not found: stat ${lab.folder}/config/.env: no such file or directory\n`,
    });
    expect(await lab.compose(['--env-file', 'no.env', 'config', '--quiet'])).toMatchObject({
      code: 1,
      stderr: `Couldn't find env file: ${lab.folder}/no.env\n`,
    });
  });

  it('reads env files with quotes, comments, references and inherited names', async () => {
    const lab = new DockerLab();
    lab.write(
      'a.env',
      `# comment
PLAIN=a b # comment
HASH=a#b
export EXPORTED=yes
SINGLE='pa$word'
DOUBLE="line\\none $PLAIN"
LINES="one
two"
UNQUOTED=pa$word
INHERITED
ABSENT
YAML: style
`,
    );
    lab.write(
      'compose.yml',
      'services:\n  app:\n    image: shop\n    env_file: [a.env]\n    environment: { HASH: over }\n',
    );
    const { services } = await lab.config({ env: { INHERITED: 'from the process' } });
    expect(services.app.environment).toEqual({
      PLAIN: 'a b',
      HASH: 'over',
      EXPORTED: 'yes',
      SINGLE: 'pa$$word',
      DOUBLE: 'line\none a b',
      LINES: 'one\ntwo',
      // Like real compose: an unquoted dollar starts a variable.
      UNQUOTED: 'pa',
      INHERITED: 'from the process',
      YAML: 'style',
    });
  });

  it('merges files: mappings merge, lists append, healthcheck commands are replaced', async () => {
    const lab = new DockerLab();
    lab.write(
      'base/compose.yml',
      `services:
  app:
    image: shop:v1
    environment: { A: base, B: base }
    ports: ['80:3000']
    volumes: ['./data:/data', './old:/config']
    healthcheck: { test: [CMD, 'true'], retries: 3 }
    depends_on: [one]
  one: { image: nginx }
  two: { image: nginx }
`,
    );
    lab.write(
      'other/over.yml',
      `services:
  app:
    image: shop:v2
    environment: [B=over, C=over]
    ports: ['81:3000', '80:3000']
    volumes: ['../new:/config:ro']
    healthcheck: { test: [CMD, 'false'] }
    depends_on: { two: { condition: service_healthy } }
`,
    );
    const args = [
      'compose',
      '-p',
      'lab',
      '-f',
      'base/compose.yml',
      '-f',
      'other/over.yml',
      'config',
      '--format',
      'json',
    ];
    const { app } = JSON.parse((await lab.docker(args)).stdout).services;
    expect(app).toMatchObject({
      image: 'shop:v2',
      environment: { A: 'base', B: 'over', C: 'over' },
      healthcheck: { test: ['CMD', 'false'], retries: 3 },
      depends_on: {
        one: { condition: 'service_started', required: true },
        two: { condition: 'service_healthy', required: true },
      },
    });
    expect(app.ports.map(({ published }: { published: string }) => published)).toEqual(['80', '81']);
    // Relative paths in every file start at the first file's folder.
    expect(app.volumes.map(({ source, target }: { source: string; target: string }) => [source, target])).toEqual([
      [`${lab.folder}/base/data`, '/data'],
      [`${lab.folder}/new`, '/config'],
    ]);
  });

  it('omits services with a profile', async () => {
    const lab = new DockerLab();
    lab.write('compose.yml', 'services:\n  app: { image: shop }\n  debug: { image: nginx, profiles: [debug] }\n');
    expect(Object.keys((await lab.config()).services)).toEqual(['app']);
    const on = { env: { COMPOSE_PROFILES: 'x,debug' } };
    expect(Object.keys((await lab.config(on)).services)).toEqual(['app', 'debug']);
    expect(await lab.config()).not.toHaveProperty('disabled');
  });

  it.each([
    ['a key', 'services:\n  app:\n    image: shop\n    privileged: true\n', 'compose key services.app.privileged'],
    [
      'a nested key',
      'services:\n  app:\n    image: shop\n    deploy: { mode: global }\n',
      'compose key services.app.deploy.mode',
    ],
    ['a top-level key', 'services: {}\nsecrets: {}\n', 'compose key secrets'],
    ['a volume', 'services:\n  app:\n    image: shop\n    volumes: [/data]\n', 'compose volume /data'],
    ['a tag', 'services:\n  app:\n    image: !reset shop\n', 'compose tag !reset'],
    ['a port range', 'services:\n  app:\n    image: shop\n    ports: ["80-81:80-81"]\n', 'compose port 80-81:80-81'],
    ['a udp port', 'services:\n  app:\n    image: shop\n    ports: ["53:53/udp"]\n', 'compose port 53:53/udp'],
  ])('fails on %s that it does not support, and records it', async (_what, text, said) => {
    const lab = new DockerLab();
    lab.write('compose.yml', text);
    expect(await lab.compose(['config', '--quiet'])).toEqual({
      code: 125,
      stdout: '',
      stderr: `sandbox docker: not implemented: ${said}\n`,
    });
    expect(lab.unimplemented).toEqual([said]);
  });

  it.each([
    [
      'an undefined volume',
      'image: shop\n    volumes: ["data:/data"]',
      'service "app" refers to undefined volume data: invalid compose project',
    ],
    [
      'an undefined dependency',
      'image: shop\n    depends_on: [db]',
      'service "app" depends on undefined service "db": invalid compose project',
    ],
    ['itself as a dependency', 'image: shop\n    depends_on: [app]', 'dependency cycle detected: app -> app'],
    [
      'no image',
      'restart: always',
      'service "app" has neither an image nor a build context specified: invalid compose project',
    ],
  ])("refuses a service with %s, with compose's message", async (_what, service, said) => {
    const lab = new DockerLab();
    lab.write('compose.yml', `services:\n  app:\n    ${service}\n`);
    expect(await lab.compose(['config', '--quiet'])).toEqual({ code: 15, stdout: '', stderr: `${said}\n` });
  });
});
