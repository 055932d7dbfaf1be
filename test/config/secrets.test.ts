/** `secrets:`: values from commands and files of this machine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../../src/config/problems.js';
import type { CommandEnd, RunCommand } from '../../src/config/secret-sources.js';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

function project(secrets: string, files: Record<string, string | Buffer> = {}, ...more: string[]): string {
  return createProject({ ...COMPOSE, ...files, 'config/deploy.yml': deployYml(`secrets: ${secrets}`, ...more) });
}

function secretsFile(settings: Awaited<ReturnType<typeof load>>): string | undefined {
  return settings.files.find(({ path }) => path === '.variables/secrets.env')?.content?.toString();
}

const ended = (stdout: string, code = 0, stderr = ''): CommandEnd => {
  return { kind: 'ended', code, signal: null, stdout: Buffer.from(stdout), stderr };
};

describe('secrets', () => {
  const both =
    '{ DB_PASSWORD: { command: "printf \'%s\\n\' \\"pass$((1+1))$ONE\\"" }, API_KEY: { file: secrets/api.key } }';

  it('come from commands, run in the project with the environment, and from files', async () => {
    const root = project(both, { 'secrets/api.key': 'line one\nline two\n\n', 'config/.env.test': 'A=b\n' });
    const settings = await load(root, { env: { ONE: '-one', PATH: process.env.PATH ?? '' } });
    expect(secretsFile(settings)).toBe(
      `# Written by do-deploy: values of secrets:.\nAPI_KEY="line one\\nline two\\n"\nDB_PASSWORD='pass2-one'\n`,
    );
    expect(settings.envFiles, 'the last one is in force').toEqual(['config/.env.test', '.variables/secrets.env']);
    expect(settings.files.find(({ path }) => path === '.variables/secrets.env')?.mode).toBe(0o600);
    const masked = settings.secrets.map((secret) => secret.reveal());
    expect(masked).toEqual(expect.arrayContaining(['pass2-one', 'line one\nline two\n']));
    expect(JSON.stringify(settings), 'in no other place').not.toContain('pass2-one');
    expect(existsSync(join(root, '.variables'))).toBe(false);
  });

  it('are the same bytes for the same values', async () => {
    const root = project(both, { 'secrets/api.key': 'key' });
    const env = { PATH: process.env.PATH ?? '' };
    expect((await load(root, { env })).files).toEqual((await load(root, { env })).files);
  });

  it('are read by deploys only; files are masked in other runs too', async () => {
    const root = project('{ A: { command: "touch ran; echo value-a" }, B: { file: b.key } }', { 'b.key': 'value-b\n' });
    for (const needs of ['fleet', 'images'] as const) {
      const settings = await load(root, { needs });
      expect(settings.secrets.map((secret) => secret.reveal())).toContain('value-b');
      expect(settings.envFiles).toEqual([]);
    }
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });

  it('are not asked for while something else is wrong', async () => {
    const root = project('{ A: { command: "touch ran" } }', {}, 'env: { POOL: { required: true } }');
    expect(await problemsOf(root)).toEqual([expect.stringContaining('POOL is missing')]);
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });

  it('run at the same time', async () => {
    let running = 0;
    const together: (() => void)[] = [];
    const runCommand: RunCommand = async (line) => {
      running += 1;
      if (running === 3) for (const go of together) go();
      else await new Promise<void>((resolve) => together.push(resolve));
      return ended(`value of ${line}`);
    };
    const root = project('{ A: { command: a }, B: { command: b }, C: { command: c } }');
    expect(secretsFile(await load(root, { runCommand }))).toContain("A='value of a'\nB='value of b'\nC='value of c'");
  });

  it('may be declared, and win over env files', async () => {
    const files = { 'config/.env.test': 'PIN=wrong\nKEY=from-the-file\n', 'key.txt': 'from-the-secret' };
    const declared = 'env: { PIN: { type: integer }, KEY: { required: true } }';
    const secrets = '{ PIN: { command: "echo 99x" }, KEY: { file: key.txt } }';
    expect(await problemsOf(project(secrets, files, declared))).toEqual([
      'config/deploy.yml:3: PIN must be a whole number; for example PIN=10 (env: config/deploy.yml:4)',
    ]);
    const fine = await load(project(secrets.replace('99x', '99'), files, declared));
    expect(fine.variables?.map(({ name, value }) => [name, value.reveal()])).toEqual([
      ['PIN', '99'],
      ['KEY', 'from-the-secret'],
    ]);
  });

  it('come after the env files, which therefore cannot refer to them', async () => {
    const root = project('{ PASSWORD: { command: echo value } }', {
      'config/.env.test': 'URL="db://me:$PASSWORD@db"\n',
    });
    expect((await load(root)).warnings).toEqual([
      expect.stringMatching(
        /^config\/\.env\.test:1: the value of URL refers to the secret PASSWORD, .* below environment:/,
      ),
    ]);
  });

  it('are replaced for an environment', async () => {
    const root = createProject({
      ...COMPOSE,
      'test.key': 'of-the-test',
      'config/deploy.yml': `app: shop
secrets: { KEY: { command: "touch ran" } }
environments:
  test: { load_balancer: web, secrets: { KEY: { file: test.key } } }
`,
    });
    expect(secretsFile(await load(root))).toContain("KEY='of-the-test'");
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });
});

describe('what is wrong with a secret is named with its place:', () => {
  it.each([
    ['{ A: {} }', 'secrets.A has neither command nor file; write `command: op read op://shop/db/password`'],
    ['{ A: { command: a, file: b } }', 'secrets.A has both command and file; keep one of the two'],
    ['{ A: { command: "exit 3" } }', 'secrets.A: its command failed with exit code 3; run the command in the project'],
    [
      '{ A: { command: "PW=hunter2hunter; echo login failed for bob:$PW >&2; exit 1" } }',
      'secrets.A: its command failed with exit code 1: login failed for bob:[secret];',
    ],
    ['{ A: { command: "kill -9 $$" } }', 'secrets.A: its command was ended by SIGKILL'],
    ['{ A: { command: "echo" } }', 'secrets.A: its value is empty; check where it comes from'],
    ['{ A: { command: "head -c 70000 /dev/zero" } }', 'secrets.A: the output of its command is larger than 64 KiB'],
    ['{ A: { command: "printf \'\\\\377\\\\001\'" } }', 'secrets.A: its value is not UTF-8 text; encode it'],
    ['{ A: { file: absent.key } }', 'secrets.A: absent.key does not exist; create it'],
    ['{ A: { file: . } }', 'secrets.A: . is a folder, not a file'],
    ['{ A: { file: large.key } }', 'secrets.A: large.key is larger than 64 KiB'],
    ['{ DOCKER_PASSWORD: { command: a } }', 'secrets.DOCKER_PASSWORD is a secret of do-deploy, which never leaves'],
  ])('%s', async (secrets, problem) => {
    const problems = await problemsOf(project(secrets, { 'large.key': 'x'.repeat(65_537) }), {
      env: { PATH: process.env.PATH ?? '' },
    });
    expect(problems).toEqual([expect.stringContaining(`config/deploy.yml:3: ${problem}`)]);
  });

  it.each([
    ['git-crypt', Buffer.from('\0GITCRYPT\0abc'), 'git-crypt unlock'],
    ['SOPS', '{"data": "ENC[AES256_GCM,data:x]",\n\t"sops": {"mac": "x"}}', 'sops decrypt --in-place a.key'],
    ['SOPS', 'key: ENC[AES256_GCM,data:x]\nsops:\n  mac: x\n', 'sops decrypt --in-place a.key'],
    ['dotenvx', `KEY="encrypted:${'BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt'.repeat(2)}="\n`, 'dotenvx decrypt -f a.key'],
    ['SOPS', 'KEY=ENC[AES256_GCM,data:x]\nsops_version=3.8.1\n', 'sops decrypt --in-place a.key'],
    ['age', 'age-encryption.org/v1\n-> X25519 abc\n', 'age --decrypt --identity KEY.txt --output PLAIN a.key'],
    ['age', '-----BEGIN AGE ENCRYPTED FILE-----\nabc\n', 'age --decrypt'],
    ['ansible-vault', '$ANSIBLE_VAULT;1.1;AES256\n3361\n', 'ansible-vault decrypt a.key'],
  ])('a file that is encrypted by %s', async (by, content, remedy) => {
    const problems = await problemsOf(project('{ A: { file: a.key } }', { 'a.key': content }));
    expect(problems).toEqual([expect.stringContaining(`secrets.A: a.key is encrypted by ${by}; ${remedy}`)]);
    const asEnvFile = createProject({ ...COMPOSE, 'config/.env.test': content, 'config/deploy.yml': deployYml() });
    expect((await problemsOf(asEnvFile))[0]).toContain(`config/.env.test is encrypted by ${by}`);
  });

  it('after 30 s, and all that failed together', async () => {
    const timeouts: number[] = [];
    const runCommand: RunCommand = async (line, { timeoutMs }) => {
      timeouts.push(timeoutMs);
      if (line === 'slow') return { kind: 'timeout', stdout: Buffer.alloc(0), stderr: '' };
      return { kind: 'not-started', reason: 'spawn ENOENT' };
    };
    const root = project('{ A: { command: slow }, B: { command: gone } }');
    expect(await problemsOf(root, { runCommand })).toEqual([
      'config/deploy.yml:3: secrets.A: its command did not end within 30 s; it gets no input and no terminal: log in to the password manager first',
      'config/deploy.yml:3: secrets.B: its command could not be started: spawn ENOENT; run the command in the project to see why',
    ]);
    expect(timeouts).toEqual([30_000, 30_000]);
  });

  it('with what the command said, without what it or another one printed', async () => {
    const runCommand: RunCommand = async (line) =>
      line === 'good'
        ? ended('the-good-value\n')
        : ended('half-a-value\n', 1, `cannot use half-a-value\n\nnor the-good-value ${'x'.repeat(1000)}`);
    const hidden: string[] = [];
    const root = project('{ A: { command: good }, B: { command: bad } }');
    const error = (await load(root, {
      runCommand,
      onSecret: (secret) => hidden.push(secret.reveal()),
    }).catch((thrown: unknown) => thrown)) as ConfigError;
    const message = error.problems[0]?.message ?? '';
    expect(message).toMatch(
      /^secrets\.B: its command failed with exit code 1: cannot use \[secret\] \/ nor \[secret\] x+…$/,
    );
    expect(message.length).toBeLessThan(400);
    expect(hidden).toEqual(expect.arrayContaining(['the-good-value', 'half-a-value']));
  });
});
