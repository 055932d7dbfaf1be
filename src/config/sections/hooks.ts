import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { z } from 'zod';
import { DURATION, parseDuration } from '../duration.js';
import { Secret } from '../secret.js';
import { defineSection } from '../section.js';
import type { Settings } from '../settings.js';
import { anyText, map, text } from '../values.js';
import { VARIABLE_NAME, VARIABLE_NAME_RULE } from '../variable-names.js';

const FOLDER = 'config/hooks';
const TIMEOUT = '30s';
const ERROR = 'must be false, a folder, or a map with folder, secrets and timeout';

const options = map({
  folder: anyText('must be the path of a folder').meta({
    description: 'Folder of the hooks, relative to the project.',
    default: FOLDER,
    examples: [FOLDER],
  }),
  secrets: z.array(text(VARIABLE_NAME_RULE, VARIABLE_NAME), { error: 'must be a list of names' }).meta({
    description: 'Variables with secrets that hooks get in their environment. By default they get none.',
    examples: [['SENTRY_AUTH_TOKEN']],
  }),
  // Read below: zod documents no default of a value that it changes.
  timeout: text('must be a duration with its unit: ms, s, m or h', DURATION).meta({
    description: 'Longest time that a hook may take.',
    default: TIMEOUT,
    examples: ['30s', '10m'],
  }),
});

export const hooks = defineSection({
  neededFor: 'rollout',
  keys: {
    hooks: z.union([z.literal(false), anyText(ERROR), options], { error: ERROR }).meta({
      description:
        'Programs that run here when something happens in a rollout: executables `config/hooks/EVENT`, and those in `config/hooks/EVENT.d/`. `false`: none. See [layers.md](layers.md#hooks).',
      default: FOLDER,
      examples: [{ folder: FOLDER, secrets: ['SENTRY_AUTH_TOKEN'] }],
    }),
  },
  resolve({ hooks: written = {} }, { root, variables, problems, place, hide, findHooks }): Pick<Settings, 'hooks'> {
    if (written === false || findHooks === undefined) return {};
    const map = typeof written === 'string' ? { folder: written } : written;
    const { folder = FOLDER, secrets = [], timeout = TIMEOUT } = map;
    if (!isInside(folder)) {
      const at = place('hooks', ...(map === written ? ['folder'] : []));
      problems.add(at, `hooks: ${folder} is outside of the project`, `name a folder of the project, such as ${FOLDER}`);
      return {};
    }
    if (map.folder !== undefined && !existsSync(join(root, folder))) {
      problems.add(
        place('hooks', 'folder'),
        `hooks: there is no folder ${folder}`,
        `run \`mkdir -p ${folder}\`, or remove the setting`,
      );
    }
    const values: Record<string, Secret> = {};
    for (const [index, name] of secrets.entries()) {
      const value = variables.get(name);
      if (value) {
        values[name] = new Secret(value);
        hide(values[name]);
      } else {
        const at = place('hooks', 'secrets', index);
        problems.add(at, `$${name} is not set (for hooks.secrets)`, variables.howToSet(name));
      }
    }
    const programs = findHooks({ root, folder }, (...problem) => problems.add(...problem));
    return { hooks: { folder, secrets: values, timeoutMs: parseDuration(timeout) ?? 0, programs } };
  },
});

/** As the path is written: hooks run with paths relative to the project's folder. */
function isInside(folder: string): boolean {
  return !isAbsolute(folder) && !/^\.\.(\/|$)/.test(normalize(folder));
}
