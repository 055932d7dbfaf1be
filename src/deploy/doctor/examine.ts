/**
 * `do-deploy doctor`: everything that a deploy depends on. Only reads, in bounded time: DigitalOcean, then all droplets in
 * parallel, each over one connection. What keeps something from being read is a finding, or is told as not looked at.
 */
import type { Settings } from '../../config/settings.js';
import { CloudError, DeployError } from '../../errors.js';
import type { DoctorReport } from '../../rollout/doctor.js';
import type { DeployEvent } from '../../rollout/model.js';
import { findBalancer } from '../../targets/find-balancer.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import type { Member } from '../droplet/member.js';
import { byHandSentence, refuseOverlap } from '../fleet/find-fleet.js';
import { refuseImpossible } from '../fleet/policy.js';
import { ofRole, settingsOfRoles } from '../fleet/role-settings.js';
import { checkRole } from '../inspect/check-drift.js';
import { type Visit, visitFleets } from '../inspect/visit-fleet.js';
import type { ReadText } from '../plan/wanted.js';
import { findRepairs } from '../rollouts/heal.js';
import { policyFor } from '../session/rollout.js';
import { warnAboutUnused } from '../staging/compare-variables.js';
import { warnAboutCompose } from '../staging/compose-warnings.js';
import { logInTo } from '../staging/registry-login.js';
import { CHECKS } from './checks.js';
import type { ConfigurationProblem, EnvFileFacts, Facts, RoleFacts } from './facts.js';
import { type Found, findingsOf, type Refused } from './found.js';
import { findProxyReaders } from './proxy-readers.js';
import { type DropletRead, type FirstLook, lookFirst, readDroplet } from './read-droplet.js';
import { type ProjectFiles, readProjectFiles } from './read-files.js';
import { neededScopes } from './scopes.js';

export interface DoctorOptions {
  app: string;
  environment: string;
  /** As far as the configuration could be loaded. */
  settings: Settings | undefined;
  /** The configuration is right for a deploy: its files can be looked at. */
  isWhole: boolean;
  problems: readonly ConfigurationProblem[];
  warnings: readonly string[];
  envFiles: readonly EnvFileFacts[];
  readProject: ReadText['project'];
}

/** Throws what no answer of DigitalOcean or of a droplet is. */
export async function examine(given: DeployPorts | undefined, options: DoctorOptions): Promise<DoctorReport> {
  const { app, environment, settings, isWhole, problems, warnings, envFiles } = options;
  const look = new Look(options);
  if (given !== undefined && settings !== undefined) {
    await look.at({ ...given, reporter: { report: () => {} } }, settings);
    if (!isWhole) look.unchecked.push('The compose files and images, until the configuration is right.');
  } else {
    look.unchecked.push('DigitalOcean and the droplets, until the configuration is right.');
  }
  const facts: Facts = { settings, problems, warnings, envFiles, ...look.facts };
  const { findings, left } = findingsOf([
    ...look.facts.refused,
    ...look.found,
    ...CHECKS.flatMap((check) => check(facts)),
  ]);
  return {
    app,
    environment,
    target: look.target,
    droplets: look.facts.roles.reduce((sum, { droplets }) => sum + droplets.length, 0),
    findings,
    unchecked: [...look.unchecked, ...left],
  };
}

type Read = Pick<Facts, 'missingScopes' | 'firewalls' | 'proxyReaders' | 'composeTexts'> & {
  roles: RoleFacts[];
  refused: Refused[];
};

class Look {
  readonly facts: Read = { missingScopes: [], proxyReaders: [], composeTexts: [], roles: [], refused: [] };
  readonly found: Found[] = [];
  readonly unchecked: string[] = [];
  target = '';
  readonly #options: DoctorOptions;

  constructor(options: DoctorOptions) {
    this.#options = options;
  }

  async at(ports: DeployPorts, settings: Settings): Promise<void> {
    const isOpen = await this.#unlessRefused('token', () => this.#tryToken(ports, settings));
    const isFound = isOpen && (await this.#unlessRefused('balancer', () => this.#tryBalancers(ports, settings)));
    if (!isFound) {
      this.unchecked.push('The droplets, because the fleet cannot be found.');
      return;
    }
    const files = await this.#readFiles(ports, settings);
    await this.#unlessRefused('balancer', async () => {
      await visitFleets(ports, settings, { newcomers: true, onlyRunning: true }, async (visits) => {
        this.target = visits.map(({ fleet }) => `${ofRole(fleet.settings)}${fleet.target.description}`).join(', ');
        this.#refuseFleets(visits);
        const present = new Set(
          visits.flatMap(({ fleet }) => fleet.membership.droplets.map(({ droplet }) => droplet.id)),
        );
        const clearable = await this.#findClearable(ports, settings, visits);
        const roles = await Promise.all(
          visits.map((visit) => this.#atRole(ports, visit, files.get(visit.fleet.settings.role), present, clearable)),
        );
        this.facts.roles.push(...roles);
        return true;
      });
      return true;
    });
  }

  /** False: without a scope that is missing, the fleet cannot be found. */
  async #tryToken({ cloud }: DeployPorts, settings: Settings): Promise<boolean> {
    const { toFind, readable, toChange } = neededScopes(settings);
    const missing = await cloud.missingScopes(readable);
    this.facts.missingScopes = missing;
    if (toChange.length > 0) {
      this.unchecked.push(`Whether the token has ${toChange.join(', ')}: only a change shows it.`);
    }
    return !toFind.some((scope) => missing.includes(scope));
  }

  /** False: one is not active. A deploy would wait for it. */
  async #tryBalancers({ cloud }: DeployPorts, settings: Settings): Promise<boolean> {
    for (const { target } of settingsOfRoles(settings)) {
      if (target.kind !== 'load_balancer') continue;
      const { name, status, type } = await findBalancer(cloud, target.ref);
      if (status === 'active' || type === 'GLOBAL') continue;
      this.found.push({
        name: 'balancer-not-active',
        message: `Load balancer "${name}" is ${status}.`,
        fix: 'Check it in the control panel, and run this again when it is active.',
      });
      return false;
    }
    try {
      this.facts.firewalls = await cloud.listFirewalls();
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== 'forbidden') throw error;
      this.unchecked.push('Cloud firewalls, because the token lacks firewall:read.');
    }
    return true;
  }

  /** What keeps a rollout from beginning, whatever the droplets are. */
  #refuseFleets(visits: readonly Visit[]): void {
    const fleets = visits.map(({ fleet }) => fleet);
    const checks = [
      () => refuseOverlap(fleets),
      ...fleets.map((fleet) => () => refuseImpossible(fleet, policyFor(fleet, false, {}))),
    ];
    for (const check of checks) {
      try {
        check();
      } catch (error) {
        if (!(error instanceof DeployError)) throw error;
        this.facts.refused.push({ error, area: 'balancer' });
      }
    }
  }

  /** By role; with none, of the environment. */
  async #readFiles(ports: DeployPorts, settings: Settings): Promise<Map<string | undefined, ProjectFiles>> {
    const { isWhole, readProject } = this.#options;
    const files = new Map<string | undefined, ProjectFiles>();
    if (!isWhole) return files;
    for (const own of settingsOfRoles(settings)) {
      await this.#unlessRefused('configuration', async () => {
        files.set(own.role, await readProjectFiles(ports, own, readProject));
        return true;
      });
    }
    const [first] = files.values();
    this.facts.composeTexts = first?.compose ?? [];
    const texts = new Map([...files.values()].flatMap(({ texts }) => texts.map((one) => [one.path, one] as const)));
    this.facts.proxyReaders = findProxyReaders([...texts.values()]);
    return files;
  }

  /** Names of droplets whose record is all that `heal` would remove, where it has nothing else to do. */
  async #findClearable(ports: DeployPorts, settings: Settings, visits: readonly Visit[]): Promise<Set<string>> {
    const isRecorded = visits.some(({ fleet }) =>
      fleet.membership.droplets.some(
        ({ rotation, inLedger }) => inLedger && (rotation === 'in' || rotation === 'none'),
      ),
    );
    if (!isRecorded) return new Set();
    try {
      const { repairs, without } = await findRepairs(ports, { settings });
      const isAll = without.length === 0 && repairs.every(({ isOnlyRecorded }) => isOnlyRecorded);
      return new Set(isAll ? repairs.map(({ name }) => name) : []);
    } catch (error) {
      if (error instanceof DeployError) return new Set();
      throw error;
    }
  }

  async #atRole(
    ports: DeployPorts,
    visit: Visit,
    files: ProjectFiles | undefined,
    present: ReadonlySet<number>,
    clearable: ReadonlySet<string>,
  ): Promise<RoleFacts> {
    const { fleet, members, unreachable } = visit;
    const { settings, membership } = fleet;
    for (const { droplet, error } of unreachable) {
      this.facts.refused.push({ error, area: 'droplets', droplet: droplet.name });
    }
    const login = await this.#logIn(ports, settings, files);
    const [report, looks] = await Promise.all([
      checkRole(ports, visit, present),
      inParallel(members, async (member) => ({ member, look: await lookFirst(member, settings, files, login) })),
    ]);
    this.#noteUnread(looks, files !== undefined);
    const lost = new Set(unreachable.map(({ droplet }) => droplet.name));
    for (const { kind, droplet, message } of report.differences) {
      if (kind !== 'unreachable' || lost.has(droplet)) continue;
      const error = new DeployError('survey-failed', `The droplet ${message}.`);
      this.facts.refused.push({ error, area: 'droplets', droplet });
      lost.add(droplet);
    }
    const read = await inParallel(looks, async ({ member, look }) => {
      // What a person has taken out by hand is not surveyed.
      if (lost.has(member.host.name) || member.survey.home === '') return [];
      return [await readDroplet(member, settings, files, look)];
    });
    const droplets = read.flat();
    this.facts.refused.push(...droplets.flatMap(({ refused }) => refused));
    this.#readWords(settings, droplets, files, looks);
    const { differences, release, dispute, deploying } = report;
    return {
      settings,
      balancer: membership.balancer,
      fleet: membership.droplets,
      droplets: droplets.map(({ facts }) => facts),
      differences,
      hasRelease: release !== undefined,
      dispute,
      byHand: membership.droplets
        .filter(({ byHand }) => byHand !== undefined)
        .map((one) => ({ droplet: one.droplet.name, sentence: byHandSentence(one) })),
      holder: deploying && { who: deploying.who, since: deploying.since },
      clearable,
    };
  }

  #noteUnread(looks: readonly { member: Member; look: FirstLook }[], hasFiles: boolean): void {
    const without = (key: keyof FirstLook) =>
      looks.flatMap(({ member, look }) => (look[key] === undefined ? member.host.name : []));
    const machines = without('machine');
    const projects = hasFiles ? without('project') : [];
    if (machines.length > 0) this.unchecked.push(`Memory and processor of ${machines.join(', ')}, which did not say.`);
    if (projects.length > 0) this.unchecked.push(`The compose files on ${projects.join(', ')}, which did not answer.`);
  }

  async #logIn(ports: DeployPorts, settings: Settings, files: ProjectFiles | undefined) {
    if (files === undefined || files.images.length === 0) return undefined;
    try {
      return await logInTo(ports, settings);
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      this.facts.refused.push({ error, area: 'registry' });
      return undefined;
    }
  }

  /** What compose says besides its answer, on one droplet for all. */
  #readWords(
    settings: Settings,
    droplets: readonly DropletRead[],
    files: ProjectFiles | undefined,
    looks: readonly { look: FirstLook }[],
  ): void {
    const said = droplets.find((one) => one.facts.compose !== undefined)?.said;
    const config = looks.flatMap(({ look }) => look.project?.config ?? [])[0];
    if (said === undefined || config === undefined || files === undefined) return;
    const messages: string[] = [];
    const report = (event: DeployEvent) => {
      if (event.type === 'notice') messages.push(event.message);
    };
    const listening = { clock: { now: () => 0, sleep: async () => {} }, reporter: { report } };
    warnAboutCompose(listening, said, []);
    const composeFiles = files.compose.map(({ text }) => text).join('\n');
    warnAboutUnused(listening, config, settings.variables ?? [], composeFiles);
    this.found.push(...messages.map((message): Found => ({ name: 'compose-doubt', message })));
  }

  /** False: it was refused, which is a finding. */
  async #unlessRefused(area: Refused['area'], task: () => Promise<boolean>): Promise<boolean> {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof DeployError) || error.source === 'bug') throw error;
      this.facts.refused.push({ error, area, droplet: error.droplet });
      return false;
    }
  }
}
