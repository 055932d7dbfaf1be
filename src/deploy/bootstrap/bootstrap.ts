/**
 * Prepares the droplets of an environment for deploys, as root: reads, plans, changes, and reads again. It takes no lock:
 * on a fresh droplet there is nothing to lock with, and nothing that runs is restarted.
 */
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { closeAll } from '../droplet/connect.js';
import type { Member } from '../droplet/member.js';
import { type Fleet, findFleets } from '../fleet/find-fleet.js';
import { chooseDroplets, connectQuietly } from '../operate/choose-droplets.js';
import type { Wanted } from './action.js';
import { keysIn } from './actions/user.js';
import { readyCommand } from './docker-service.js';
import { factsCommand, readFacts } from './facts-command.js';
import { performChange, settleGuards } from './perform-change.js';
import { type BootstrapPlan, planBootstrap } from './plan-bootstrap.js';
import { answerOf, failed, type Site, say } from './site.js';
import { awaitCloudInit } from './waits.js';

export interface BootstrapOptions {
  /** Only shows what would change. */
  check: boolean;
  droplet?: string;
  role?: string;
}

/** Of one droplet. */
export interface BootstrapRow {
  droplet: string;
  /** What was changed, or with `check` would be. */
  changes: { action: string; change: string; files: string[] }[];
  /** What was left alone. */
  left: { action: string; reason: string }[];
}

export interface BootstrapResult {
  rows: BootstrapRow[];
  errors: DeployError[];
}

/** Throws CloudError, or DeployError before any droplet was asked. What fails on one droplet is among the errors. */
export async function bootstrap(
  ports: DeployPorts,
  settings: Settings,
  options: BootstrapOptions,
): Promise<BootstrapResult> {
  const fleets = await findFleets(ports, settings, { newcomers: true });
  const chosen = chooseDroplets(fleets, { ...options, all: options.droplet === undefined });
  const wanted = await wantedBy(ports, settings);
  const again = doDeploy(settings, 'bootstrap');
  const { members, unreachable } = await connectQuietly(ports, settings, chosen, 'root');
  try {
    const ends = await inParallel(members, (member) =>
      prepare({ ports, member, wanted: { ...wanted, ...reachOf(member, fleets) }, again }, options.check),
    );
    return {
      rows: ends.flatMap(({ row }) => row ?? []),
      errors: [...unreachable.map(({ error }) => error), ...ends.flatMap(({ error }) => error ?? [])],
    };
  } finally {
    await closeAll(members);
  }
}

/** From where its clients reach the droplet. */
type Reach = Pick<Wanted, 'privateAddress' | 'openPorts' | 'isPublic'>;

function reachOf({ droplet: { id, privateAddress } }: Member, fleets: readonly Fleet[]): Reach {
  const fleet = fleets.find(({ membership }) => membership.droplets.some(({ droplet }) => droplet.id === id));
  // A network balancer's clients come with their own addresses.
  const isPassed = fleet?.membership.balancer !== undefined && !fleet.target.overVpc;
  return {
    ...(privateAddress !== undefined && { privateAddress }),
    openPorts: isPassed ? fleet.target.ports : [],
    isPublic: fleet?.settings.target.kind === 'droplet',
  };
}

/** What the project wants of every droplet. Throws DeployError bootstrap-refused or local-file. */
async function wantedBy({ files }: DeployPorts, settings: Settings): Promise<Omit<Wanted, keyof Reach>> {
  const { authorizedKeys, ...rest } = settings.bootstrap;
  const { user } = settings.ssh;
  // As useradd of Debian takes it, and as a file of sudo reads it.
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) {
    throw new DeployError('bootstrap-refused', `ssh.user is ${user}: no user of that name can be made.`, {
      source: 'user',
      hint: `Use only a-z, 0-9, _ and - in ssh.user in ${configFile(settings)}.`,
    });
  }
  const { config } = settings;
  const own = { ...(user !== 'root' && { user }), ...(config !== undefined && { config }) };
  if (authorizedKeys === undefined) return { ...rest, ...own };
  const keys = await Promise.all(
    authorizedKeys.map(async (entry) => {
      if ('key' in entry) return [entry.key];
      const found = keysIn((await files.read(entry.path)).toString('utf8'));
      if (found.length > 0) return found;
      throw new DeployError('bootstrap-refused', `${entry.path} holds no public key.`, {
        source: 'user',
        hint: 'Name public keys in bootstrap.authorized_keys: such files end with .pub.',
      });
    }),
  );
  return { ...rest, ...own, keys: keys.flat() };
}

/** Never throws. */
async function prepare(site: Site, check: boolean): Promise<{ row?: BootstrapRow; error?: DeployError }> {
  const { member, wanted } = site;
  try {
    if (check) return { row: rowOf(member, await readPlan(site)) };
    await awaitCloudInit(site);
    const settled = await settleGuards(site);
    const plan = await readPlan(site);
    const done = { ...plan, pending: settled };
    if (plan.changes.length === 0) return { row: rowOf(member, done) };
    for (const change of plan.changes) await performChange(site, change);
    const after = await readPlan(site);
    const [still] = after.changes;
    if (still !== undefined)
      throw failed(site, `${still.action}: after it was done, it is still to do: ${still.sentence}`);
    if (wanted.user !== undefined && wanted.dockerGroup && wanted.docker !== false) await checkUser(site, wanted.user);
    return { row: rowOf(member, { ...done, left: after.left }) };
  } catch (error) {
    return { error: asDeployError(error).at({ droplet: member.host.name }) };
  }
}

function rowOf({ host }: Member, { pending, changes, left }: BootstrapPlan): BootstrapRow {
  return {
    droplet: host.name,
    changes: [
      ...pending.map((action) => ({ action, change: 'take back what an earlier run did not confirm', files: [] })),
      ...changes.map(({ action, sentence, files }) => ({ action, change: sentence, files: [...files] })),
    ],
    left: left.map(({ action, sentence }) => ({ action, reason: sentence })),
  };
}

async function readPlan(site: Site): Promise<BootstrapPlan> {
  return planBootstrap(readFacts(await answerOf(site, factsCommand(site.wanted))), site.wanted);
}

/** What every deploy does first, on a login of its own: only those count a user's new group. */
async function checkUser(site: Site, user: string): Promise<void> {
  const connection = await site.ports.shell.connect(site.member.host, { user });
  try {
    const { code, stdout, stderr } = await connection.run(readyCommand());
    if (code !== 0) throw failed(site, `${user} cannot use Docker: ${errorLine(stderr || stdout)}`);
    say(site, `${user} can log in, and use Docker ${stdout.trim()}`);
  } finally {
    await connection.close();
  }
}
