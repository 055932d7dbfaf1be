import { flag, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { environment } from '../cli/options.js';

export default defineCommand({
  name: 'cloud-init',
  topic: 'set-up',
  summary: 'Print user data with which droplets boot into the release',
  description:
    'For an autoscale pool or Terraform: a droplet that boots with it fetches the current release from the object storage\nof `bundle:`, verifies that deployers have signed it, and starts it. It holds secrets. Changes nothing.',
  examples: [
    ['cloud-init production >user-data.sh', 'write the user data of the environment'],
    ['cloud-init production --bootstrap >user-data.sh', 'also install Docker where it is missing'],
  ],
  positionals: { environment },
  options: {
    bootstrap: flag({
      describe: 'Install Docker Engine and the compose plugin, as `bootstrap` does, where they are missing',
    }),
    role: text({ value: 'NAME', describe: 'For droplets of this role' }),
  },
  settings: 'images',
  ownsOutput: true,
  async run({ args, settings, ports, programIO, note }) {
    const { MAX_USER_DATA_BYTES } = await import('../deploy/boot/user-data.js');
    const { makeUserData } = await import('../deploy/boot/make-user-data.js');
    const { bootstrap, role } = args;
    const text = await makeUserData(await ports(settings), settings, { bootstrap, role });
    // As it is: masked, it would be of no use.
    await programIO().stdout(text);
    note('This user data is secret: keep it out of git and of logs.');
    if (settings.registry?.digitalocean !== undefined) {
      note(
        'It has no login to the registry of DigitalOcean: Docker on the droplets needs one of its own in their image.',
      );
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_USER_DATA_BYTES) note(`It has ${bytes} bytes; DigitalOcean takes ${MAX_USER_DATA_BYTES}.`);
    return { exit: EXIT.ok };
  },
});
