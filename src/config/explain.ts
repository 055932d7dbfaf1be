/** The settings of an environment as they are in force, each with where it comes from. No secret is among them. */

import { isTreeMap, type Path, showPath, type Tree, valueAt } from './document.js';
import { expandVariables, variablesIn } from './expand.js';
import { type JsonSchema, jsonSchema } from './json-schema.js';
import type { LoadedSettings, LoadOptions } from './load.js';
import { withOverrides } from './overrides.js';
import { ProblemList } from './problems.js';
import { openProject, placeOf } from './project.js';
import { asYaml } from './reference.js';
import { SECTIONS } from './sections/index.js';

export interface ExplainedSetting {
  /** `rollout.batch` */
  key: string;
  /** As it is written in the file, with variables replaced. */
  value: string;
  /** `config/deploy.yml:12`, `--set rollout.batch=…`, `default`, or a variable with the place that sets it. */
  from: string;
}

const MASKED = '[secret]';

/** Below these keys every value may be a secret. */
const PRIVATE: readonly Path[] = [
  ['registry', 'password'],
  ['bundle', 'secret_key'],
  ['bundle', 'read_secret_key'],
  ['bundle', 'signing_key'],
  ['secrets'],
  ['hooks', 'secrets'],
  ['layers'],
  ['env'],
];

/** @param settings loaded with the same options: what is wrong is known to be nothing */
export function explainSettings(
  options: Pick<LoadOptions, 'cwd' | 'configPath' | 'env' | 'environment' | 'set'>,
  settings: Pick<LoadedSettings, 'apiUrl' | 'tokenPlace'>,
): ExplainedSetting[] {
  const { environment, set = [] } = options;
  const problems = new ProblemList();
  const opened = openProject(options, problems);
  const project = { ...opened, document: withOverrides(opened.document, environment, set, problems) };
  const { document, variables } = project;
  const literal = SECTIONS.flatMap((section) => section.literal ?? []);
  const scope = { environment, without: [], literal };
  const { tree } = expandVariables(document, scope, variables, problems);
  const inForce = (of: Tree, path: Path) => valueAt(of, ['environments', environment, ...path]) ?? valueAt(of, path);

  const explain = (path: Path, node: JsonSchema | undefined): ExplainedSetting[] => {
    const values = [tree, document.tree].map((of) => [
      valueAt(of, ['environments', environment, ...path]),
      valueAt(of, path),
    ]);
    const keys = new Set([
      ...Object.keys(node?.properties ?? {}),
      ...values.flat().flatMap((value) => (isTreeMap(value) ? Object.keys(value) : [])),
    ]);
    const written = inForce(document.tree, path);
    if (keys.size > 0 && (written === undefined || isTreeMap(written))) {
      return [...keys].flatMap((key) => explain([...path, key], node?.properties?.[key]));
    }
    if (written === undefined) {
      const fallback = node?.default;
      return fallback === undefined ? [] : [{ key: showPath(path), value: asYaml(fallback), from: 'default' }];
    }
    const value = isPrivate(path) ? MASKED : asYaml(inForce(tree, path) ?? '');
    const names = typeof written === 'string' ? variablesIn(written) : [];
    const from = [
      placeOf(project, environment, path),
      ...names.map((name) => variableAt(name, variables.placeOf(name))),
    ];
    return [{ key: showPath(path), value, from: from.join(', ') }];
  };

  const schema = jsonSchema();
  const ofEnvironment = (schema.properties?.environments?.additionalProperties as JsonSchema | undefined)?.properties;
  const all = { ...schema.properties, ...ofEnvironment };
  const rows = Object.entries(all).flatMap(([key, node]) => (key === 'environments' ? [] : explain([key], node)));
  const token = { key: 'token', value: MASKED, from: settings.tokenPlace ?? 'the environment' };
  return [token, ...rows.map((row) => withApiUrl(row, settings.apiUrl, variables.placeOf('DIGITALOCEAN_API_URL')))];
}

function isPrivate(path: Path): boolean {
  return PRIVATE.some((one) => one.every((step, at) => step === path[at]));
}

function variableAt(name: string, place: string): string {
  return place === name ? `$${name} of the environment` : `$${name} in ${place}`;
}

/** The only setting that a variable overrides. */
function withApiUrl(row: ExplainedSetting, apiUrl: string, place: string): ExplainedSetting {
  if (row.key !== 'api_url' || row.value === apiUrl) return row;
  return { ...row, value: apiUrl, from: variableAt('DIGITALOCEAN_API_URL', place) };
}
