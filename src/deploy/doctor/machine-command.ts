/** Reads of a droplet what the survey does not: processor, memory, image store, what the SSH user may count, leftovers. */
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { appFolder, command } from '../core/shell.js';
import { PORT_COUNTERS } from '../drain/traffic-command.js';
import { checkShared } from '../droplet/home-check.js';
import { MACHINES } from '../staging/check-architecture.js';
import { DOCKER_INFO } from '../staging/room-command.js';

export interface MachineFacts {
  /** As Go names it: amd64. */
  architecture?: string;
  availableBytes?: number;
  /** Swap that is free, in bytes. */
  swapBytes?: number;
  store?: 'docker' | 'containerd';
  /** Whether the SSH user may read the packet counters of published ports. */
  mayCount: boolean;
  /** TCP ports at which something on the droplet itself listens; published ones may be among them. */
  listening: readonly number[];
  /** What is wrong with what the releases have in common, as `checkShared` printed it. */
  shared: string;
  /** Releases that were never staged completely, as paths in the app's folder. */
  partial: readonly string[];
}

/** Younger ones may be a deploy's that is under way. */
const LEFT_AFTER_MINUTES = 60;

const MOST_LISTENING = 1_000;

/** Names that are printed. */
const MOST_PARTIAL = 20;

/** @param shared what the releases have in common there */
export function machineCommand(app: string, shared: readonly string[] = []): RemoteCommand {
  const older = `-maxdepth 1 -mmin +${LEFT_AFTER_MINUTES}`;
  return command(
    'machine-facts',
    { app },
    [
      'set -u',
      'PATH=$PATH:/usr/sbin:/sbin',
      ...BEGIN_SECTIONS,
      beginSection('machine'),
      'uname -m',
      beginSection('memory'),
      'cat /proc/meminfo 2>/dev/null',
      beginSection('store'),
      `${DOCKER_INFO} 2>/dev/null`,
      beginSection('counters'),
      'if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi',
      `$as_root ${PORT_COUNTERS} >/dev/null 2>&1 && echo readable`,
      beginSection('listening'),
      `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print substr($2, length($2) - 3) }' | sort -u | head -n ${MOST_LISTENING}`,
      beginSection('shared'),
      ...checkShared(app, shared),
      beginSection('partial'),
      `cd ${appFolder(app)} 2>/dev/null || exit 0`,
      `{ find releases ${older} -name '*.partial'; find . ${older} -name 'incoming-*.tgz'; } 2>/dev/null | head -n ${MOST_PARTIAL}`,
      'exit 0',
    ],
    { reads: true },
  );
}

export function readMachine(stdout: string): MachineFacts {
  const sections = readSections(stdout);
  const text = (name: string) => sections.get(name) ?? '';
  const architecture = MACHINES[text('machine')];
  const kilobytes = (name: string) => {
    const [, found] = new RegExp(`^${name}: +(\\d{1,12}) kB$`, 'm').exec(text('memory')) ?? [];
    return found === undefined ? undefined : Number(found) * 1024;
  };
  const availableBytes = kilobytes('MemAvailable');
  const swapBytes = kilobytes('SwapFree');
  const store = text('store');
  return {
    ...(architecture && { architecture }),
    ...(availableBytes !== undefined && { availableBytes }),
    ...(swapBytes !== undefined && { swapBytes }),
    ...(store !== '' && { store: store.includes('io.containerd.snapshotter') ? 'containerd' : 'docker' }),
    mayCount: text('counters') === 'readable',
    listening: text('listening')
      .split('\n')
      .flatMap((port) => (/^[0-9A-F]{4}$/.test(port) ? Number.parseInt(port, 16) : [])),
    shared: text('shared'),
    partial: text('partial')
      .split('\n')
      .map((path) => path.replace(/^\.\//, ''))
      .filter((path) => /^(releases\/)?[A-Za-z0-9._-]+$/.test(path)),
  };
}
