import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type ConfigDocument, isTreeMap, type Path, showPath, valueAt } from '../document.js';
import { homeOf } from '../home.js';
import type { ProblemList } from '../problems.js';
import type { SecretSource } from '../secret-sources.js';
import { readSecretFile } from '../secret-sources.js';
import { defineSection } from '../section.js';
import { anyText, map, text } from '../values.js';
import { faultOfVariableName, VARIABLE_NAME, VARIABLE_NAME_RULE } from '../variable-names.js';

const source = map(
  { command: anyText('must be a command line'), file: anyText('must be a path') },
  'must be a map with command or file',
);

const FORM = 'write `command: op read op://shop/db/password` or `file: secrets/db.key` below it';

/** Variables of the compose files whose values come from elsewhere when a release is deployed. */
export const secrets = defineSection({
  neededFor: 'release',
  literal: [['secrets', '*', 'command']],
  keys: {
    secrets: z.record(text(VARIABLE_NAME_RULE, VARIABLE_NAME), source, { error: 'must be a map of secrets' }).meta({
      description:
        'Secret variables of the compose files: `command`, a command line whose output is the value, or `file`, a file of this machine. Deploys put them into an env file that exists only on the droplets.',
      examples: [{ DB_PASSWORD: { command: 'op read op://shop/db/password' }, API_KEY: { file: 'secrets/api.key' } }],
    }),
  },
  check: checkSources,
  resolve({ secrets: written = {} }, { root, env, release, problems, place, isOwn, isNeeded, hide }) {
    const absolute = (path: string) => (/^~(\/|$)/.test(path) ? join(homeOf(env), path.slice(1)) : resolve(root, path));
    const sources = Object.entries(written).flatMap(([name, { command, file }]): SecretSource[] => {
      const fault = faultOfVariableName(name);
      if (fault !== undefined) problems.add(place('secrets', name), `secrets.${name} ${fault.message}`, fault.remedy);
      // Maps are merged, so the environment may name a file where the top level names a command.
      const takesFile = file !== undefined && (command === undefined || isOwn('secrets', name, 'file'));
      if (takesFile) {
        return [{ name, place: place('secrets', name, 'file'), file: { path: file, local: absolute(file) } }];
      }
      return command === undefined ? [] : [{ name, place: place('secrets', name, 'command'), command }];
    });
    if (isNeeded) release.secrets.push(...sources);
    else for (const one of sources) readSecretFile(one)?.forEach(hide);
    return {};
  },
});

/** Exactly one of command and file. */
function checkSources(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  const names = isTreeMap(environments) ? Object.keys(environments) : [];
  for (const above of [[], ...names.map((name) => ['environments', name])]) {
    const all = valueAt(document.tree, [...above, 'secrets']);
    if (!isTreeMap(all)) continue;
    for (const [name, written] of Object.entries(all)) {
      if (!isTreeMap(written)) continue;
      const path: Path = [...above, 'secrets', name];
      const [hasCommand, hasFile] = [Object.hasOwn(written, 'command'), Object.hasOwn(written, 'file')];
      if (hasCommand && hasFile) {
        problems.add(document.place(path), `${showPath(path)} has both command and file`, 'keep one of the two');
      } else if (!hasCommand && !hasFile) {
        problems.add(document.place(path), `${showPath(path)} has neither command nor file`, FORM);
      }
    }
  }
}
