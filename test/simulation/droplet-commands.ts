/**
 * What the remote commands do to a droplet, and exactly what they print. A command is known by its name and arguments;
 * of the scripts only the text of release.json is taken, which stands nowhere else.
 */

import { type Done as LastDone, lineOf } from '../../src/deploy/lease/done-commands.js';
import { NOT_HOLDER } from '../../src/deploy/lease/lease-commands.js';
import { sha256 } from '../../src/deploy/release/digests.js';
import { imagesOverride, type StoredRelease } from '../../src/deploy/release/stored-release.js';
import type { CommandResult, RemoteCommand } from '../../src/ports.js';
import { composeUp } from './compose-up.js';
import { type Container, DOCKER_BACK_WITHIN_MS, inspect } from './containers.js';
import { advance, openConnections, recentStrangers, requests, servingContainer, strangersSince } from './data-plane.js';
import type { Deployer } from './deployer.js';
import { lockProcess, namesRun } from './lock.js';
import { once } from './one-off.js';
import { ARCHIVE, CHECKSUMS, composeConfig, digestOf, imageIdOf } from './project.js';
import type { Droplet, World } from './world.js';

export interface Done {
  code: number;
  stdout: string;
  stderr: string;
  /** How long it takes, in ms. */
  ms: number;
  /** What it prints at its end; or how it ends. */
  last?: () => string | Partial<CommandResult>;
}

export interface Execution {
  world: World;
  droplet: Droplet;
  deployer: Deployer;
  command: RemoteCommand;
  /** It is cut off in the middle. */
  half: boolean;
}

type Args = Readonly<Record<string, unknown>>;

const ok = (stdout = '', ms = 0): Done => ({ code: 0, stdout, stderr: '', ms });
const bad = (stderr: string, code = 1, stdout = ''): Done => ({ code, stdout, stderr, ms: 0 });
const FULL = 'sh: 1: cannot create file: No space left on device';

const COMMANDS: Record<string, (execution: Execution, args: Args) => Done> = {
  survey,
  containers: ({ world, droplet, deployer, command }, { ids }) => {
    // It waits for a daemon that is only being restarted, and shows what there is then.
    const down = Math.max(0, droplet.dockerDownUntil - world.time);
    if (down > DOCKER_BACK_WITHIN_MS)
      return { ...bad('Cannot connect to the Docker daemon'), ms: DOCKER_BACK_WITHIN_MS };
    const look = () => containersText(world, droplet, ids as string[] | undefined);
    if (down === 0) return ok(look());
    const last = () => {
      world.monitor.commandRuns(deployer, droplet, command.name);
      return look();
    };
    return { ...ok('', down), last };
  },
  traffic,
  'open-connections': openConnectionsNow,
  'port-holders': () => ok('[]'),
  'machine-facts': () => ok(`${SURVEY_MARK}\n\n${SURVEY_MARK} machine\nx86_64\n\n${SURVEY_MARK} counters\nreadable\n`),
  'read-project': ({ world }) =>
    ok(`${SURVEY_MARK}\n\n${SURVEY_MARK} config\n${composeConfig(world.story.app, 'v9')}\n\n${SURVEY_MARK} code\n0\n`),
  history: ({ droplet: { disk } }) => ok(disk.history.join('\n')),
  'lease-status': ({ droplet, world }) =>
    ok(lockProcess(world, droplet) ? `held ${droplet.lock.holder ?? ''}\n` : 'free\n'),
  // What plan shows of files is tested on the sandbox.
  'read-files': ({ droplet }, { release, paths }) => {
    const mark = '0123456789abcdef0123456789abcdef';
    const sums = droplet.disk.releases.get(String(release))?.checksums ?? '';
    const texts = (paths as string[]).map((path, index) =>
      path === 'SHA256SUMS' ? `\n${mark} file-${index}\ntext\n${sums}` : '',
    );
    return ok(`${mark}\n${texts.join('')}`);
  },
  fetch: ({ droplet: { disk } }, { release, part }) =>
    disk.releases.has(String(release)) ? ok(part === 0 ? ARCHIVE : '') : bad('cd: no such folder', 2),
  unpack,
  // The sizes are unknown, as behind many registries.
  room: () => ok(),
  pull,
  seal,
  discard: ({ droplet }, { release }) => {
    droplet.disk.partial.delete(String(release));
    droplet.disk.incoming.delete(String(release));
    return ok();
  },
  switch: (execution, args) => composeUp(execution, args),
  'mark-out': ({ droplet, world }, { out }) => {
    droplet.disk.made = true;
    if (world.time < droplet.disk.fullUntil) return bad(FULL, 2);
    droplet.disk.out = JSON.stringify(out);
    return ok();
  },
  'clear-mark': ({ droplet }) => {
    delete droplet.disk.out;
    return ok();
  },
  confirm: ({ droplet, world, deployer, half }, { release, state }) => {
    if (world.time < droplet.disk.fullUntil) return bad(FULL, 2);
    world.monitor.confirms(deployer, droplet);
    droplet.disk.current = String(release);
    if (half) return ok();
    droplet.disk.state = JSON.stringify(state);
    droplet.disk.stateWrittenAt = world.time + droplet.skewMs;
    delete droplet.disk.out;
    droplet.disk.handled.clear();
    return ok();
  },
  process: ({ droplet, world, deployer }, { service, action, owed }) => {
    if (world.time < droplet.dockerDownUntil) return bad('Cannot connect to the Docker daemon');
    const own = droplet.containers.filter((container) => container.service === service);
    if (owed === true && own.length > 0) {
      if (world.time < droplet.disk.fullUntil) return bad(FULL, 2);
      droplet.disk.handled.add(String(service));
    }
    if (action === 'start') startAgain(world, own);
    else for (const container of own) container.stopped = true;
    world.monitor.tally(`process: ${deployer.dead ? 'of a dead run' : action === 'start' ? 'start' : 'stop'}`);
    return ok(`${own.length}\n`);
  },
  'start-stopped': ({ droplet, world }, { start }) => {
    if (world.time < droplet.dockerDownUntil) return bad('Cannot connect to the Docker daemon');
    const ids = start as string[];
    startAgain(
      world,
      droplet.containers.filter(({ id }) => ids.includes(id)),
    );
    droplet.disk.handled.clear();
    return ok();
  },
  finish,
  'note-end': ({ droplet: { disk }, world, command }) => {
    if (!disk.made || world.time < disk.fullUntil) return bad(FULL, 2);
    disk.history.push(historyLine(command));
    return ok();
  },
  'write-history': ({ droplet: { disk }, world, command }) => {
    if (!disk.made || world.time < disk.fullUntil) return bad(FULL, 2);
    disk.history.push(historyLine(command));
    return ok();
  },
  'read-done': ({ droplet }, { key }) => ok(`${droplet.disk.done.get(String(key)) ?? ''}\n`),
  'write-done': ({ droplet: { disk }, world }, { key, done }) => {
    if (!disk.made || world.time < disk.fullUntil) return bad(FULL, 1);
    disk.done.set(String(key), lineOf(done as LastDone));
    return ok();
  },
  'find-once': ({ droplet, world }) => {
    if (world.time < droplet.dockerDownUntil) return bad('Cannot connect to the Docker daemon');
    return ok(droplet.oneOffs.some(({ gone }) => !gone) ? '5f0c7e1d9a3b\n' : '');
  },
  once,
  'images-present': ({ droplet, deployer }, { references }) => {
    const there = new Set(
      referencesOf(deployer).flatMap((one) => (droplet.disk.images.has(imageIdOf(one)) ? digestOf(one) : [])),
    );
    return ok((references as string[]).flatMap((one) => (there.has(one) ? [] : `gone ${one}\n`)).join(''));
  },
  logs: (_, { containerIds }) =>
    ok((containerIds as string[]).map((id) => `--- ${id}\nlistening on port 80\nlast words\n`).join('')),
};

/** Runs the command at once; how long that takes is told. */
export function execute(execution: Execution): Done {
  const { command, droplet, deployer, world } = execution;
  const run = COMMANDS[command.name];
  if (run === undefined) throw new Error(`the simulation does not know the command ${command.name}`);
  advance(world, droplet, world.time);
  if (changesAsHolder(command.script) && !isHolder(droplet, command)) {
    world.monitor.tally(`refused: ${command.name} without the lock`);
    return bad('another run has taken the lock', NOT_HOLDER);
  }
  world.monitor.commandRuns(deployer, droplet, command.name);
  return run(execution, command.args);
}

/** Whether the script itself has the lines that refuse. */
function changesAsHolder(script: string): boolean {
  return script.includes('/lease/holder') && script.includes(`exit ${NOT_HOLDER}`);
}

function isHolder(droplet: Droplet, { args }: RemoteCommand): boolean {
  const { run, state, out } = args as { run?: string; state?: { run: string }; out?: { run: string } };
  const name = run ?? state?.run ?? out?.run;
  return name !== undefined && namesRun(droplet.lock.holder, name);
}

function startAgain(world: World, containers: readonly Container[]): void {
  for (const container of containers) {
    if (!container.stopped) continue;
    container.stopped = false;
    container.startedAt = world.time;
  }
}

function nowLine(world: World, droplet: Droplet): string {
  return `now ${Math.floor((world.time + droplet.skewMs) / 1_000)}\n`;
}

/** @param ids only these, if they are all there */
function containersText(world: World, droplet: Droplet, ids: readonly string[] = []): string {
  const named = droplet.containers.filter(({ id }) => ids.includes(id));
  const shown = ids.length > 0 && named.length === ids.length ? named : droplet.containers;
  const views = shown.map((container) => inspect(container, world.time, droplet.skewMs));
  return `${nowLine(world, droplet)}[${views.join(',')}]\n`;
}

/** As random as it is on a droplet. */
const SURVEY_MARK = '5f0c7e1d9a3b4826a1d4c6e8f0b29374';

function survey({ world, droplet }: Execution, { prepare }: Args): Done {
  const { disk } = droplet;
  const down = world.time < droplet.dockerDownUntil;
  const mark = `${SURVEY_MARK} `;
  const parts = [
    SURVEY_MARK,
    `${mark}home\n/root`,
    `${mark}clock\n${Math.floor((world.time + droplet.skewMs) / 1_000)}`,
    `${mark}docker\n${down ? 'Cannot connect to the Docker daemon\nfailed 1' : '28.2.2'}`,
    `${mark}compose\n2.36.0`,
    `${mark}disk\n/dev/vda1 82437404 20000000 62437404 25% /`,
  ];
  if (prepare === true) disk.made = true;
  if (!disk.made) return ok(`${parts.join('\n')}\n`);
  const current = disk.current === undefined ? undefined : disk.releases.get(disk.current);
  parts.push(
    `${mark}current\n${disk.current === undefined ? '' : `releases/${disk.current}`}`,
    `${mark}releases\n${[...disk.releases.values()].map(({ text }) => `${text}\n`).join('\n')}`,
    `${mark}state\n${disk.state ?? ''}`,
    `${mark}state-written\n${disk.state === undefined ? '' : Math.floor(disk.stateWrittenAt / 1_000)}`,
    `${mark}out\n${disk.out ?? ''}`,
    `${mark}handled\n${[...disk.handled].join('\n')}`,
    `${mark}checksums\n${current?.checksums ?? ''}`,
    `${mark}found\n${current === undefined ? '' : imagesSum(current)}`,
    `${mark}containers\n${down ? nowLine(world, droplet) : containersText(world, droplet)}`,
  );
  return ok(`${parts.join('\n')}\n`);
}

/** Nobody edits files in the simulation. */
function imagesSum({ record }: { record: StoredRelease }): string {
  return `${sha256(imagesOverride(record.images))}  images.yml`;
}

/** The counters first, and a little later the socket tables. */
function traffic({ world, droplet }: Execution, args: Args): Done {
  const { instrument, delays } = world.story;
  if (instrument === 'none') return ok();
  const container = servingContainer(droplet, world.time);
  if (container === undefined) return ok();
  const ports = args.ports as { host: number; container: number; pid: number }[];
  const readable = ports.some((port) => port.pid === container.pid);
  const rules = instrument === 'sockets' ? '' : rulesText(world, droplet, container);
  return { ...ok(rules, delays.readingMs), last: () => (readable ? socketsText(world, droplet, container.pid) : '') };
}

/** Of a balancer that keeps its connections: requests over each. */
const REQUESTS_KEPT = 40;

/** What has passed the rules of the published ports. */
function rulesText(world: World, droplet: Droplet, { startedAt, checks, ownChecks }: Container): string {
  const { instrument, check, keepalive } = world.story;
  const isHeard = instrument === 'counters';
  const asked = requests(world, droplet, startedAt, world.time);
  const connections = keepalive ? Math.ceil(asked / REQUESTS_KEPT) : asked;
  const others = isHeard ? connections + strangersSince(world, droplet, startedAt) : 0;
  const checked = isHeard ? checks : instrument === 'own' ? ownChecks : 0;
  const [at80, at81] = [check.port === 80 ? checked + others : others, check.port === 81 ? checked : 0];
  return `rule 80 ${at80}\nrule 81 ${at81}\n`;
}

function socketsText(world: World, droplet: Droplet, pid: number): string {
  advance(world, droplet, world.time);
  const container = servingContainer(droplet, world.time);
  if (container?.pid !== pid) return '';
  const strangers = recentStrangers(world, droplet, container.startedAt).map(
    (one) => `stranger 0050 057100CB:${one}\n`,
  );
  const open = openConnections(world, droplet, world.time) + idleConnections(world, droplet);
  return `${strangers.join('')}open ${open}\n`;
}

/** A balancer that keeps its connections leaves some behind wherever it has sent requests. */
function idleConnections({ story }: World, { planes }: Droplet): number {
  return story.keepalive && story.load.rate > 0 && planes.some(({ periods }) => periods.length > 0) ? 3 : 0;
}

/** Requests under way have been received, and nothing was sent since; the last answer on an idle connection took 20 ms. */
function openConnectionsNow({ world, droplet }: Execution): Done {
  advance(world, droplet, world.time);
  const busy = openConnections(world, droplet, world.time);
  const idle = idleConnections(world, droplet);
  const rows = [
    ...Array.from({ length: busy }, () => 'connection 10.0.0.9:5000 0 0 900 300 5000 100 100'),
    ...Array.from({ length: idle }, () => 'connection 10.0.0.9:6000 0 0 900 300 9000 9020 9000'),
  ];
  return ok(`${rows.join('\n')}\nreadable\n`);
}

function unpack({ world, droplet }: Execution, { release, base }: Args): Done {
  const { disk } = droplet;
  const id = String(release);
  if (!disk.incoming.has(id)) return bad(`tar: incoming-${id}.tgz: Cannot open: No such file or directory`, 2);
  if (world.time < disk.fullUntil) return bad('tar: write error: No space left on device', 2);
  if (base !== undefined && !disk.releases.has(String(base))) return bad('tar: releases: No such file or directory', 2);
  disk.partial.add(id);
  disk.incoming.delete(id);
  return ok(`${composeConfig(world.story.app, tagOf(id))}\n`);
}

/** Ids end with the tag. */
function tagOf(id: string): string {
  return id.slice(id.indexOf('-') + 1);
}

/** Every image that there is. */
function referencesOf({ plan }: Deployer): string[] {
  const tags = [plan.tag, 'v0', 'v1', 'v2', 'v3', 'v9'];
  return [...tags.map((tag) => `registry.example.com/shop:${tag}`), 'nginx:1.27'];
}

function pull({ droplet, deployer, world }: Execution, { release, images, pinned }: Args): Done {
  if (!droplet.disk.partial.has(String(release))) return bad('cd: No such file or directory', 2);
  if (world.time < droplet.dockerDownUntil) return bad('Cannot connect to the Docker daemon');
  const references = referencesOf(deployer);
  const found = (images as string[]).map((image) =>
    references.find((reference) => image === (pinned === true ? digestOf(reference) : reference)),
  );
  if (found.includes(undefined)) return bad('manifest unknown');
  for (const reference of found) droplet.disk.images.add(imageIdOf(String(reference)));
  const answer = found.map((reference) => ({
    Id: imageIdOf(String(reference)),
    RepoDigests: [digestOf(String(reference))],
  }));
  return ok(`${JSON.stringify(answer)}\n`, 800);
}

function seal({ world, droplet, command }: Execution, { staged, release }: Args): Done {
  const { disk } = droplet;
  const id = String(release);
  const written = [...command.script.matchAll(/printf '%s\\n' '(.*)' >\S*release\.json/g)];
  // Once for a release that is not there yet, and once more to renew the record of one that is.
  if (disk.releases.has(id) && written.length < 2) {
    disk.partial.delete(String(staged));
    return ok();
  }
  if (world.time < disk.fullUntil || !disk.partial.has(String(staged))) return bad(FULL, 2);
  const text = written[0]?.[1]?.replaceAll("'\\''", "'");
  if (text === undefined) throw new Error('no release.json in the script of seal');
  disk.partial.delete(String(staged));
  disk.releases.set(id, { record: JSON.parse(text) as StoredRelease, text, checksums: CHECKSUMS });
  return ok();
}

/** What the script appends. */
function historyLine({ script }: RemoteCommand): string {
  const [, line] = /printf '%s\\n' '(.*)' >>history\.jsonl/.exec(script) ?? [];
  if (line === undefined) throw new Error('no line in a script that writes history');
  return line.replaceAll("'\\''", "'");
}

function finish({ droplet, world, command }: Execution, { remove }: Args): Done {
  const { disk } = droplet;
  const { releases, images } = remove as { releases: string[]; images: string[] };
  if (world.time < disk.fullUntil) return bad(FULL, 2);
  disk.history.push(historyLine(command));
  world.monitor.releasesRemoved(droplet, releases);
  for (const id of releases) disk.releases.delete(id);
  const used = new Set(droplet.containers.map((container) => container.imageId));
  for (const image of images) if (!used.has(image)) disk.images.delete(image);
  return ok();
}
