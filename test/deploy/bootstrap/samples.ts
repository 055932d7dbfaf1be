/** Droplets as their facts show them: fresh, and ready. */
import type { Wanted } from '../../../src/deploy/bootstrap/action.js';
import { sudoers } from '../../../src/deploy/bootstrap/actions/sudo.js';
import type { NamedChange } from '../../../src/deploy/bootstrap/change-command.js';
import { readFacts } from '../../../src/deploy/bootstrap/facts-command.js';
import { firewallScript, UNIT } from '../../../src/deploy/bootstrap/firewall-script.js';
import { planBootstrap } from '../../../src/deploy/bootstrap/plan-bootstrap.js';

const MARK = '0123456789abcdef0123456789abcdef';
export const KEY = `ssh-ed25519 ${'A'.repeat(60)} ann@laptop`;
export const OTHER_KEY = `ssh-ed25519 ${'B'.repeat(60)} bob@laptop`;
export const encoded = (text: string) => Buffer.from(text).toString('base64');

export const WANTED: Wanted = {
  user: 'deploy',
  dockerGroup: true,
  docker: 'distribution',
  firewall: {},
  hardenSsh: true,
  unattendedUpgrades: true,
  swap: true,
  waitMs: 600_000,
  privateAddress: '10.108.0.5',
  openPorts: [],
  isPublic: false,
};

export type Sections = Record<string, readonly string[]>;

export const FRESH: Sections = {
  system: ['refused ', 'uid 0', 'id debian', 'version 13', 'codename trixie', 'systemd'],
  'time-sync': [],
  swap: ['memory 957', 'free 20000', 'filesystem ext4'],
  docker: ['packages ', 'sources '],
  'daemon-settings': [],
  user: [`rootKeys ${encoded(`${KEY}\n`)}`],
  sudo: [],
  sshd: ['settings passwordauthentication yes kbdinteractiveauthentication no permitrootlogin yes', 'include '],
  firewall: [
    'input -P INPUT ACCEPT',
    'network 172.17.0.1 172.17.0.0/16',
    'network 10.108.0.5 10.108.0.0/20',
    'port 22',
    'port 22',
  ],
  upgrades: ['periodic '],
};

export const RULES = { ssh: [22], from: ['10.108.0.0/20'], open: [], openPublished: false, onlyContainers: false };

/** After everything was done. */
export const READY: Sections = {
  ...FRESH,
  'time-sync': ['active active'],
  swap: ['memory 957', 'swap /do-deploy.swap', 'free 20000', 'filesystem ext4'],
  docker: ['client 26.1.5', 'server 26.1.5', 'compose 2.26.1-4', 'packages docker.io installed', 'sources '],
  'daemon-settings': [
    `file ${encoded('{"log-driver":"json-file","log-opts":{"max-size":"10m","max-file":"3"},"live-restore":true}')}`,
    'swarm inactive',
    'running 0',
  ],
  user: [
    'passwd deploy:x:1000:1000::/home/deploy:/bin/bash',
    'groups deploy docker',
    `rootKeys ${encoded(`${KEY}\n`)}`,
    `keys ${encoded(`# Written by do-deploy bootstrap.\n${KEY}\n`)}`,
  ],
  sudo: [`file ${encoded(sudoers('deploy'))}`, 'program /usr/sbin/visudo'],
  sshd: [
    'settings passwordauthentication no kbdinteractiveauthentication no permitrootlogin without-password',
    'include ',
  ],
  firewall: [
    'iptables /usr/sbin/iptables',
    'input -P INPUT ACCEPT',
    'input -A INPUT -j DO-DEPLOY-HOST',
    'network 10.108.0.5 10.108.0.0/20',
    'port 22',
    `script ${encoded(firewallScript(RULES))}`,
    `unit ${encoded(UNIT)}`,
    'enabled enabled',
    'loaded',
  ],
  upgrades: ['package installed', 'periodic APT::Periodic::Update-Package-Lists=1 APT::Periodic::Unattended-Upgrade=1'],
};

/** As the facts' command prints them. */
export function answerOf(sections: Sections): string {
  const text = Object.entries(sections).map(([name, lines]) => `\n${MARK} ${name}\n${lines.join('\n')}\n`);
  return `${MARK}\n${text.join('')}`;
}

export function planned(sections: Sections, wanted: Partial<Wanted> = {}) {
  return planBootstrap(readFacts(answerOf(sections)), { ...WANTED, ...wanted });
}

/** Each change that there is, with and without systemd. */
export function everyChange(): NamedChange[] {
  const withoutSystemd = { ...FRESH, system: FRESH.system?.filter((line) => line !== 'systemd') ?? [] };
  const busy = { ...READY, 'daemon-settings': ['running 3'], docker: ['client 26.1.5', 'compose 2.26.1'] };
  return [FRESH, withoutSystemd, busy].flatMap((sections) =>
    (['distribution', 'docker'] as const).flatMap((docker) => planned(sections, { docker }).changes),
  );
}
