/**
 * Prepares the droplets of an environment for deploys, as root: reads, plans, changes, and reads again. It takes no lock:
 * on a fresh droplet there is nothing to lock with, and nothing that runs is restarted.
 */
import type { Settings } from '../../config/settings.js';
import { inWords } from '../../durations.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { reportTo, warn } from '../core/report.js';
import { SECOND } from '../core/shell.js';
import { closeAll } from '../droplet/connect.js';
import { loginTo, type Member } from '../droplet/member.js';
import { findFleets } from '../fleet/find-fleet.js';
import { chooseDroplets, connectQuietly } from '../operate/choose-droplets.js';
import type { Wanted } from './action.js';
import { keysIn } from './actions/user.js';
import {
  aptHolderCommand,
  changeCommand,
  cloudInitCommand,
  keepCommand,
  type NamedChange,
  readyCommand,
  takeBackCommand,
} from './change-command.js';
import { factsCommand, readFacts } from './facts-command.js';
import { type BootstrapPlan, planBootstrap } from './plan-bootstrap.js';

export interface BootstrapOptions {
  /** Only shows what would change. */
  check: boolean;
  droplet?: string;
  role?: string;
  /** Who logs in: root, under whatever name. */
  login: string;
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

const POLL_MS = 5 * SECOND;
const STILL_WAITING_EVERY_MS = 30 * SECOND;

/** A droplet that is prepared. */
interface Site {
  ports: DeployPorts;
  member: Member;
  wanted: Wanted;
  /** The command to type again. */
  again: string;
}

/** Throws CloudError, or DeployError before any droplet was asked. What fails on one droplet is among the errors. */
export async function bootstrap(
  ports: DeployPorts,
  settings: Settings,
  options: BootstrapOptions,
): Promise<BootstrapResult> {
  const fleets = await findFleets(ports, settings, { newcomers: true });
  const chosen = chooseDroplets(fleets, { ...options, all: options.droplet === undefined });
  const openPorts = fleets.flatMap(({ target, membership }) =>
    // A network balancer's clients come with their own addresses.
    membership.balancer !== undefined && !target.overVpc ? target.ports : [],
  );
  const wanted = { ...(await wantedBy(ports, settings)), openPorts };
  const again = doDeploy(settings, 'bootstrap');
  const { members, unreachable } = await connectQuietly(ports, settings, chosen, options.login);
  try {
    const ends = await inParallel(members, (member) => {
      const { privateAddress } = member.droplet;
      const own = { ...wanted, ...(privateAddress !== undefined && { privateAddress }) };
      return prepare({ ports, member, wanted: own, again }, options.check);
    });
    return {
      rows: ends.flatMap(({ row }) => row ?? []),
      errors: [...unreachable.map(({ error }) => error), ...ends.flatMap(({ error }) => error ?? [])],
    };
  } finally {
    await closeAll(members);
  }
}

/** What the project wants of every droplet. Throws DeployError bootstrap-refused or local-file. */
async function wantedBy({ files }: DeployPorts, settings: Settings): Promise<Omit<Wanted, 'openPorts'>> {
  const { user = settings.ssh.user, authorizedKeys, ...rest } = settings.bootstrap;
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
    if (!check) await awaitCloudInit(site);
    const plan = await readPlan(site);
    if (check || plan.changes.length === 0) return { row: rowOf(member, plan) };
    for (const change of plan.changes) await perform(site, change);
    const after = await readPlan(site);
    const [still] = after.changes;
    if (still !== undefined)
      throw failed(site, `${still.action}: after it was done, it is still to do: ${still.sentence}`);
    if (wanted.user !== undefined && wanted.dockerGroup && wanted.docker !== false) await checkUser(site, wanted.user);
    return { row: rowOf(member, { changes: plan.changes, left: after.left }) };
  } catch (error) {
    return { error: asDeployError(error).at({ droplet: member.host.name }) };
  }
}

function rowOf({ host }: Member, { changes, left }: BootstrapPlan): BootstrapRow {
  return {
    droplet: host.name,
    changes: changes.map(({ action, sentence, files }) => ({ action, change: sentence, files: [...files] })),
    left: left.map(({ action, sentence }) => ({ action, reason: sentence })),
  };
}

async function readPlan(site: Site): Promise<BootstrapPlan> {
  return planBootstrap(readFacts(await answerOf(site, factsCommand(site.wanted))), site.wanted);
}

/** Says what it does before and after. Throws DeployError. */
async function perform(site: Site, change: NamedChange): Promise<void> {
  const { clock } = site.ports;
  if (change.usesApt) await awaitApt(site);
  say(site, `${change.action}: ${change.sentence} …`);
  const started = clock.now();
  const { code, stderr, stdout } = await site.member.connection.run(changeCommand(change));
  if (code !== 0) throw failed(site, `${change.action}: ${errorLine(stderr || stdout)}`);
  if (change.undo !== undefined) await confirm(site, change);
  say(site, `${change.action}: done (${inWords(Math.round((clock.now() - started) / SECOND) * SECOND)})`);
}

/** The change stays only if somebody can still log in: on a new connection, while this one is open. */
async function confirm(site: Site, { action }: NamedChange): Promise<void> {
  const { ports, member, wanted, again } = site;
  const user = wanted.user ?? 'root';
  try {
    const second = await ports.shell.connect(member.host, { user });
    await second.close();
  } catch (error) {
    await member.connection.run(takeBackCommand(action));
    const { message, hint } = asDeployError(error);
    throw new DeployError(
      'bootstrap-undone',
      `${action} was taken back: a second login as ${user} failed: ${message}`,
      {
        cause: error,
        ...(hint !== undefined && { hint }),
      },
    );
  }
  const answer = await answerOf(site, keepCommand(action));
  if (answer.trim() === 'kept') return;
  throw new DeployError('bootstrap-undone', `${action} was taken back: it was not confirmed within a minute.`, {
    hint: `Run it again: ${again}`,
  });
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

/** A fresh droplet is still being set up: users, keys and packages. */
async function awaitCloudInit(site: Site): Promise<void> {
  await awaitEnd(site, 'cloud-init status --long', async () => {
    const status = (await answerOf(site, cloudInitCommand())).trim().replace(/^status: /, '');
    if (/^(error|degraded)/.test(status))
      warn(site.ports, 'cloud-init has ended with an error.', site.member.host.name);
    return /^(running|not run|not started)/.test(status) ? 'cloud-init' : undefined;
  });
}

async function awaitApt(site: Site): Promise<void> {
  await awaitEnd(site, 'ps aux', async () => {
    const [holder = ''] = (await answerOf(site, aptHolderCommand())).split('\n');
    return holder === '' ? undefined : `${holder}, which holds apt's lock,`;
  });
}

/**
 * @param look the command that shows what is going on
 * @param ask what is waited for; undefined: it has ended
 */
async function awaitEnd(site: Site, look: string, ask: () => Promise<string | undefined>): Promise<void> {
  const { clock } = site.ports;
  const { waitMs } = site.wanted;
  const started = clock.now();
  let said = Number.NEGATIVE_INFINITY;
  for (;;) {
    const busy = await ask();
    if (busy === undefined) return;
    const waited = clock.now() - started;
    if (waited >= waitMs) {
      throw new DeployError('bootstrap-timeout', `${busy} did not end within ${inWords(waitMs)}.`, {
        hint: `Look at it: ${loginTo(site.member)} ${look}. To wait longer, set bootstrap.wait in ${configFile(site.wanted)}.`,
      });
    }
    if (waited - said >= STILL_WAITING_EVERY_MS) {
      said = waited;
      say(site, `waiting for ${busy} at most ${inWords(waitMs)} …`);
    }
    await clock.sleep(Math.min(POLL_MS, waitMs - waited));
  }
}

async function answerOf(site: Site, command: RemoteCommand): Promise<string> {
  const { code, stdout, stderr } = await site.member.connection.run(command);
  if (code !== 0) throw failed(site, `${command.name}: ${errorLine(stderr || stdout)}`);
  return stdout;
}

function say({ ports, member }: Site, message: string): void {
  reportTo(ports)({ type: 'notice', level: 'info', droplet: member.host.name, message });
}

function failed({ member, again }: Site, reason: string): DeployError {
  return new DeployError('bootstrap-failed', `${member.host.name} is not ready: ${reason.replace(/\.$/, '')}.`, {
    droplet: member.host.name,
    hint: `What is done stays. Correct it (${loginTo(member)}), then run it again: ${again}`,
  });
}
