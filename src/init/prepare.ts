/** From options and answers to files, and to what is left to do. Nothing is written before `write`. */
import { ProblemList } from '../config/problems.js';
import type { Secret } from '../config/secret.js';
import { readApi } from '../config/sections/api.js';
import { type ProcessEnv, readVariables, type Variables } from '../config/variables.js';
import type { Cloud, Prompts } from '../ports.js';
import { type Answers, ENVIRONMENTS, type Fault } from './answers.js';
import { CI } from './ci.js';
import { answersFrom, type Given, type GivenWords, missingOptions, readGiven } from './given.js';
import { type Account, interview } from './interview.js';
import { planFiles } from './plan-files.js';
import { type Survey, survey } from './survey.js';
import { writeFiles } from './write-files.js';

export interface Project {
  /** Absolute. */
  root: string;
  env: ProcessEnv;
  given: GivenWords;
  /** Throws, for an option with a value that is wrong. */
  refuse(option: string, fault: Fault): never;
  /** The text of a file in examples/ci. */
  exampleText(name: string): Promise<string>;
}

export interface Outside {
  /** Absent where nobody can be asked. */
  prompts?(): Promise<Prompts>;
  cloud(access: { token: Secret; tokenPlace?: string; apiUrl: string }): Promise<Cloud>;
  /** A line for the user, between questions. */
  tell(text: string): void;
}

export interface Prepared {
  app: string;
  files: { path: string; action: 'written' | 'extended' | 'left'; add?: readonly string[] }[];
  variables: readonly string[];
  notes: readonly string[];
  next: readonly string[];
  /** Throws DeployError `local-file`; then nothing was written. */
  write(): void;
  missing?: undefined;
}

/** Throws ConfigError for env files that cannot be read, and DeployError `interrupted` after Ctrl-C at a question. */
export async function prepare(project: Project, outside: Outside): Promise<Prepared | { missing: readonly string[] }> {
  const { root, env } = project;
  const found = survey(root);
  const given = readGiven(project.given, project.refuse);
  const problems = new ProblemList();
  const variables = readVariables(root, env, problems);
  if (!problems.isEmpty) throw problems.toError('The project');

  const missing = missingOptions(given, found);
  const answers =
    missing.length === 0
      ? answersFrom(given, found)
      : await asked(given, found, accountOf(variables, outside), outside);
  if (answers === undefined) return { missing };

  const workflow = answers.ci && (await project.exampleText(CI[answers.ci].example));
  const plan = planFiles(answers, found, { isSet: (name) => Boolean(variables.get(name)), workflow });
  const names = ENVIRONMENTS.filter((name) => answers.targets.has(name));
  return {
    app: answers.app,
    files: [
      ...plan.files.map(({ path, extends: known }) => {
        return { path, action: known === undefined ? ('written' as const) : ('extended' as const) };
      }),
      ...plan.left.map((file) => ({ ...file, action: 'left' as const })),
    ],
    variables: plan.variables,
    notes: plan.notes,
    next: names.map((name) => `do-deploy doctor ${name}`),
    write: () => writeFiles(root, plan.files),
  };
}

async function asked(
  given: Given,
  found: Survey,
  account: Account,
  { prompts }: Outside,
): Promise<Answers | undefined> {
  return prompts === undefined ? undefined : await interview(await prompts(), given, found, account);
}

function accountOf(variables: Variables, { cloud, tell }: Outside): Account {
  return {
    hasToken: ['DO_TOKEN', 'DIGITALOCEAN_ACCESS_TOKEN'].some((name) => Boolean(variables.get(name)?.trim())),
    tell,
    async listLoadBalancers(token) {
      const problems = new ProblemList();
      const access = readApi(undefined, {
        variables,
        problems: token === undefined ? problems : new ProblemList(),
        hide: () => {},
      });
      if (!problems.isEmpty) throw problems.toError('The project');
      return await (await cloud({ ...access, ...(token && { token, tokenPlace: undefined }) })).listLoadBalancers();
    },
  };
}
