/** The text of config/deploy.yml: what was answered, and nothing that has a default. */
import { stringify } from 'yaml';
import { type Answers, ENVIRONMENTS, type RegistryAnswer, type TargetAnswer, variableIn } from './answers.js';

/** Relative to config/deploy.yml, where npm puts it. */
const SCHEMA = '../node_modules/do-deploy/config/deploy.schema.json';

/** @param hasSchema do-deploy is installed in the project */
export function deployYml(answers: Omit<Answers, 'ci' | 'token'>, hasSchema: boolean): string {
  const { app, targets, compose, files, registry } = answers;
  const environments = ENVIRONMENTS.flatMap((name) => {
    const target = targets.get(name);
    return target === undefined ? [] : [`  ${name}: ${flow(written(target))}`];
  });
  const lines = [
    ...(hasSchema ? [`# yaml-language-server: $schema=${SCHEMA}`] : []),
    `app: ${flow(app)} # compose project, and the folder on the droplets`,
    `compose: ${flow(compose.map(literal))}`,
    ...(files.length > 0 ? [`files: ${flow(files.map(literal))} # uploaded with each release`] : []),
    ...registryLines(registry),
    'environments:',
    ...environments,
  ];
  return `${lines.join('\n')}\n`;
}

function registryLines(registry: RegistryAnswer): string[] {
  if (registry === 'none') return [];
  if ('digitalocean' in registry) return [`registry: ${flow(registry)} # each run gets a login from the token`];
  const login = { server: literal(registry.server), username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  return [
    '# The login for private images; $NAME is a variable of config/.env or the environment.',
    `registry: ${flow(login)}`,
  ];
}

function written(target: TargetAnswer): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(target).map(([key, value]: [string, string | readonly string[]]) => [
      key,
      typeof value === 'string' ? scalar(key, value) : value.map((one) => scalar(key, one)),
    ]),
  );
}

/** Ids of droplets are numbers; a load balancer or a tag may have a name of digits. */
function scalar(key: string, value: string): string | number {
  if (variableIn(value) !== undefined) return value;
  return key.startsWith('droplet') && /^[1-9]\d{0,14}$/.test(value) ? Number(value) : literal(value);
}

/** A `$` would begin a variable. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** In one line, quoted where YAML needs it. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${flow(inner)}`)
      .join(', ')} }`;
  }
  // Within a list, what would end a list or a map is quoted as well.
  return stringify([value], { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0, singleQuote: true })
    .trim()
    .slice(1, -1);
}
