import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { environment } from '../cli/options.js';

export default defineCommand({
  name: 'config',
  topic: 'look',
  summary: 'Show the settings of an environment, and where each comes from',
  description:
    'With the defaults, the variables and --set. Secrets are masked. It reads and checks files only: nothing is contacted.',
  examples: [
    ['config production', 'show every setting, and where it comes from'],
    ['config production --set rollout.batch=2', 'the same with another setting'],
  ],
  positionals: { environment },
  settings: 'images',
  async run({ args, cwd, env, settings }) {
    const { explainSettings } = await import('../config/explain.js');
    const { environment: name, config, set } = args;
    const rows = explainSettings({ cwd, env, environment: name, set, ...(config && { configPath: config }) }, settings);
    return { exit: EXIT.ok, output: { type: 'settings', app: settings.app, environment: name, rows } };
  },
});
