import { once } from 'node:events';
import { integer, text } from '../../cli/arguments.js';
import { defineCommand } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { quote } from '../../deploy/core/shell.js';

export default defineCommand({
  name: 'sandbox up',
  topic: 'set-up',
  summary: 'Start a DigitalOcean region in a box, to try do-deploy on',
  description: 'It needs no account, no Docker and no root. It runs until Ctrl-C.',
  examples: [
    ['sandbox up', 'start three droplets behind a balancer'],
    ['sandbox up --droplets 6 --folder /tmp/region', 'start six, and keep their files in another folder'],
  ],
  options: {
    droplets: integer({ describe: 'Number of droplets behind the balancer', min: 1, max: 50, default: 3 }),
    folder: text({ value: 'DIR', describe: 'Folder for the files of the region (default: .do-deploy/sandbox)' }),
  },
  settings: 'none',
  async run(context) {
    const { commandIn, withSandbox } = await import('./sandbox.js');
    return await withSandbox(context, async ({ region, project, interrupted, say }) => {
      const doDeploy = commandIn(project.folder);
      say(
        'v1 is serving. In a second terminal:',
        '',
        `  cd ${quote(project.folder)}`,
        `  ${doDeploy} status`,
        `  ${doDeploy} sandbox v2      # also: v3, latest, broken, crash, oom, flaky, slow-start`,
        `  ${doDeploy} staging v2      # one droplet, without a balancer`,
        `  curl ${region.balancerUrl}`,
        '',
        `The API is at ${region.api.url}. Switch faults on at ${region.controlUrl} (see src/sandbox/README.md).`,
        'Ctrl-C ends it.',
      );
      if (!interrupted.aborted) await once(interrupted, 'abort');
      say('Ending the region.');
      return EXIT.ok;
    });
  },
});
