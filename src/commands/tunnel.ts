import { portNumber, required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { dropletOptions, environment } from '../cli/options.js';
import { onAbort } from '../deploy/core/on-abort.js';

export default defineCommand({
  name: 'tunnel',
  topic: 'operate',
  summary: 'Forward a local port to a port of a container',
  description:
    'It connects to the address of the container, so the port need not be published. When a deploy replaces the\ncontainer, new connections go to its successor. Ctrl-C ends it.',
  examples: [
    ['tunnel production app 3000', 'print a local address that forwards to port 3000 of the app'],
    ['tunnel production db 5432 --local 15432', 'then: psql -h 127.0.0.1 -p 15432'],
  ],
  positionals: {
    environment,
    service: required(text({ describe: 'A service of the compose files' })),
    port: required(portNumber({ describe: 'The port in the container' })),
  },
  options: {
    ...dropletOptions,
    local: portNumber({ describe: 'The local port (default: a free one)' }),
  },
  settings: 'fleet',
  async run({ args, settings, ports, signals, show }) {
    const { service, port, local = 0 } = args;
    const { interrupted } = signals();
    const [{ withDroplets }, { ContainerPort, lead }, wired] = await Promise.all([
      import('../deploy/operate/choose-droplets.js'),
      import('../deploy/operate/tunnel.js'),
      ports(settings),
    ]);
    return await withDroplets(wired, settings, args, async ({ members: [member] }) => {
      if (member === undefined || wired.loopback === undefined) throw new Error('a droplet was chosen');
      const target = new ContainerPort(member, settings, { service, port });
      await target.find();
      const say = (line: string) => show({ type: 'text', lines: [line] });
      const server = await wired.loopback.listen(local, (connection) => {
        void lead(connection, target, ({ message }) => say(`A connection failed: ${message}`));
      });
      say(`127.0.0.1:${server.port} leads to port ${port} of ${service} on ${member.host.name}. Ctrl-C ends it.`);
      await new Promise<void>((resolve) => onAbort(interrupted, resolve, new AbortController().signal));
      await server.close();
      return { exit: EXIT.ok };
    });
  },
});
