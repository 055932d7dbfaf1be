/** Answers to files: what is written, what is left because it exists, and what is still to be done. Pure. */
import { type Answers, ENVIRONMENTS, type EnvironmentName, type TargetAnswer, variableIn } from './answers.js';
import { CI, workflowText } from './ci.js';
import { deployYml } from './deploy-yml.js';
import { writtenMounts } from './suggestions.js';
import type { Survey } from './survey.js';

export interface PlannedFile {
  /** From the project's folder, with forward slashes. */
  path: string;
  text: string;
  /** Permissions of a new file. */
  mode: number;
  /** What the file holds now, where lines are added to it. */
  extends?: string;
}

export interface FilePlan {
  files: readonly PlannedFile[];
  /** Files that exist and are not touched, with the lines that they would have had, or an instruction. */
  left: readonly { path: string; add: readonly string[] }[];
  /** Variables that are not set yet. */
  variables: readonly string[];
  notes: readonly string[];
}

export interface PlanOptions {
  /** Whether a variable has a value, in the environment or in config/.env. */
  isSet(name: string): boolean;
  /** The example for the CI that was chosen. */
  workflow?: string;
}

/** What must not be committed, and the examples that may. */
const IGNORED = ['config/.env', 'config/.env.*', '!config/.env*.example'];

/** Lines that ignore config/.env as well. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  'config/.env': ['.env', '.env*'],
  'config/.env.*': ['.env.*', '.env*', 'config/.env*'],
};

export function planFiles(answers: Answers, survey: Survey, options: PlanOptions): FilePlan {
  const files: PlannedFile[] = [];
  const left: FilePlan['left'][number][] = [];
  const write = (file: PlannedFile, add: readonly string[]) => {
    if (survey.exists(file.path)) left.push({ path: file.path, add });
    else files.push(file);
  };
  const text = deployYml(answers, survey.hasSchema);
  if (survey.config === undefined) files.push({ path: 'config/deploy.yml', text, mode: 0o644 });
  else left.push({ path: survey.config, add: text.trimEnd().split('\n') });

  if (answers.token !== undefined) {
    const line = `DO_TOKEN='${answers.token.reveal()}'`;
    const comment = '# Variables of do-deploy itself: never uploaded, and ignored by git.';
    write({ path: 'config/.env', text: `${comment}\n${line}\n`, mode: 0o600 }, ['DO_TOKEN=…']);
  }
  const ignored = missingIgnores(survey.gitignore);
  if (ignored.length > 0) files.push(withLines(ignored, survey.gitignore));
  const names = ENVIRONMENTS.filter((name) => answers.targets.has(name));
  if (answers.ci !== undefined && options.workflow !== undefined) {
    const { path, example } = CI[answers.ci];
    const workflow = workflowText(options.workflow, names);
    write({ path, text: workflow, mode: 0o644 }, [`the deploy job of node_modules/do-deploy/examples/ci/${example}`]);
  }
  return { files, left, variables: variablesOf(answers, options), notes: notesOf(answers, survey, names) };
}

/** Lines of .gitignore that are not there in this form or a wider one. */
export function missingIgnores(text = ''): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return IGNORED.filter((line) => ![line, `/${line}`, ...(WIDER[line] ?? [])].some((one) => lines.includes(one)));
}

function withLines(lines: readonly string[], text: string | undefined): PlannedFile {
  const path = '.gitignore';
  const comment = '# Variables and secrets: the examples beside them are committed.';
  const added = [comment, ...lines, ''].join('\n');
  if (text === undefined) return { path, text: added, mode: 0o644 };
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  return { path, text: `${text}${separator}${added}`, mode: 0o644, extends: text };
}

function variablesOf({ targets, registry, token }: Answers, { isSet }: PlanOptions): string[] {
  const hasToken = token !== undefined || isSet('DO_TOKEN') || isSet('DIGITALOCEAN_ACCESS_TOKEN');
  const ofTargets = [...targets.values()].flatMap(textsOf).flatMap((one) => variableIn(one) ?? []);
  const isLogin = registry !== 'none' && 'server' in registry;
  const ofRegistry = isLogin ? ['DOCKER_USERNAME', 'DOCKER_PASSWORD'] : [];
  const needed = [...new Set([...ofTargets, ...ofRegistry])].filter((name) => !isSet(name));
  return [...(hasToken ? [] : ['DO_TOKEN']), ...needed];
}

function textsOf(target: TargetAnswer): string[] {
  return Object.values(target as Record<string, string | string[]>).flat();
}

function notesOf({ compose, files, ci }: Answers, survey: Survey, names: readonly EnvironmentName[]): string[] {
  const missing = [...compose, ...files].filter((entry) => {
    const paths = names.map((name) => entry.replace('{environment}', name).replace(/\/$/, ''));
    return !entry.endsWith('?') && !paths.every((path) => survey.exists(path));
  });
  const [base = ''] = compose;
  const needs = survey.needs(base);
  const written = writtenMounts(needs, survey);
  return [
    ...missing.map((path) => `${path} does not exist yet: create it.`),
    ...written.map(
      (path) =>
        `${base} mounts ${path}, which a container may write to. To keep it from release to release: shared: [${path}/]`,
    ),
    ...(needs.isBuilt ? [`${base} has a build:. To build on the droplets, compose: { files: […], build: true }`] : []),
    ...(ci === undefined ? [] : [`${CI[ci].path}: its first lines name the secrets to set at ${CI[ci].label}.`]),
  ];
}
