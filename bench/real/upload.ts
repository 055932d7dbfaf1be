/**
 * Benchmark 5: a release of 1,000 files, 50 MB, to one real droplet over the same sshd, compared with `rsync -az` and
 * `scp -r`. do-deploy's time includes hashing the files, connecting, and the upload step, which also completes the new
 * release's folder and verifies the transfer by SHA-256. That step ends with `docker compose config`, which the others do not
 * run: its time is shown separately and excluded from the ratios. The deploy is killed there: ext4 creates files slowly for
 * a minute after many were removed, which must not affect the next run.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { localFiles } from '../../src/adapters/local-files.js';
import { readFiles } from '../../src/deploy/release/draft.js';
import { step } from '../../test/e2e/lab/command.js';
import { Fleet } from '../../test/e2e/lab/fleet.js';
import { must } from '../../test/e2e/lab/processes.js';
import { compose } from './contestants.js';
import { median } from './median.js';

const FILES = 1_000;
const BYTES = 50_000;
const NEXT = 'v2';
/** Until removed files no longer slow down ext4. */
const FORGOTTEN_MS = 65_000;

const COMPOSE = 'compose config';

/** A change of the release, and the number of files that it changes. */
const CHANGES = [
  { name: 'unchanged', files: 0 },
  { name: 'one file changed', files: 1 },
  { name: 'all files changed', files: FILES },
];

export async function measureUpload({ rounds }: { rounds: number }): Promise<Record<string, string>[]> {
  const files = ['config/.env.common', 'config/.env.{environment}', 'config/nginx/', 'member/'];
  const fleet = await Fleet.start({ droplets: 1, settings: { files } });
  try {
    const member = new Member(join(fleet.project.folder, 'member'));
    await member.write();
    await fleet.deployFirst('v1');
    const ssh = await writeSshConfig(fleet);
    const programs = {
      'do-deploy': () => ours(fleet, member),
      'rsync -az': () =>
        theirs('rsync', ['-az', '--delete', '-e', `ssh -F ${ssh}`, `${member.folder}/`, 'web-1:rsync/']),
      'scp -r': () => theirs('scp', ['-q', '-r', '-F', ssh, member.folder, 'web-1:scp/']),
    };
    await must('ssh', ['-F', ssh, 'web-1', 'mkdir rsync scp']);
    const rows: Record<string, string>[] = [];
    for (const change of CHANGES) {
      const times = new Map([...Object.keys(programs), COMPOSE].map((name) => [name, [] as number[]]));
      for (let round = 0; round < rounds; round += 1) {
        await programs['rsync -az']();
        await member.change(change.files);
        await must('sync', []);
        if (change.files > 1) await setTimeout(FORGOTTEN_MS);
        for (const [name, upload] of Object.entries(programs)) times.get(name)?.push(await upload());
        times.get(COMPOSE)?.push(await composeAlone(ssh));
        await member.restore();
      }
      rows.push(rowOf(change.name, times));
    }
    return rows;
  } finally {
    await fleet.stop();
  }
}

class Member {
  readonly #contents = new Map<string, string>();

  constructor(readonly folder: string) {}

  get paths(): string[] {
    return [...this.#contents.keys()];
  }

  /** Random letters: gzip saves a quarter. */
  async write(): Promise<void> {
    for (let index = 0; index < FILES; index += 1) {
      const path = join(this.folder, `part-${index % 20}`, `page-${index}.html`);
      this.#contents.set(path, letters());
    }
    for (let part = 0; part < 20; part += 1) await mkdir(join(this.folder, `part-${part}`), { recursive: true });
    await this.restore();
  }

  async change(count: number): Promise<void> {
    for (const path of this.paths.slice(0, count)) await writeFile(path, letters());
  }

  /** Keeps the modification times, so that rsync sees the same files. */
  async restore(): Promise<void> {
    const time = new Date('2026-01-01T00:00:00Z');
    for (const [path, content] of this.#contents) {
      if ((await readFile(path, 'utf8').catch(() => '')) !== content) await writeFile(path, content);
      await utimes(path, time, time);
    }
  }
}

function letters(): string {
  return randomBytes((BYTES / 4) * 3).toString('base64');
}

async function ours(fleet: Fleet, member: Member): Promise<number> {
  const began = performance.now();
  await readFiles(
    member.paths.map((path) => ({ localPath: path, path, mode: 0o644 })),
    localFiles,
  );
  const reading = performance.now() - began;
  const deploy = fleet.startDeploy(NEXT, '--allow-downtime', '--verbose', '--wait-lock', '1m');
  await deploy.event(step('step-finished', 'web-1', 'upload'));
  deploy.child.kill('SIGKILL');
  await deploy.ended;
  const ms = (name: string) =>
    deploy.events.flatMap((event) => (event.type === 'step-finished' && event.step === name ? [event.ms] : []))[0];
  const [connect, upload] = [ms('connect'), ms('upload')];
  if (connect === undefined || upload === undefined) throw new Error('the deploy did not tell how long it took');
  const remote = deploy.events.flatMap((event) =>
    event.type === 'trace' && /: (upload|run unpack)/.test(event.what)
      ? [`${event.what.slice(11, 30)} ${event.ms}`]
      : [],
  );
  const parts = [`reading ${Math.round(reading)}`, `connecting ${connect}`, `upload step ${upload}`, ...remote];
  process.stderr.write(`do-deploy, ms: ${parts.join(', ')}\n`);
  return reading + connect + upload;
}

/** How long compose alone takes to read the running release. */
async function composeAlone(ssh: string): Promise<number> {
  const config = `${compose('v1', '~/do-deploy/shop/current')} config --format json >/dev/null`;
  const script = `began=$(date +%s%N) && ${config} && echo $(( ($(date +%s%N) - began) / 1000000 ))`;
  return Number(await must('ssh', ['-F', ssh, 'web-1', script]));
}

async function theirs(program: string, args: string[]): Promise<number> {
  const began = performance.now();
  await must(program, args);
  return performance.now() - began;
}

/** A new connection each time, like do-deploy. */
async function writeSshConfig(fleet: Fleet): Promise<string> {
  const path = join(fleet.folder, 'ssh_config.upload');
  const lines = [
    'Host web-1',
    `  HostName ${fleet.machine('web-1').publicAddress}`,
    '  User root',
    `  IdentityFile ${join(fleet.folder, 'id_ed25519')}`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile ${fleet.knownHosts}`,
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

function rowOf(change: string, times: ReadonlyMap<string, readonly number[]>): Record<string, string> {
  const own = median(times.get('do-deploy') ?? []) - median(times.get(COMPOSE) ?? []);
  const row: Record<string, string> = { [`${FILES} files, ${(FILES * BYTES) / 1e6} MB`]: change };
  for (const [name, values] of times) row[`${name} ms`] = String(Math.round(median(values)));
  for (const name of ['rsync -az', 'scp -r'])
    row[`without it ÷ ${name}`] = (own / median(times.get(name) ?? [])).toFixed(2);
  return row;
}
