/** The survey of a droplet: tools, disk, do-deploy's own files and running containers, in one round trip. */
import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { BEGIN_SECTIONS, beginSection, readSections } from '../core/sections.js';
import { appFolder, command } from '../core/shell.js';
import { readChecksums } from '../release/digests.js';
import { type StoredRelease, storedRelease } from '../release/stored-release.js';
import { type ContainersSeen, containersScript, parseContainers, readClock } from './containers-command.js';
import { checkHome } from './home-check.js';

/** state.json: the release that the containers run or are being switched to. Written before they change. */
export const dropletState = z.object({
  release: z.string(),
  /** `switching` until the gates have passed. */
  phase: z.enum(['switching', 'verified']),
  /** The release that it ran, verified, before. */
  previous: z.string().optional(),
  /** While switching: the release that it ran, verified, before `previous`, in case it is reverted to `previous`. */
  earlier: z.string().optional(),
  /** Releases that it holds and whose gates have passed on it; older versions of do-deploy do not write it. */
  proven: z.array(z.string()).optional(),
  /** Services that `do-deploy stop` has stopped, and the release that this holds for: with another one, all start. */
  stopped: z.object({ release: z.string(), services: z.array(z.string()).max(100) }).optional(),
  run: z.string(),
  since: z.string(),
});

export type DropletStateFile = z.infer<typeof dropletState>;

/** out.json: which run took the droplet out of rotation, and when. */
const outMark = z.object({ since: z.string(), run: z.string(), who: z.string() });

export type OutMark = z.infer<typeof outMark>;

export interface Survey {
  home: string;
  /** What `checkHome` found wrong with the home folder. */
  unusable?: string;
  docker?: string;
  compose?: string;
  /** What Docker or compose printed instead of a version. */
  problems: string[];
  diskFreeBytes?: number;
  /** e.g. "92%" */
  diskUsed?: string;
  /** "project shop": what runs on a droplet without a release of the app, and was not started by do-deploy. */
  otherProjects?: string;
  /** Id of the release that the link `current` points to: the last verified one. */
  current?: string;
  releases: StoredRelease[];
  /** Another environment that the droplet runs the app for or holds releases of. */
  otherEnvironment?: string;
  state?: DropletStateFile;
  /** When state.json was written, by the droplet's clock, ms since the epoch, to the second. */
  stateWrittenAt?: number;
  out?: OutMark;
  /** Services that layers have stopped or signalled since the last release was confirmed, with the time they get to stop, in ms. */
  handled: Map<string, number | undefined>;
  /** SHA256SUMS of the current release: path → hash as deployed. */
  checksums: Map<string, string>;
  /** path → hash of its files as they are now, images.yml included; a missing file has no entry. */
  found: Map<string, string>;
  /** The droplet's clock, ms since the epoch, to the second. */
  clock?: number;
  containers?: ContainersSeen;
}

/** In the app's folder: services that layers have stopped or signalled, one per line, some with a time in seconds. */
export const HANDLED = 'handled';

export function handledLine(service: string, graceMs: number | undefined): string {
  return graceMs === undefined ? service : `${service} ${Math.ceil(graceMs / 1_000)}`;
}

/** Of several lines for a service, the last with a time counts. */
function readHandled(text: string): Survey['handled'] {
  const handled: Survey['handled'] = new Map();
  for (const [, service = '', seconds] of text.matchAll(/^(\S+)(?: (\d{1,6}))?$/gm)) {
    handled.set(service, seconds === undefined ? handled.get(service) : Number(seconds) * 1_000);
  }
  return handled;
}

const MAX_HANDLED_BYTES = 100_000;

/** Twice the checksums of a release with 100,000 files. */
const MAX_SURVEY_BYTES = 32 * 1024 * 1024;

/** Of those that do-deploy did not start. */
const MAX_PROJECTS_NAMED = 5;

/** Prints what differs between SHA256SUMS (the first file) and the current hashes: lines now there, and `- ` lines gone. */
const DIFFERENCES =
  'awk \'NR == FNR { want[$0]; next } $0 in want { delete want[$0]; next } { print } END { for (line in want) print "- " line }\'';

/**
 * The answer is in sections.
 * @param prepare also creates the app's folder, mode 0700
 * @param shared with `prepare`: what the releases have in common, which is checked
 */
export function surveyCommand(app: string, prepare: boolean, shared: readonly string[] = []): RemoteCommand {
  return command(
    'survey',
    { app, prepare },
    [
      'set -u',
      'umask 077',
      ...BEGIN_SECTIONS,
      ...(prepare ? [beginSection('unusable'), ...checkHome(app, shared)] : []),
      beginSection('home'),
      'echo "$HOME"',
      beginSection('clock'),
      'date +%s',
      beginSection('docker'),
      'docker version --format \'{{.Server.Version}}\' 2>&1 || echo "failed $?"',
      beginSection('compose'),
      'docker compose version --short 2>&1 || echo "failed $?"',
      `seen=$(cd ${appFolder(app)} 2>/dev/null || exit 0; ${containersScript(app).join('; ')})`,
      beginSection('disk'),
      // Docker's data folder, from a container's paths: `docker info` takes longer.
      `root=$(printf '%s\\n' "$seen" | sed -n 's|.*"ResolvConfPath": "\\(/.*\\)/containers/.*|\\1|p' | head -n 1)`,
      '[ -n "$root" ] || root=$(docker info --format \'{{.DockerRootDir}}\' 2>/dev/null || echo /)',
      'df -Pk "$root" 2>/dev/null | tail -n 1',
      beginSection('projects'),
      `[ -e ${appFolder(app)}/current ] || ${otherProjects()}`,
      `cd ${appFolder(app)} 2>/dev/null || exit 0`,
      beginSection('current'),
      'readlink current 2>/dev/null',
      beginSection('releases'),
      'for file in releases/*/release.json; do if [ -f "$file" ]; then cat "$file"; echo; fi; done',
      beginSection('state'),
      'cat state.json 2>/dev/null',
      beginSection('state-written'),
      'date -r state.json +%s 2>/dev/null',
      beginSection('out'),
      'cat out.json 2>/dev/null',
      beginSection('handled'),
      `head -c ${MAX_HANDLED_BYTES} ${HANDLED} 2>/dev/null`,
      beginSection('checksums'),
      'cat current/SHA256SUMS 2>/dev/null',
      beginSection('found'),
      "(cd current 2>/dev/null && sed 's/^[0-9a-f]* [ *]//' SHA256SUMS 2>/dev/null | tr '\\n' '\\0' | xargs -0 sha256sum -- images.yml 2>/dev/null" +
        ` | ${DIFFERENCES} SHA256SUMS -)`,
      beginSection('containers'),
      'printf \'%s\\n\' "$seen"',
      'exit 0',
    ],
    { timeoutMs: 60_000, maxBytes: MAX_SURVEY_BYTES, ...(!prepare && { reads: true }) },
  );
}

/** Prints the compose projects that run and are no app of do-deploy's, one per line. */
function otherProjects(): string {
  const label = String.raw`s/^ *"com\.docker\.compose\.project": "\([A-Za-z0-9_-]*\)",\{0,1\}$/\1/p`;
  const inspect = `docker inspect $ids 2>/dev/null | sed -n '${label}' | sort -u`;
  const foreign = 'while read -r project; do [ -d "$HOME/do-deploy/$project" ] || echo "$project"; done';
  return `{ ids=$(docker ps -q --no-trunc 2>/dev/null); [ -z "$ids" ] || ${inspect} | ${foreign}; }`;
}

/** "project shop" or "projects blog, shop", where the app has no release. */
function projectsIn(text: string): string | undefined {
  const names = text.split('\n').filter(Boolean).slice(0, MAX_PROJECTS_NAMED);
  if (names.length === 0) return undefined;
  return `${names.length === 1 ? 'project' : 'projects'} ${names.join(', ')}`;
}

export function readSurvey(stdout: string): Survey {
  const sections = readSections(stdout);
  const text = (name: string) => sections.get(name) ?? '';
  const problems: string[] = [];
  const version = (name: string) => {
    const output = text(name);
    const failed = /failed \d+$/.exec(output);
    if (/^v?\d/.test(output) && failed === null) return output.replace(/^v/, '');
    problems.push(output.slice(0, failed?.index).trimEnd() || `${name} did not answer`);
    return undefined;
  };
  const docker = version('docker');
  const compose = version('compose');
  const disk = text('disk').split(/\s+/);
  const freeKilobytes = Number(disk[3]);
  const checksums = readChecksums(text('checksums'));
  return {
    home: text('home'),
    unusable: text('unusable') || undefined,
    docker,
    compose,
    problems,
    diskFreeBytes: Number.isFinite(freeKilobytes) && disk.length >= 5 ? freeKilobytes * 1024 : undefined,
    diskUsed: disk[4],
    otherProjects: projectsIn(text('projects')),
    current: text('current').replace(/^.*\//, '') || undefined,
    releases: text('releases')
      .split('\n')
      .flatMap((line) => parseLine(storedRelease, line) ?? []),
    state: parseLine(dropletState, text('state')),
    stateWrittenAt: readClock(text('state-written')),
    out: parseLine(outMark, text('out')),
    handled: readHandled(text('handled')),
    checksums,
    found: readFound(checksums, text('found')),
    clock: readClock(text('clock')),
    // When Docker does not answer, the section holds only the clock.
    containers: docker && text('containers').startsWith('now ') ? parseContainers(text('containers')) : undefined,
  };
}

/** @param differences what `DIFFERENCES` printed */
function readFound(checksums: ReadonlyMap<string, string>, differences: string): Map<string, string> {
  const lines = differences.split('\n');
  const gone = readChecksums(lines.flatMap((line) => (line.startsWith('- ') ? [line.slice(2)] : [])).join('\n'));
  const unchanged = [...checksums].filter(([path]) => !gone.has(path));
  return new Map([...unchanged, ...readChecksums(differences)]);
}

/**
 * The survey without the releases of the app's other environments. A droplet that was created from a snapshot of
 * another environment's droplet has them.
 */
export function ownPart(survey: Survey, environment: string): Survey {
  const others = survey.releases.filter((release) => release.environment !== environment);
  const [first] = others;
  if (first === undefined) return survey;
  const { current, state } = survey;
  const releases = survey.releases.filter((release) => release.environment === environment);
  const running = others.find((release) => release.id === current);
  const own = { ...survey, releases, otherEnvironment: (running ?? first).environment };
  if (running === undefined) return others.some(({ id }) => id === state?.release) ? { ...own, state: undefined } : own;
  return { ...own, current: undefined, state: undefined, checksums: new Map(), found: new Map() };
}

/** Undefined for a missing or half-written file, which must not prevent a repair. */
function parseLine<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
