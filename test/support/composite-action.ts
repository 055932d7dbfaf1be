/** Runs the scripts of action.yml as GitHub's runner does: expressions only in `env:`, and bash with `-eo pipefail`. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

interface Step {
  id?: string;
  uses?: string;
  run?: string;
  env?: Record<string, string>;
  with?: Record<string, string>;
}

export interface Action {
  inputs: Record<string, { default: string }>;
  outputs: Record<string, { value: string }>;
  runs: { steps: Step[] };
}

export interface ActionRun {
  inputs?: Record<string, string>;
  /** The variables of the step that uses the action. */
  env?: Record<string, string>;
  /** The workspace. */
  cwd: string;
  /** Where the action is checked out; default: this repository. */
  folder?: string;
}

export interface ActionEnd {
  /** Of the step that failed, else 0. */
  code: number | null;
  stdout: string;
  stderr: string;
  outputs: Record<string, string>;
  /** The summary page. */
  page: string;
}

export function readAction(): Action {
  return parse(readFileSync('action.yml', 'utf8')) as Action;
}

/** Steps with `uses:` are left out. Resolves when the last one has ended. */
export async function runAction({
  inputs: given = {},
  env = {},
  cwd,
  folder = resolve('.'),
}: ActionRun): Promise<ActionEnd> {
  const { inputs, outputs, runs } = readAction();
  const values: Record<string, string> = { 'github.action_path': folder };
  for (const [name, input] of Object.entries(inputs)) values[`inputs.${name}`] = given[name] ?? input.default;
  const evaluate = (text: string) => text.replaceAll(/\$\{\{ ([\w.-]+) \}\}/g, (_, name: string) => values[name] ?? '');

  const temp = mkdtempSync(join(tmpdir(), 'do-deploy-action-'));
  const end = { code: 0 as number | null, stdout: '', stderr: '', page: '' };
  try {
    for (const [index, step] of runs.steps.entries()) {
      if (step.run === undefined || end.code !== 0) continue;
      const [script, output, summary] = ['sh', 'output', 'summary'].map((name) => join(temp, `${index}.${name}`));
      for (const file of [output, summary]) writeFileSync(`${file}`, '');
      writeFileSync(`${script}`, step.run);
      const own = Object.entries(step.env ?? {}).map(([name, text]) => [name, evaluate(text)]);
      const { code, stdout, stderr } = await bash(`${script}`, cwd, {
        PATH: process.env.PATH ?? '',
        HOME: temp,
        CI: 'true',
        GITHUB_ACTIONS: 'true',
        RUNNER_TEMP: temp,
        GITHUB_OUTPUT: `${output}`,
        GITHUB_STEP_SUMMARY: `${summary}`,
        ...env,
        ...Object.fromEntries(own),
      });
      end.code = code;
      end.stdout += stdout;
      end.stderr += stderr;
      end.page += readFileSync(`${summary}`, 'utf8');
      for (const [, name, value = ''] of readFileSync(`${output}`, 'utf8').matchAll(/^(\w+)=(.*)$/gm)) {
        values[`steps.${step.id}.outputs.${name}`] = value;
      }
    }
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
  return { ...end, outputs: mapValues(outputs, ({ value }) => evaluate(value)) };
}

function bash(script: string, cwd: string, env: Record<string, string>) {
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((settle, fail) => {
    child.on('error', fail);
    child.on('close', (code) => settle({ code, stdout, stderr }));
  });
}

function mapValues<T>(record: Record<string, T>, change: (value: T) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
