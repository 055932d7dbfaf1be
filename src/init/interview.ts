/** Asks for what the command line leaves open. */

import { Secret } from '../config/secret.js';
import { isDeployError } from '../errors.js';
import type { Choice, LoadBalancer, Prompts } from '../ports.js';
import {
  type Answers,
  ENVIRONMENTS,
  type EnvironmentName,
  type Read,
  type RegistryAnswer,
  readApp,
  readPath,
  readRegistry,
  readTarget,
  type TargetAnswer,
} from './answers.js';
import { CI } from './ci.js';
import type { Given } from './given.js';
import { composeEntries, fileEntries } from './suggestions.js';
import type { Survey } from './survey.js';

/** The account at DigitalOcean, as far as a token is known. */
export interface Account {
  hasToken: boolean;
  /** @param token one that was just typed; else the one that is set. Throws CloudError. */
  listLoadBalancers(token?: Secret): Promise<LoadBalancer[]>;
  /** Tells the user why there is no list. */
  tell(text: string): void;
}

/** As the API takes it: then the name is what people know. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const TOKEN = /^[\x21-\x7e]*$/;

export async function interview(prompts: Prompts, given: Given, survey: Survey, account: Account): Promise<Answers> {
  const app =
    given.app ?? (await prompts.text('What is the app called?', { initial: survey.app, check: faultsOf(readApp) }));
  const names = await askEnvironments(prompts, given);
  const { token, toStore } = account.hasToken ? {} : await askToken(prompts, survey);
  const targets = new Map<EnvironmentName, TargetAnswer>();
  for (const name of names) {
    const list = account.hasToken || token !== undefined ? () => account.listLoadBalancers(token) : undefined;
    targets.set(name, given.targets.get(name) ?? (await askTarget(prompts, name, list, account.tell)));
  }
  const compose = await askCompose(prompts, given, survey, names);
  const files = given.files ?? (await askFiles(prompts, compose, survey, names));
  const registry = given.registry ?? (await askRegistry(prompts));
  const ci = given.ci === undefined ? await askCi(prompts, survey) : given.ci;
  return {
    app,
    targets,
    compose,
    files,
    registry,
    ...(ci !== undefined && ci !== 'none' && { ci }),
    ...(toStore && { token }),
  };
}

async function askEnvironments(prompts: Prompts, { targets }: Given): Promise<EnvironmentName[]> {
  if (targets.size > 0) return ENVIRONMENTS.filter((name) => targets.has(name));
  const choices = ENVIRONMENTS.map((name) => ({ value: name, label: name, isInitial: name === 'production' }));
  return await prompts.chooseSeveral('Which environments do you deploy? (space selects)', choices, { required: true });
}

async function askToken(prompts: Prompts, survey: Survey): Promise<{ token?: Secret; toStore?: boolean }> {
  const check = (answer: string) =>
    TOKEN.test(answer) ? undefined : 'a token has no blanks and only ASCII: copy it again';
  const typed = await prompts.secret("DigitalOcean's API token (hidden; nothing: set DO_TOKEN later)", { check });
  if (typed === '') return {};
  const token = new Secret(typed);
  if (survey.exists('config/.env')) return { token };
  const question = 'Write the token into config/.env? Only you can read that file, and git ignores it.';
  return { token, toStore: await prompts.confirm(question, true) };
}

const KINDS = {
  load_balancer: { label: 'behind a load balancer', example: 'its name or id' },
  droplet: { label: 'a single droplet', example: 'its id, a number' },
  tag: { label: 'all droplets with a tag', example: 'the tag' },
  droplets: { label: 'a list of droplets', example: 'their names or ids, separated by commas' },
} as const;
type Kind = keyof typeof KINDS;

async function askTarget(
  prompts: Prompts,
  name: EnvironmentName,
  list: (() => Promise<LoadBalancer[]>) | undefined,
  tell: Account['tell'],
): Promise<TargetAnswer> {
  const kinds = (Object.keys(KINDS) as Kind[]).map((value) => ({ value, label: KINDS[value].label }));
  const kind = await prompts.choose(
    `Where are the droplets of ${name}?`,
    kinds,
    name === 'staging' ? 'droplet' : 'load_balancer',
  );
  const known = kind === 'load_balancer' && list !== undefined ? await balancersOf(list, tell) : [];
  const chosen = known.length === 0 ? '' : await chooseBalancer(prompts, name, known);
  const text =
    chosen ||
    (await prompts.text(`Which one? Type ${KINDS[kind].example}.`, { check: faultsOf(readTarget, `${kind}=`) }));
  return answerOf(readTarget(`${kind}=${text}`));
}

/** Without the list, the user types the name. */
async function balancersOf(list: () => Promise<LoadBalancer[]>, tell: Account['tell']): Promise<LoadBalancer[]> {
  try {
    // A global one has no droplets of its own.
    const found = (await list()).filter(({ type }) => type !== 'GLOBAL');
    if (found.length === 0) tell('The account has no load balancer yet.');
    return found;
  } catch (error) {
    if (!isDeployError(error)) throw error;
    tell(`The load balancers cannot be listed: ${error.message}`);
    return [];
  }
}

/** '' for another one. */
async function chooseBalancer(prompts: Prompts, environment: string, known: readonly LoadBalancer[]): Promise<string> {
  const choices: Choice<string>[] = known.map(({ id, name, ip, region, dropletIds }) => {
    const isUnique = known.filter((other) => other.name === name || other.id === name).length === 1;
    const droplets = dropletIds.length === 1 ? '1 droplet' : `${dropletIds.length} droplets`;
    return {
      value: isUnique && PLAIN_NAME.test(name) ? name : id,
      label: name,
      hint: [ip, region, droplets].filter(Boolean).join(', '),
    };
  });
  return await prompts.choose(`Which load balancer is that of ${environment}?`, [
    ...choices,
    { value: '', label: 'another one' },
  ]);
}

async function askCompose(
  prompts: Prompts,
  given: Given,
  survey: Survey,
  names: readonly EnvironmentName[],
): Promise<readonly string[]> {
  const { composeBases } = survey;
  if (given.compose !== undefined) return given.compose;
  const [first] = composeBases;
  if (first === undefined) {
    const check = faultsOf((text) => readPath('compose', text));
    return [await prompts.text('Where is the compose file, or where will it be?', { initial: 'compose.yaml', check })];
  }
  const choices = composeBases.map((value) => ({ value, label: value }));
  const base = composeBases.length === 1 ? first : await prompts.choose('Which compose file is deployed?', choices);
  return composeEntries(base, names, survey);
}

async function askFiles(
  prompts: Prompts,
  [base = '']: readonly string[],
  survey: Survey,
  names: readonly EnvironmentName[],
): Promise<string[]> {
  const found = fileEntries(survey.needs(base), names, survey);
  if (found.length === 0) return [];
  const choices = found.map((value) => ({ value, label: value, isInitial: true }));
  return await prompts.chooseSeveral('Which files are uploaded with each release?', choices, { required: false });
}

async function askRegistry(prompts: Prompts): Promise<RegistryAnswer> {
  const choices: Choice<string>[] = [
    { value: 'none', label: 'public images, or images built on the droplets' },
    { value: 'docker.io', label: 'private images on Docker Hub' },
    { value: 'ghcr.io', label: "private images in GitHub's registry", hint: 'ghcr.io' },
    { value: 'digitalocean', label: "DigitalOcean's registry", hint: 'no password: its login is made from the token' },
    { value: '', label: 'another registry' },
  ];
  const chosen = await prompts.choose('Where do the images come from?', choices);
  if (chosen === 'digitalocean') {
    const check = faultsOf(readRegistry, 'digitalocean=');
    return answerOf(readRegistry(`digitalocean=${await prompts.text('What is the registry called?', { check })}`));
  }
  const server = chosen || (await prompts.text('What is its address?', { check: faultsOf(readRegistry) }));
  return answerOf(readRegistry(server));
}

async function askCi(prompts: Prompts, { ci, exists }: Survey): Promise<Answers['ci']> {
  if (ci === undefined || exists(CI[ci].path)) return undefined;
  const question = `Write a workflow for ${CI[ci].label} that deploys each pushed tag (${CI[ci].path})?`;
  return (await prompts.confirm(question, false)) ? ci : undefined;
}

function faultsOf<T>(read: (text: string) => Read<T>, prefix = ''): (answer: string) => string | undefined {
  return (answer) => {
    const { fault } = read(prefix + answer);
    return fault && `expected ${fault.expected}, for example ${fault.example.slice(prefix.length)}`;
  };
}

/** Of a text that was checked when it was typed. */
function answerOf<T>(read: Read<T>): T {
  if (read.fault !== undefined) throw new Error(`an answer was taken that is wrong: ${read.fault.expected}`);
  return read.answer;
}
