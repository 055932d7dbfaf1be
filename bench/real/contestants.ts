/** The tools that are compared: do-deploy and others, on the same fleet. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployEvent } from '../../src/rollout/model.js';
import type { Fleet } from '../../test/e2e/lab/fleet.js';
import { TOKEN } from '../../test/e2e/lab/fleet.js';
import { HAPROXY_STATE } from '../../test/e2e/lab/haproxy.js';
import { must } from '../../test/e2e/lab/processes.js';

export interface Contestant {
  name: string;
  /** Deploys the release to all droplets, as its users would. Resolves to the exit code. */
  deploy(release: string): Promise<number | null>;
  /** How the last deploy's time was spent, if known. */
  breakdown?: () => string;
}

const SCRIPTS = join(import.meta.dirname, 'contestants');

export function doDeploy(fleet: Fleet): Contestant {
  let last = '';
  return {
    name: 'do-deploy',
    async deploy(release) {
      const { code, events } = await fleet.deploy(release);
      last = breakdown(events);
      return code;
    },
    breakdown: () => last,
  };
}

/** Seconds of each phase, and of each step, summed over the droplets. */
function breakdown(events: readonly DeployEvent[]): string {
  const seconds = new Map<string, number>();
  const phases = events.flatMap((event) =>
    event.type === 'phase-started' ? [{ name: event.phase as string, at: Date.parse(event.at) }] : [],
  );
  const end = events.at(-1);
  phases.push({ name: 'end', at: end ? Date.parse(end.at) : 0 });
  for (const [index, { name, at }] of phases.slice(0, -1).entries()) {
    seconds.set(name.toUpperCase(), ((phases[index + 1]?.at ?? at) - at) / 1_000);
  }
  for (const event of events) {
    if (event.type === 'step-finished') seconds.set(event.step, (seconds.get(event.step) ?? 0) + event.ms / 1_000);
  }
  return [...seconds].map(([name, sum]) => `${name} ${sum.toFixed(1)}`).join(', ');
}

/** The other tools. They find the project in ~/shop on the droplets. */
export async function scripts(fleet: Fleet): Promise<Record<'floor' | 'classic' | 'ansible', Contestant>> {
  const ssh = await writeSshConfig(fleet);
  await Promise.all(fleet.machines.map(({ name }) => copyProject(fleet, ssh, name)));
  const ansible = await writeInventory(fleet, ssh);
  const droplets = fleet.record.accepted.ids.map((id) => `${fleet.world.droplets.get(id)?.name}:${id}`);
  const environment = { API: fleet.api.url, TOKEN, BALANCER: fleet.record.id, STATE: HAPROXY_STATE, SSH_CONFIG: ssh };
  const script = (name: string, file: string): Contestant => ({
    name,
    deploy: (release) =>
      run(fleet, 'bash', [join(SCRIPTS, file), ...droplets], { ...environment, COMPOSE: compose(release) }),
  });
  return {
    floor: script('floor', 'floor.sh'),
    classic: script('classic script', 'classic.sh'),
    ansible: {
      name: 'Ansible, serial: 1',
      deploy: async (release) => {
        const { API, BALANCER, STATE } = environment;
        const variables = { api: API, token: TOKEN, balancer: BALANCER, state: STATE, compose: compose(release) };
        await writeFile(join(fleet.folder, 'variables.json'), JSON.stringify(variables));
        const playbook = [
          join(SCRIPTS, 'rolling.yml'),
          '-i',
          ansible,
          '-e',
          `@${join(fleet.folder, 'variables.json')}`,
        ];
        return await run(fleet, 'ansible-playbook', playbook, {
          ANSIBLE_SSH_ARGS: `-F ${ssh}`,
          ANSIBLE_PIPELINING: 'true',
          ANSIBLE_HOME: join(fleet.folder, 'ansible'),
          ANSIBLE_LOCALHOST_WARNING: 'false',
          LC_ALL: 'C.UTF-8',
        });
      },
    },
  };
}

/** The compose command in a folder on a droplet, with the same files as do-deploy. */
export function compose(release: string, folder = '~/shop'): string {
  const files = ['compose/docker-compose.yml', 'compose/docker-compose.production.yml'].map((file) => `-f ${file}`);
  const envFiles = ['config/.env.common', 'config/.env.production'].map((file) => `--env-file ${file}`);
  const variables = `IMAGE_TAG=${release} DEPLOY_ENV=production`;
  return `cd ${folder} && ${variables} docker compose --project-name shop ${[...files, ...envFiles].join(' ')}`;
}

/** Keeps one connection per droplet open, so that handshakes do not slow the scripts down. */
async function writeSshConfig(fleet: Fleet): Promise<string> {
  const path = join(fleet.folder, 'ssh_config.scripts');
  const hosts = fleet.machines.map(({ name, publicAddress }) => `Host ${name}\n  HostName ${publicAddress}\n`);
  const common = [
    'User root',
    `IdentityFile ${join(fleet.folder, 'id_ed25519')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${fleet.knownHosts}`,
    'ControlMaster auto',
    `ControlPath ${fleet.folder}/%C`,
    'ControlPersist 60',
  ];
  await writeFile(path, `${hosts.join('')}Host *\n${common.map((line) => `  ${line}\n`).join('')}`);
  return path;
}

async function copyProject(fleet: Fleet, ssh: string, name: string): Promise<void> {
  await must('ssh', ['-F', ssh, name, 'mkdir -p shop']);
  const parts = ['compose', 'config'].map((part) => join(fleet.project.folder, part));
  await must('scp', ['-q', '-r', '-F', ssh, ...parts, `${name}:shop/`]);
}

async function writeInventory(fleet: Fleet, ssh: string): Promise<string> {
  const path = join(fleet.folder, 'inventory.ini');
  const hosts = fleet.record.accepted.ids.map((id) => {
    const droplet = fleet.world.droplets.get(id);
    return `${droplet?.name} droplet_id=${id} ansible_python_interpreter=/usr/bin/python3`;
  });
  await writeFile(path, `[droplets]\n${hosts.join('\n')}\n# ${ssh}\n`);
  return path;
}

/** Writes its output to a file, which is shown if it fails. */
async function run(
  fleet: Fleet,
  program: string,
  args: string[],
  environment: Record<string, string>,
): Promise<number | null> {
  const log = join(fleet.folder, 'contestant.log');
  const child = spawn('bash', ['-c', `exec "$@" >${log} 2>&1 </dev/null`, '-', program, ...args], {
    cwd: fleet.project.folder,
    env: { PATH: process.env.PATH ?? '', HOME: join(fleet.folder, 'home'), ...environment },
    stdio: 'ignore',
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) process.stderr.write(`${program} ended with ${code}:\n${await readFile(log, 'utf8')}\n`);
  return code;
}
