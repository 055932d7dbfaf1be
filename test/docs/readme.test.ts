/** What the README says is what there is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { TOKEN_SCOPES } from '../../src/adapters/digitalocean/call.js';
import { parseArguments } from '../../src/cli/commands.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import { loadSettings } from '../../src/config/load.js';
import { codeBlocks, firstColumns, readRoot, section } from './markdown.js';

const README = readRoot('README.md');
const { scripts } = JSON.parse(readRoot('package.json')) as { scripts: Record<string, string> };
const blocks = codeBlocks(README);

describe('the two commands', () => {
  it('are scripts of package.json, after npm ci', () => {
    const named = Object.fromEntries(blocks.flatMap(({ name, code }) => (name ? [[name, code.trim()]] : [])));
    expect(named).toEqual({ demo: 'npm ci && npm run demo', test: 'npm test' });
    expect(scripts).toMatchObject({ demo: 'node dist/cli/main.js sandbox demo', test: 'npm run check' });
  });

  it('and every other npm script that is named exists', () => {
    const pages = [README, ...['CONTRIBUTING.md', 'docs/safety.md', 'docs/performance.md'].map(readRoot)];
    const named = pages.flatMap((text) => [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name));
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('the set-up', () => {
  const setUp = codeBlocks(section(README, 'Set-up for a real account, in five minutes'));
  const [deployYml, variables] = ['yaml', 'ini'].map(
    (language) => setUp.find((block) => block.language === language)?.code ?? '',
  );
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-readme-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it('loads, with the variables and the files that it names and nothing else', async () => {
    write('config/deploy.yml', deployYml);
    write('config/.env', variables?.replaceAll('…', '0123'));
    write('compose/docker-compose.yml');
    write('config/nginx/nginx.conf');
    for (const name of ['common', 'staging', 'production']) write(`config/.env.${name}`);
    const load = (environment: string) => loadSettings({ cwd: root, env: { HOME: root }, environment });
    expect((await load('staging')).registry).toMatchObject({ server: 'docker.io', username: 'ann' });
    expect(await load('staging')).toMatchObject({ app: 'shop', target: { kind: 'droplet', id: 412345678 } });
    expect(await load('production')).toMatchObject({ app: 'shop', target: { kind: 'load_balancer', ref: 'web' } });
  });

  it('names the scopes that a refused token is told to have', () => {
    const text = section(README, 'Set-up for a real account, in five minutes').replaceAll(/\s+/g, ' ');
    // `tag:create`, `read` and `delete` stand for three.
    for (const [resource = '', verb] of TOKEN_SCOPES.map((scope) => scope.split(':'))) {
      expect(text, `${resource}:${verb}`).toMatch(new RegExp(`\`${resource}:[^;.(]*\\b${verb}\``));
    }
  });
});

describe('commands and options', () => {
  const help = (...words: string[]) => {
    const invocation = parseArguments([...words, '--help'], '0.0.0');
    return invocation.command === 'show' ? invocation.text : '';
  };
  const commands = [...(help().split('Positionals:')[0] ?? '').matchAll(/^ {2}do-deploy (\w+)/gm)].map(
    ([, name = '']) => name,
  );
  const text = section(README, 'Commands');

  it('of the table are those of --help', () => {
    const named = firstColumns(text)
      .flatMap((code) => /^do-deploy (\S+)/.exec(code)?.[1] ?? [])
      // What has no name of its own is the deploy.
      .map((word) => (word === 'ENVIRONMENT' ? 'deploy' : word));
    expect([...new Set(named)].sort()).toEqual(commands.sort());
  });

  it('and so are the options', () => {
    const optionsIn = (help: string) => [...help.matchAll(/(?:^| )(--?[a-z][\w-]*)/gm)].map(([, option]) => option);
    const known = [help(), ...commands.map((command) => help(command))].flatMap((one) =>
      optionsIn(
        one
          .split('Options:')[1]
          ?.split(/\n\n/)[0]
          ?.replaceAll(/ {2,}[A-Z].*$/gm, '') ?? '',
      ),
    );
    const named = firstColumns(text).flatMap((code) => (code.startsWith('-') ? optionsIn(code) : []));
    expect([...new Set(named)].sort()).toEqual([...new Set(known)].sort());
  });

  it('every command line that is shown can be parsed', () => {
    const lines = [README, readRoot('docs/safety.md'), readRoot('docs/events.md')]
      .flatMap((page) => [...page.matchAll(/do-deploy ((?:[a-zA-Z][\w.-]*|--[a-z-]+)(?: (?:[\w.-]+|\[\w+\]))*)/g)])
      .map(([, words = '']) => words.replaceAll(/[[\].]+( |$)/g, '$1').replaceAll('[', ''))
      .filter((words) =>
        /^(ENVIRONMENT|production|staging|sandbox|status|heal|adopt|rollback|history|lock|tag|tags)\b/.test(words),
      );
    expect(lines.length).toBeGreaterThan(20);
    const failures = lines.flatMap((words) => {
      try {
        parseArguments(words.split(' '), '0.0.0');
        return [];
      } catch (error) {
        return [`${words}: ${error}`];
      }
    });
    expect(failures).toEqual([]);
  });

  it('exit codes are those of the command', () => {
    const codes = [...text.matchAll(/(\d+) [a-z]/g)].map(([, code]) => Number(code));
    expect(codes).toEqual([EXIT.ok, EXIT.failed, EXIT.usage, EXIT.leaseHeld, EXIT.drift, EXIT.interrupted]);
  });
});

describe('the CI examples', () => {
  const ci = codeBlocks(section(README, 'In CI')).map(({ code }) => code);
  const files = ['.github/workflows/ci.yml', '.github/workflows/nightly.yml.example'].map(readRoot);

  it('are YAML', () => {
    expect(ci).toHaveLength(2);
    for (const text of [...ci, ...files]) {
      expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
    }
  });

  it('install before they deploy, and each job has the token and the key', () => {
    const nightly = [ci[0], files[1]].map((text) => parse(text ?? '').jobs.deploy);
    for (const job of nightly) {
      const steps = (job.steps as { run?: string }[]).flatMap(({ run }) => run ?? []);
      expect(steps.indexOf('npm ci')).toBeLessThan(steps.findIndex((run) => run.includes('npx do-deploy')));
      expect(steps).toContain('npm ci');
      expect(Object.keys(job.env)).toEqual(expect.arrayContaining(['DO_TOKEN', 'SSH_PRIVATE_KEY', 'LOAD_BALANCER']));
    }
    expect(parse(ci[1] ?? '').deploy.script[0]).toBe('npm ci');
  });
});
