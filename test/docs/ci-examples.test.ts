/** The workflows in examples/ci/: well-formed, safe, and with command lines that do-deploy understands. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { codeBlocks, readRoot } from './markdown.js';

const NAMES = readdirSync('examples/ci');
const PAGE = readRoot('docs/ci.md');
const textOf = (name: string) => readRoot(`examples/ci/${name}`);

/** The keys under which CI systems have scripts. */
const SCRIPT_KEYS = new Set(['run', 'script', 'before_script', 'command', 'commands', 'bash']);

/** The scripts of an example, each as the shell gets it. */
function scriptsOf(name: string): string[] {
  const text = textOf(name);
  if (name === 'Jenkinsfile') {
    const scripts = [...text.matchAll(/^\s*sh (?:'''([\s\S]*?)'''|'([^'\n]*)')$/gm)];
    // Every script is found, and in single quotes.
    expect(scripts).toHaveLength(text.match(/\bsh\b[ (]*['"]/g)?.length ?? 0);
    return scripts.map(([, long, short]) => long ?? short ?? '');
  }
  const found: string[] = [];
  const walk = (item: unknown, key?: string) => {
    if (typeof item === 'string' && key !== undefined && SCRIPT_KEYS.has(key)) found.push(item);
    else if (Array.isArray(item)) found.push(...scriptLines(item, key));
    if (Array.isArray(item)) for (const one of item) walk(one);
    else if (typeof item === 'object' && item !== null)
      for (const [name, inner] of Object.entries(item)) walk(inner, name);
  };
  walk(parse(text));
  // The agent that uploads a pipeline turns two dollar signs into one.
  return name === 'buildkite.yml' ? found.map((script) => script.replaceAll('$$', '$')) : found;
}

/** A list of commands is one script. */
function scriptLines(items: unknown[], key = ''): string[] {
  const lines = items.filter((one) => typeof one === 'string');
  return SCRIPT_KEYS.has(key) && lines.length > 0 ? [lines.join('\n')] : [];
}

/** The arguments of each do-deploy in a script; variables have a plausible value. */
function commandLines(script: string): string[][] {
  const plausible = (word: string) => (word.includes('ENVIRONMENT') ? 'production' : 'v1.4.2');
  return [...script.matchAll(/\bdo-deploy ((?:"[^"\n]*"|[^"\n|&;])+)/g)].map(([, words = '']) =>
    [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare = '']) => {
      expect(bare, 'a variable stands in quotes').not.toContain('$');
      return quoted === undefined ? bare : plausible(quoted);
    }),
  );
}

describe.each(NAMES)('examples/ci/%s', (name) => {
  const scripts = scriptsOf(name);

  it('is well-formed, and says where to copy it', () => {
    const text = textOf(name);
    expect(text).toMatch(/^(#|\/\/) .*[\s\S]*?\bCopy it to\b/);
    if (name !== 'Jenkinsfile') expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
    else for (const pair of ['{}', '()', '[]']) expect(count(text, pair[0])).toBe(count(text, pair[1]));
  });

  it('is linked from docs/ci.md', () => {
    expect(PAGE).toContain(`](../examples/ci/${name})`);
  });

  it('installs first, and has command lines that do-deploy understands', async () => {
    const all = scripts.join('\n');
    expect(all.indexOf('npm ci')).toBeGreaterThanOrEqual(0);
    expect(all.indexOf('npm ci')).toBeLessThan(all.indexOf('npx do-deploy'));
    const lines = commandLines(all);
    expect(lines).toHaveLength(all.match(/\bdo-deploy\b/g)?.length ?? 0);
    for (const words of lines) {
      const invocation = await understand(words, COMMANDS);
      expect(invocation, words.join(' ')).toMatchObject({ kind: 'run', args: { environment: 'production' } });
    }
  });

  it('lets no text from outside into a script', () => {
    expect(scripts.length).toBeGreaterThan(0);
    // GitHub, CircleCI; Azure pastes variables in any case.
    for (const script of scripts) expect(script).not.toMatch(/\$\{\{|<<|\$\[/);
    if (name === 'azure-pipelines.yml') expect(scripts.join('\n')).not.toContain('$(');
    if (name === 'buildkite.yml') expect(commandsIn(textOf(name))).not.toMatch(/(?<!\$)\$(?!\$)/);
  });

  it.skipIf(spawnSync('shellcheck', ['--version']).error !== undefined)('has scripts that pass shellcheck', () => {
    for (const script of scripts) {
      // A runner checks each command of a list.
      const { stdout } = spawnSync('shellcheck', ['--shell=bash', '-'], {
        input: `set -e\n${script}\n`,
        encoding: 'utf8',
      });
      expect(stdout).toBe('');
    }
  });
});

describe('the examples for GitHub Actions', () => {
  interface Step {
    run?: string;
    uses?: string;
    env?: Record<string, string>;
  }
  interface Workflow {
    on: Record<string, unknown>;
    concurrency: { group: string };
    permissions: object;
    env?: object;
    jobs: Record<string, { steps: Step[]; env?: object; 'timeout-minutes': number }>;
  }
  const github = NAMES.filter((name) => name.startsWith('github-'));
  const jobsOf = (name: string) => Object.values((parse(textOf(name)) as Workflow).jobs);

  it('are for a tag, a button and every night', () => {
    const events = github.map((name) => Object.keys((parse(textOf(name)) as Workflow).on)[0]);
    expect(events.sort()).toEqual(['push', 'schedule', 'workflow_dispatch']);
    const nightly = scriptsOf('github-nightly.yml').flatMap(commandLines);
    expect(nightly.map(([command]) => command)).toEqual(['status', 'heal', 'adopt']);
  });

  it.each(github)('%s gives secrets only to the steps that need them, may only read, and ends', (name) => {
    const workflow = parse(textOf(name)) as Workflow;
    expect(workflow).not.toHaveProperty('env');
    expect(workflow.permissions).toEqual({ contents: 'read' });
    expect(workflow.concurrency.group).toMatch(/production|inputs\.environment/);
    for (const job of jobsOf(name)) {
      expect(job).not.toHaveProperty('env');
      expect(job['timeout-minutes']).toBeGreaterThan(0);
      for (const { run = '', env = {} } of job.steps) {
        const names = Object.keys(env);
        const needed = run.includes('do-deploy') ? ['DO_TOKEN', 'SSH_PRIVATE_KEY', 'LOAD_BALANCER'] : [];
        expect(names).toEqual(expect.arrayContaining(needed));
        if (run === 'npm ci' || run === '') expect(names).toEqual([]);
        // What a step is given, it uses.
        const used = names.filter((one) => run.includes(`$${one}`));
        if (!run.includes('do-deploy')) expect(used).toEqual(names);
      }
    }
  });

  it.each(github)('%s pins every action by its commit', (name) => {
    for (const { uses } of jobsOf(name).flatMap(({ steps }) => steps)) {
      if (uses !== undefined) expect(uses).toMatch(/^[\w/-]+@[0-9a-f]{40}$/);
    }
  });

  it('the one on docs/ci.md is the one for a tag', () => {
    const [block] = codeBlocks(PAGE);
    expect(parse(block?.code ?? '')).toEqual(parse(textOf('github-tag.yml')));
  });
});

it('GitLab has the three of them, and docs/ci.md the same commands', () => {
  const [, onPage] = codeBlocks(PAGE);
  const commandsOf = (job: { script: string[] }) => commandLines(job.script.join('\n'));
  const example = parse(textOf('gitlab.yml')) as Record<string, { script: string[]; rules: { if: string }[] }>;
  const page = parse(onPage?.code ?? '') as typeof example;
  const { deploy, nightly, 'by-hand': button } = example;
  for (const job of [deploy, nightly, button]) expect(job?.rules).toHaveLength(1);
  expect(commandsOf(nightly as { script: string[] }).map(([command]) => command)).toEqual(['status', 'heal', 'adopt']);
  for (const name of ['deploy', 'nightly'] as const) {
    expect(commandsOf(page[name] as { script: string[] })).toEqual(commandsOf(example[name] as { script: string[] }));
  }
});

it('every YAML block of docs/ci.md is YAML', () => {
  const blocks = codeBlocks(PAGE).filter(({ language }) => language === 'yaml');
  expect(blocks).toHaveLength(3);
  for (const { code } of blocks) expect(parseAllDocuments(code).flatMap(({ errors }) => errors)).toEqual([]);
});

function count(text: string, part = ''): number {
  return text.split(part).length - 1;
}

/** The lines below `commands:`. */
function commandsIn(text: string): string {
  return text.split('commands:')[1] ?? '';
}
