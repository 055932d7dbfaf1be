/** The first look at a droplet: tools, disk, what do-deploy keeps there, what runs. One round trip. */
import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { appFolder, command } from '../core/shell.js';
import { readChecksums } from '../release/digests.js';
import { type StoredRelease, storedRelease } from '../release/stored-release.js';
import { type ContainersSeen, containersScript, parseContainers } from './containers-command.js';
/** state.json: what the droplet's containers are, or were about to become. Written before they change. */
export const dropletState = z.object({
  release: z.string(),
  /** `switching` until the gates have passed. */
  phase: z.enum(['switching', 'verified']),
  /** The release it ran, verified, before. */
  previous: z.string().optional(),
  /** While switching: the release that it ran, verified, before `previous`, should it go back to that one. */
  earlier: z.string().optional(),
  /** Releases that it holds and whose gates have passed on it; absent from an older version of do-deploy. */
  proven: z.array(z.string()).optional(),
  run: z.string(),
  since: z.string(),
});

export type DropletStateFile = z.infer<typeof dropletState>;

/** out.json: since when, and by which run, the droplet is out of rotation. */
export const outMark = z.object({ since: z.string(), run: z.string(), who: z.string() });

export type OutMark = z.infer<typeof outMark>;

export interface Survey {
  home: string;
  docker?: string;
  compose?: string;
  /** What Docker or compose said instead of a version. */
  problems: string[];
  diskFreeBytes?: number;
  /** e.g. "92%" */
  diskUsed?: string;
  /** The release that `current` points to: the last verified one. */
  current?: string;
  releases: StoredRelease[];
  /** Another environment that the droplet runs the app for, or has releases of. */
  otherEnvironment?: string;
  state?: DropletStateFile;
  out?: OutMark;
  /** SHA256SUMS of the current release: by path, the hash that was deployed. */
  checksums: Map<string, string>;
  /** The hashes that its files have now, images.yml among them; a file that is gone is not there. */
  found: Map<string, string>;
  /** The droplet's clock, ms since the epoch, to the second. */
  clock?: number;
  containers?: ContainersSeen;
}

const MARK = '--- do-deploy:';

/** @param prepare also makes the app's folder, 0700 */
export function surveyCommand(app: string, prepare: boolean): RemoteCommand {
  const section = (name: string) => `echo '${MARK}${name}'`;
  return command(
    'survey',
    { app, prepare },
    [
      'set -u',
      'umask 077',
      prepare ? `mkdir -p ${appFolder(app)}/releases` : undefined,
      section('home'),
      'echo "$HOME"',
      section('clock'),
      'date +%s',
      section('docker'),
      'docker version --format \'{{.Server.Version}}\' 2>&1 || echo "failed $?"',
      section('compose'),
      'docker compose version --short 2>&1 || echo "failed $?"',
      `seen=$(cd ${appFolder(app)} 2>/dev/null || exit 0; ${containersScript(app).join('; ')})`,
      section('disk'),
      // Its containers tell where Docker keeps its data. Docker itself takes longer to say so.
      `root=$(printf '%s\\n' "$seen" | sed -n 's|.*"ResolvConfPath": "\\(/.*\\)/containers/.*|\\1|p' | head -n 1)`,
      '[ -n "$root" ] || root=$(docker info --format \'{{.DockerRootDir}}\' 2>/dev/null || echo /)',
      'df -Pk "$root" 2>/dev/null | tail -n 1',
      `cd ${appFolder(app)} 2>/dev/null || exit 0`,
      section('current'),
      'readlink current 2>/dev/null',
      section('releases'),
      'for file in releases/*/release.json; do if [ -f "$file" ]; then cat "$file"; echo; fi; done',
      section('state'),
      'cat state.json 2>/dev/null',
      section('out'),
      'cat out.json 2>/dev/null',
      section('checksums'),
      'cat current/SHA256SUMS 2>/dev/null',
      section('found'),
      "(cd current 2>/dev/null && sed 's/^[0-9a-f]* [ *]//' SHA256SUMS 2>/dev/null | xargs sha256sum images.yml 2>/dev/null)",
      section('containers'),
      'printf \'%s\\n\' "$seen"',
      'exit 0',
    ],
    { timeoutMs: 60_000 },
  );
}

export function readSurvey(stdout: string): Survey {
  const sections = new Map<string, string>();
  for (const part of stdout.split(MARK).slice(1)) {
    const end = part.indexOf('\n');
    sections.set(part.slice(0, end), part.slice(end + 1).trim());
  }
  const text = (name: string) => sections.get(name) ?? '';
  const problems: string[] = [];
  const version = (name: string) => {
    const said = text(name);
    if (/^v?\d/.test(said) && !/failed \d+$/.test(said)) return said.replace(/^v/, '');
    problems.push(said.replace(/\s*failed \d+$/, '') || `${name} gave no answer`);
    return undefined;
  };
  const docker = version('docker');
  const compose = version('compose');
  const disk = text('disk').split(/\s+/);
  const freeKilobytes = Number(disk[3]);
  const clock = Number(text('clock') || Number.NaN) * 1_000;
  const current = text('current').replace(/^.*\//, '');
  const state = parseLine(dropletState, text('state'));
  const out = parseLine(outMark, text('out'));
  return {
    home: text('home'),
    ...(docker && { docker }),
    ...(compose && { compose }),
    problems,
    ...(Number.isFinite(freeKilobytes) && disk.length >= 5 && { diskFreeBytes: freeKilobytes * 1024 }),
    ...(disk[4] && { diskUsed: disk[4] }),
    ...(current && { current }),
    releases: text('releases')
      .split('\n')
      .flatMap((line) => parseLine(storedRelease, line) ?? []),
    ...(state && { state }),
    ...(out && { out }),
    checksums: readChecksums(text('checksums')),
    found: readChecksums(text('found')),
    ...(Number.isFinite(clock) && { clock }),
    // Without Docker there is only the clock.
    ...(docker && text('containers').startsWith('now ') && { containers: parseContainers(text('containers')) }),
  };
}

/**
 * The survey without the releases of another environment of the app, whatever it ran last of them: a droplet that was
 * made from another one's image has these.
 */
export function ownPart(survey: Survey, environment: string): Survey {
  const others = survey.releases.filter((release) => release.environment !== environment);
  const [first] = others;
  if (first === undefined) return survey;
  const { current, state, ...rest } = survey;
  const isOther = (id: string | undefined) => others.some((release) => release.id === id);
  const releases = survey.releases.filter((release) => release.environment === environment);
  const running = others.find((release) => release.id === current);
  const known = { ...rest, releases, otherEnvironment: (running ?? first).environment };
  if (running !== undefined) return { ...known, checksums: new Map(), found: new Map() };
  return { ...known, ...(current && { current }), ...(state && !isOther(state.release) && { state }) };
}

/** Undefined for what is not there or not (whole) JSON: a half-written file must not stop a repair. */
function parseLine<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
