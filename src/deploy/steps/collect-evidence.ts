/** Collects evidence on a failed droplet before anything is done to it. */
import type { RemoteCommand } from '../../ports.js';
import { diagnose, type Listener } from '../../rollout/diagnosis.js';
import { type ContainerView, causeOf, isSick, judgeHealth } from '../../rollout/health.js';
import type { Evidence } from '../../rollout/model.js';
import { sizeText } from '../../sizes.js';
import { command, quote } from '../core/shell.js';
import { loadContainers } from '../droplet/containers.js';
import { loginTo, type Member } from '../droplet/member.js';
import type { StepContext, StepResult } from './run.js';

/** Memory of the droplet, then log and listening sockets of containers; on the host's network, its sockets are those of the droplet. */
function findingsCommand(app: string, containers: readonly ContainerView[]): RemoteCommand {
  const lines = containers.flatMap(({ id, pid, hostNetwork }) => [
    `echo '--- ${id}'`,
    // Standard output and error come one after the other; by their timestamps they are what the container said.
    `docker logs --timestamps --tail ${LOG_LINES} ${quote(id)} 2>&1 | LC_ALL=C sort -s -k1,1`,
    ...(pid > 0 && !hostNetwork ? [listeningLine(id, pid)] : []),
  ]);
  const ids = containers.map(({ id }) => id);
  return command('logs', { app, containerIds: ids }, [MEMORY_LINE, ...lines, 'exit 0'], {
    mayBeCut: true,
    reads: true,
  });
}

/** Prints `MemAvailable: 217088 kB` and the like; nothing where there is no such file. */
const MEMORY_LINE = "grep -E '^Mem(Total|Available):' /proc/meminfo 2>/dev/null | head -n 2";

/**
 * Prints a heading where the sockets can be read, and `listening ADDRESS:PORT` as the kernel writes them (proc_net_tcp: state 0A
 * listens), without 127.0.0.11, at which Docker itself answers DNS.
 */
function listeningLine(id: string, pid: number): string {
  const program = '$4 == "0A" && $2 !~ /^0B00007F:/ { print "listening", $2 }';
  const files = `/proc/${pid}/net/tcp /proc/${pid}/net/tcp6`;
  const isReadable = `head -c 1 /proc/${pid}/net/tcp >/dev/null 2>&1`;
  return `if ${isReadable}; then echo '=== ${id}'; cat ${files} 2>/dev/null | awk '${program}' | head -n ${MOST_LISTENERS}; fi`;
}

/** Of one container. */
const MOST_LISTENERS = 100;

const LOG_LINES = 50;

const LINE_LENGTH = 500;

/** A disk this full, in percent, is reported as a possible cause. */
const NEARLY_FULL = 85;

/** A crash loop is inspected up to ten times, to see it between two starts. */
const MAX_INSPECTIONS = 10;

const INSPECT_EVERY_MS = 300;

/** Where the containers show no cause, it is the failure's own sentence. */
export async function collectEvidence(member: Member, run: StepContext): Promise<StepResult> {
  const now = await inspectBetweenStarts(member, run);
  const verdict = judgeHealth(member.services, member.containers, now);
  const sick = member.containers.filter(isSick);
  const shown = sick.length > 0 ? sick : member.containers;
  const { stdout } = await member.connection.run(findingsCommand(run.settings.app, shown));
  const { logs, listening, memory } = splitFindings(stdout);
  const evidence: Evidence = {
    cause:
      verdict.kind === 'failed' ? verdict.cause : (causeOf(member.containers) ?? run.failure?.message ?? 'unknown'),
    containers: shown.map((container) => ({
      service: container.service,
      state: container.state,
      health: container.health,
      exitCode: container.state === 'running' ? undefined : container.exitCode,
      oomKilled: container.oomKilled || undefined,
      restarts: container.restarts,
      healthOutput: container.healthOutput ? [container.healthOutput] : undefined,
      log: logs.get(container.id) ?? [],
    })),
    disk: diskOf(member),
    resources: resourcesOf(member, memory),
    diagnosis: diagnose({
      droplet: member.host.name,
      login: loginTo(member),
      code: run.failure?.code ?? '',
      failure: run.failure?.message ?? '',
      checkedPort:
        run.failure?.code === 'app-check-failed' ? run.settings.rollout.healthHttp?.port : run.target.healthCheck?.port,
      containers: bySuspicion(shown).map((one) => ({
        ...one,
        log: logs.get(one.id) ?? [],
        listening: listening.get(one.id),
      })),
    }),
  };
  return { evidence };
}

/** The one that failed first explains the others. */
function bySuspicion(containers: readonly ContainerView[]): ContainerView[] {
  return [...containers].sort((a, b) => Number(isSick(b)) - Number(isSick(a)) || a.startedAt - b.startedAt);
}

/** Docker forgets a container's exit code, and that it ran out of memory, when it starts the container again. */
async function inspectBetweenStarts(member: Member, run: StepContext): Promise<number> {
  for (let inspection = 1; ; inspection += 1) {
    const now = await loadContainers(member, run.settings.app);
    const looping = member.containers.some((one) => one.state === 'running' && one.restarts > 0);
    const ended = member.containers.some((one) => one.state !== 'running' && isSick(one));
    if (!looping || ended || inspection === MAX_INSPECTIONS) return now;
    await run.ports.clock.sleep(INSPECT_EVERY_MS, run.signal);
  }
}

function diskOf({ survey: { diskUsed } }: Member): string | undefined {
  const isFull = diskUsed !== undefined && Number.parseInt(diskUsed, 10) >= NEARLY_FULL;
  return isFull ? `${diskUsed} of Docker's disk used when the deploy began` : undefined;
}

/** Facts for whoever looks for a cause that no rule knows. */
function resourcesOf({ survey }: Member, { total, available }: Memory): string[] | undefined {
  const { diskUsed, diskFreeBytes } = survey;
  const used = diskUsed === undefined || !/^\d+%$/.test(diskUsed) ? [] : [`${diskUsed} of Docker's disk used`];
  const free = diskFreeBytes === undefined ? [] : [`${sizeText(diskFreeBytes)} free`];
  const disk = [...used, ...free].join(', ');
  const isKnown = total !== undefined && available !== undefined;
  const facts = [
    ...(disk === '' ? [] : [`${disk}, when the deploy began`]),
    ...(isKnown ? [`${sizeText(available)} of ${sizeText(total)} of memory available`] : []),
  ];
  return facts.length > 0 ? facts : undefined;
}

/** In bytes. */
interface Memory {
  total?: number;
  available?: number;
}

interface Said {
  memory: Memory;
  logs: Map<string, string[]>;
  /** Absent: not readable. */
  listening: Map<string, Listener[]>;
}

function splitFindings(stdout: string): Said {
  const said: Said = { memory: {}, logs: new Map(), listening: new Map() };
  // What a container has said comes later, and cannot pass for it.
  let take = memoryInto(said.memory);
  for (const line of stdout.split('\n')) {
    const [, kind, id] = /^(---|===) ([0-9a-f]{12,64})$/.exec(line) ?? [];
    if (id !== undefined) take = kind === '---' ? logInto(said.logs, id) : listenersInto(said.listening, id);
    else if (line.trim() !== '') take(line);
  }
  return said;
}

function memoryInto(memory: Memory): (line: string) => void {
  return (line) => {
    const [, name, kilobytes] = /^Mem(Total|Available): +(\d{1,12}) kB$/.exec(line) ?? [];
    if (name !== undefined) memory[name === 'Total' ? 'total' : 'available'] = Number(kilobytes) * 1024;
  };
}

function logInto(logs: Said['logs'], id: string): (line: string) => void {
  const lines: string[] = [];
  logs.set(id, lines);
  return (line) => {
    // The timestamp was for sorting.
    lines.push(line.replace(/^\d{4}-\d\d-\d\dT\S+ ?/, '').slice(0, LINE_LENGTH));
    if (lines.length > LOG_LINES) lines.shift();
  };
}

function listenersInto(listening: Said['listening'], id: string): (line: string) => void {
  const found: Listener[] = [];
  listening.set(id, found);
  return (line) => {
    const [, address = '', port = ''] = /^listening ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(line) ?? [];
    if (address === '') return;
    found.push({
      port: Number.parseInt(port, 16),
      loopback: isLoopback(address),
      family: address.length === 8 ? 4 : 6,
    });
  };
}

/** Addresses are printed as the numbers that their bytes are in memory, on a little-endian machine. */
function isLoopback(address: string): boolean {
  return /^[0-9A-F]{6}7F$/.test(address) || address === '00000000000000000000000001000000';
}
