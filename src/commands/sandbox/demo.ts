import { integer, text } from '../../cli/arguments.js';
import { defineCommand } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';

export default defineCommand({
  name: 'sandbox demo',
  topic: 'set-up',
  summary: 'Watch a deploy on such a region, under load',
  description: 'It deploys v2 while requests go to the balancer, and counts those that fail.',
  examples: [
    ['sandbox demo', 'deploy to three droplets'],
    ['sandbox demo --droplets 6', 'deploy to six'],
  ],
  options: {
    // One droplet leaves rotation at a time, and another one has to serve meanwhile.
    droplets: integer({ describe: 'Number of droplets behind the balancer', min: 2, max: 50, default: 3 }),
    folder: text({ value: 'DIR', describe: 'Folder for the files of the region (default: .do-deploy/sandbox)' }),
  },
  settings: 'none',
  exits: { [EXIT.interrupted]: 'interrupted' },
  async run(context) {
    const [{ withSandbox }, { deployUnderLoad }] = await Promise.all([
      import('./sandbox.js'),
      import('./deploy-under-load.js'),
    ]);
    return await withSandbox(context, deployUnderLoad);
  },
});
