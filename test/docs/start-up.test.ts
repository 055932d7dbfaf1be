/** Runs scripts/start-up.sh as on a droplet, with a `docker` that records its calls. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NOT_HOLDER } from '../../src/deploy/lease/lease-commands.js';
import { readRoot } from './markdown.js';

const SCRIPT = 'scripts/start-up.sh';
const PASSWORD = `it's "$HOME" \`id\``;
const VARIABLES = {
  APP: 'shop',
  DEPLOY_ENV: 'production',
  IMAGE_TAG: 'v2',
  COMPOSE_FILES: 'compose/docker-compose.yml images.yml',
  ENV_FILES: 'config/.env.common config/.env.production',
};
const COMPOSE =
  'compose --project-name shop -f compose/docker-compose.yml -f images.yml --env-file config/.env.common --env-file config/.env.production';

/** Appends its arguments to calls, its environment to env, and a login's standard input to stdin; fails on request. */
const DOCKER = `#!/bin/sh
printf '%s\\n' "$*" >>"$LAB/calls"
env >>"$LAB/env"
if [ "$1" = login ]; then
  cat >>"$LAB/stdin"
  echo '{"auths":{}}' >"$DOCKER_CONFIG/config.json"
  ls -A "$DOCKER_CONFIG" >"$LAB/docker-config"
  if [ -e "$LAB/refuse-login" ]; then echo 'unauthorized: incorrect username or password' >&2; exit 1; fi
fi
if [ "$1" = compose ] && [ -e "$LAB/fail" ]; then echo 'no space left on device' >&2; exit 18; fi
if [ "$1" = compose ] && [ -e "$LAB/conflict" ]; then
  echo 'Error response from daemon: Conflict. The container name "/shop-app-1" is already in use by container "0123".' >&2
  exit 1
fi
if [ "$1" = ps ] && [ -e "$LAB/in-use" ]; then echo 0123456789ab; fi
if [ "$1 $2" = 'image inspect' ] && [ -e "$LAB/names" ]; then cat "$LAB/names"; fi
if [ "$1 $2" = 'image ls' ] && [ -e "$LAB/images" ]; then cat "$LAB/images"; fi
if [ "$1 $2" = 'image rm' ] && [ -e "$LAB/refuse-rm" ]; then exit 1; fi
exit 0
`;

let lab: string;
/** The app's releases on the droplet; one is in use. */
let releases: string;
const CURRENT = '20261121T074500Z-v2';
beforeEach(() => {
  lab = mkdtempSync(join(tmpdir(), 'do-deploy-start-up-'));
  releases = join(lab, 'home/do-deploy/shop/releases');
  mkdirSync(join(releases, CURRENT, 'scripts'), { recursive: true });
  for (const folder of ['bin', 'tmp']) mkdirSync(join(lab, folder));
  writeFileSync(join(releases, CURRENT, SCRIPT), readRoot(SCRIPT));
  writeFileSync(join(lab, 'bin/docker'), DOCKER);
  chmodSync(join(lab, 'bin/docker'), 0o755);
});
afterEach(() => rmSync(lab, { recursive: true, force: true }));

function run(args: string[], options: { input?: string; env?: Record<string, string> } = {}) {
  const { status, stdout, stderr } = spawnSync('sh', [join(releases, CURRENT, SCRIPT), ...args], {
    cwd: '/',
    encoding: 'utf8',
    input: options.input ?? '',
    env: {
      PATH: `${join(lab, 'bin')}:/usr/bin:/bin`,
      HOME: join(lab, 'home'),
      TMPDIR: join(lab, 'tmp'),
      LAB: lab,
      ...VARIABLES,
      ...options.env,
    },
  });
  return { status, stdout, stderr };
}

const lines = (name: string) =>
  existsSync(join(lab, name)) ? readFileSync(join(lab, name), 'utf8').split('\n').filter(Boolean) : [];
const REGISTRY = { REGISTRY_SERVER: 'ghcr.io', REGISTRY_USERNAME: 'me' };

describe('start-up.sh pull', () => {
  it('pulls the images of all compose files, without a login if there is no registry', () => {
    expect(run(['pull'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(lines('calls')).toEqual([`${COMPOSE} pull --quiet`]);
  });

  it('needs no env files', () => {
    expect(run(['pull'], { env: { ENV_FILES: '' } }).status).toBe(0);
    expect(lines('calls')).toEqual([
      'compose --project-name shop -f compose/docker-compose.yml -f images.yml pull --quiet',
    ]);
  });

  it('logs in with the password from standard input, in a Docker configuration that it removes afterwards', () => {
    expect(run(['pull'], { input: `${PASSWORD}\n`, env: REGISTRY })).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(lines('calls')).toEqual(['login --username me --password-stdin ghcr.io', `${COMPOSE} pull --quiet`]);
    expect(lines('stdin')).toEqual([PASSWORD]);
    for (const name of ['calls', 'env']) expect(lines(name).join('\n')).not.toContain(PASSWORD);
    const used = new Set(lines('env').filter((line) => line.startsWith('DOCKER_CONFIG=')));
    expect([...used], 'one for both calls').toHaveLength(1);
    expect(readdirSync(join(lab, 'tmp'))).toEqual([]);
    expect(readdirSync(join(lab, 'home')), 'the own configuration is untouched').toEqual(['do-deploy']);
  });

  it('keeps the password in memory where that is possible, and removes what a killed run left an hour ago', () => {
    const [old, recent] = ['do-deploy-login.old', 'do-deploy-login.recent'].map((name) => join(lab, 'tmp', name));
    for (const folder of [old, recent]) {
      mkdirSync(folder ?? '');
      writeFileSync(join(folder ?? '', 'config.json'), PASSWORD);
    }
    const then = Date.now() / 1_000 - 61 * 60;
    utimesSync(old ?? '', then, then);
    expect(run(['pull'], { input: PASSWORD, env: REGISTRY }).status).toBe(0);
    expect(readdirSync(join(lab, 'tmp'))).toEqual(['do-deploy-login.recent']);
    const place = existsSync('/dev/shm') ? '/dev/shm' : join(lab, 'tmp');
    const used = lines('env').find((line) => line.startsWith('DOCKER_CONFIG='));
    expect(used?.startsWith(`DOCKER_CONFIG=${place}/do-deploy-login.`), used).toBe(true);
    expect(existsSync(used?.slice('DOCKER_CONFIG='.length) ?? '')).toBe(false);
  });

  it('finds the plugins of the usual configuration', () => {
    mkdirSync(join(lab, 'home/.docker/cli-plugins'), { recursive: true });
    expect(run(['pull'], { env: REGISTRY }).status).toBe(0);
    expect(lines('docker-config')).toContain('cli-plugins');
    expect(existsSync(join(lab, 'home/.docker/cli-plugins')), 'removes only the link to them').toBe(true);
  });

  it.each([
    ['refuse-login', 77, 'unauthorized: incorrect username or password\n'],
    ['fail', 18, 'no space left on device\n'],
  ])('passes on a failure (%s) and leaves no credential', (fault, status, stderr) => {
    writeFileSync(join(lab, fault), '');
    expect(run(['pull'], { input: PASSWORD, env: REGISTRY })).toEqual({ status, stdout: '', stderr });
    expect(readdirSync(join(lab, 'tmp'))).toEqual([]);
  });
});

describe('start-up.sh build', () => {
  it('builds what has a build context; `pull unbuilt` pulls the rest', () => {
    expect(run(['pull', 'unbuilt'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(run(['build'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(lines('calls')).toEqual([`${COMPOSE} pull --quiet --ignore-buildable`, `${COMPOSE} build`]);
    expect(run(['pull', '--all'])).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("'--all' (expected: unbuilt)"),
    });
  });

  it('logs in like pull, for private base images', () => {
    expect(run(['build'], { input: `${PASSWORD}\n`, env: REGISTRY }).status).toBe(0);
    expect(lines('calls')).toEqual(['login --username me --password-stdin ghcr.io', `${COMPOSE} build`]);
    expect(lines('stdin')).toEqual([PASSWORD]);
    expect(readdirSync(join(lab, 'tmp'))).toEqual([]);
  });

  it('passes on a failure', () => {
    writeFileSync(join(lab, 'fail'), '');
    expect(run(['build'])).toMatchObject({ status: 18, stderr: 'no space left on device\n' });
  });
});

describe('start-up.sh up', () => {
  const LEFTOVERS =
    'ps -aq --filter label=com.docker.compose.project=shop --filter name=^/?[0-9a-f]{12}_ --filter status=created --filter status=exited --filter status=dead';

  it('starts what is here and builds, pulls and keeps nothing else', () => {
    expect(run(['up'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(lines('calls')).toEqual([LEFTOVERS, `${COMPOSE} up --detach --no-build --pull never --remove-orphans`]);
    expect(lines('env')).toEqual(expect.arrayContaining(['DEPLOY_ENV=production', 'IMAGE_TAG=v2']));
    expect(lines('env').filter((line) => line.startsWith('COMPOSE_PROFILES'))).toEqual([]);
  });

  it('turns on the profiles that it is given', () => {
    expect(run(['up'], { env: { COMPOSE_PROFILES: 'web,worker' } })).toMatchObject({ status: 0 });
    expect(lines('env')).toContain('COMPOSE_PROFILES=web,worker');
  });

  it('with `again` also replaces what has not changed', () => {
    expect(run(['up', 'again']).status).toBe(0);
    expect(lines('calls')).toEqual([
      LEFTOVERS,
      `${COMPOSE} up --detach --no-build --pull never --remove-orphans --force-recreate`,
    ]);
    expect(run(['up', '--build'])).toMatchObject({
      status: 64,
      stderr: "start-up.sh up: unexpected argument '--build' (expected: again or only)\n",
    });
  });

  it('with `only` leaves all other services as they are', () => {
    expect(run(['up', 'only', 'web', 'web2']).status).toBe(0);
    expect(run(['up', 'again', 'only', 'web']).status).toBe(0);
    expect(lines('calls').filter((call) => call.includes(' up '))).toEqual([
      `${COMPOSE} up --detach --no-build --pull never --no-deps web web2`,
      `${COMPOSE} up --detach --no-build --pull never --no-deps --force-recreate web`,
    ]);
    expect(run(['up', 'only']).status).not.toBe(0);
  });

  it('passes on the exit code', () => {
    writeFileSync(join(lab, 'fail'), '');
    expect(run(['up']).status).toBe(18);
  });

  it('removes the containers that an interrupted `up` left behind', () => {
    writeFileSync(join(lab, 'in-use'), '');
    expect(run(['up']).status).toBe(0);
    expect(lines('calls').slice(0, 2)).toEqual([LEFTOVERS, 'rm 0123456789ab']);
  });

  it('tries once more if a name is still in use', () => {
    writeFileSync(join(lab, 'conflict'), '');
    const { status, stdout } = run(['up']);
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: expect.stringContaining('is already in use by container'),
    });
    expect(lines('calls').filter((call) => call.includes(' up '))).toHaveLength(2);
  });
});

describe('start-up.sh prune', () => {
  const OLD = '20261001T000000Z-v1';
  const IMAGE = `sha256:${'a'.repeat(64)}`;
  beforeEach(() => mkdirSync(join(releases, OLD)));
  const removed = () =>
    lines('calls').flatMap((call) => (call.startsWith('image rm ') ? call.slice('image rm '.length) : []));

  it('removes the given folders and images, and forces nothing', () => {
    expect(run(['prune', OLD, IMAGE])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(releases)).toEqual([CURRENT]);
    expect(removed()).toEqual([IMAGE]);
  });

  it('keeps a release that holds files which do-deploy did not put there, and removes the rest', () => {
    const [kept, other] = [join(releases, OLD), join(releases, '20261002T000000Z-v2')];
    for (const folder of [kept, other]) {
      mkdirSync(join(folder, 'config'), { recursive: true });
      writeFileSync(join(folder, 'config/.env'), '');
      for (const own of ['release.json', 'images.yml']) writeFileSync(join(folder, own), '{}');
      writeFileSync(join(folder, 'SHA256SUMS'), `${'0'.repeat(64)}  config/.env\n`);
    }
    mkdirSync(join(kept, 'data'));
    writeFileSync(join(kept, 'data/photo 1.jpg'), '');
    expect(run(['prune', OLD, '20261002T000000Z-v2'])).toEqual({
      status: 73,
      stdout: '',
      stderr: `releases/${OLD} was kept: do-deploy did not put data/photo 1.jpg there. Move it elsewhere, then remove the folder\n`,
    });
    expect(readdirSync(releases)).toEqual([OLD, CURRENT]);
  });

  it('removes files that `prepare:` has made, and keeps later ones', async () => {
    const folder = join(releases, OLD);
    writeFileSync(join(folder, 'made'), '');
    writeFileSync(join(folder, 'SHA256SUMS'), '');
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(folder, 'images.yml'), '');
    writeFileSync(join(folder, 'release.json'), '{"prepare":"scripts/prepare.sh"}');
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(folder, 'later'), '');
    expect(run(['prune', OLD])).toMatchObject({
      status: 73,
      stderr: expect.stringContaining('did not put later there'),
    });
    rmSync(join(folder, 'later'));
    expect(run(['prune', OLD]).status).toBe(0);
    expect(readdirSync(releases)).toEqual([CURRENT]);
  });

  it('leaves an image that a release of another app still needs', () => {
    const other = join(lab, 'home/do-deploy/blog/releases/20261101T000000Z-v7');
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'release.json'), JSON.stringify({ images: { app: { imageId: IMAGE } } }));
    expect(run(['prune', OLD, IMAGE]).status).toBe(0);
    expect(lines('calls')).toEqual([]);
  });

  it('removes nothing while another app is staged, and ignores a staging that died a day ago', () => {
    const staging = join(lab, 'home/do-deploy/blog/releases/20261124T000000Z-v8.partial');
    mkdirSync(staging, { recursive: true });
    mkdirSync(join(releases, '20261124T000000Z-own.partial'));
    expect(run(['prune', OLD, IMAGE])).toMatchObject({ status: 75, stdout: '' });
    expect(readdirSync(releases)).toContain(OLD);
    expect(lines('calls')).toEqual([]);
    const longAgo = new Date(Date.now() - 2 * 86_400_000);
    utimesSync(staging, longAgo, longAgo);
    expect(run(['prune', OLD, IMAGE]).status, 'its own staging has ended').toBe(0);
    expect(removed()).toEqual([IMAGE]);
  });

  it('removes every name of an image, and queries only its names', () => {
    writeFileSync(join(lab, 'names'), `shop:v1\nshop:latest\nshop@sha256:1\n\n`);
    expect(run(['prune', IMAGE])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(removed()).toEqual(['shop:v1', 'shop:latest', 'shop@sha256:1', IMAGE]);
    expect(lines('calls').slice(0, 2)).toEqual([
      `ps -aq --filter ancestor=${IMAGE}`,
      `image inspect --format {{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}} ${IMAGE}`,
    ]);
  });

  it('keeps an image that a container uses, with all its names', () => {
    writeFileSync(join(lab, 'in-use'), '');
    writeFileSync(join(lab, 'names'), 'shop:v1\nshop:latest\n');
    expect(run(['prune', IMAGE, OLD])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(releases)).toEqual([CURRENT]);
    expect(removed()).toEqual([]);
  });

  it('continues if Docker refuses', () => {
    writeFileSync(join(lab, 'refuse-rm'), '');
    expect(run(['prune', IMAGE, OLD])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(releases)).toEqual([CURRENT]);
  });

  it.each(['../../home', '/etc', '.', '..', '', 'a/b', '.hidden'])('refuses %j', (word) => {
    expect(run(['prune', word, OLD])).toMatchObject({ status: 64, stdout: '' });
    expect(readdirSync(releases)).toEqual([OLD, CURRENT]);
    expect(lines('calls')).toEqual([]);
  });
});

describe('start-up.sh sweep', () => {
  const ID = `sha256:${'a'.repeat(64)}`;
  const LISTED = `sha256:${'b'.repeat(64)}`;
  const OWN = `do-deploy-${'a'.repeat(12)}`;
  const REPOSITORY = 'ghcr.io/acme/shop';
  const list = (...names: [id: string, tag: string][]) =>
    writeFileSync(join(lab, 'images'), names.map((name) => `${name.join(' ')}\n`).join(''));
  const removed = () => lines('calls').flatMap((call) => (call.startsWith('image rm ') ? [call.slice(9)] : []));
  beforeEach(() => {
    list([ID, 'v9'], [ID, OWN], [LISTED, `do-deploy-${'b'.repeat(12)}`]);
    writeFileSync(join(releases, CURRENT, 'release.json'), JSON.stringify({ images: { app: { imageId: LISTED } } }));
  });

  it('removes what do-deploy named and no release lists, by its names in the repository only', () => {
    const names = [`${REPOSITORY}:v9`, `${REPOSITORY}:${OWN}`, `${REPOSITORY}@sha256:1`];
    writeFileSync(join(lab, 'names'), [...names, 'backup/shop:v9', `${REPOSITORY}-2:v9`, ''].join('\n'));
    expect(run(['sweep', REPOSITORY])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(removed()).toEqual(names);
    expect(lines('calls')[0]).toBe(`image ls --no-trunc --format {{.ID}} {{.Tag}} ${REPOSITORY}`);
  });

  it.each<[string, [id: string, tag: string]]>([
    ['has no name of do-deploy', [ID, 'v9']],
    ['has one that looks alike', [ID, `do-deploy-${'a'.repeat(11)}`]],
    ['has the name of another image', [ID, `do-deploy-${'c'.repeat(12)}`]],
    ['has no tag', [ID, '<none>']],
  ])('keeps an image that %s', (_, name) => {
    list(name);
    expect(run(['sweep', REPOSITORY]).status).toBe(0);
    expect(lines('calls')).toHaveLength(1);
  });

  it('keeps an image of a release of another app, and one that a container uses', () => {
    const other = join(lab, 'home/do-deploy/blog/releases/20261101T000000Z-v7');
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'release.json'), JSON.stringify({ images: { app: { imageId: ID } } }));
    expect(run(['sweep', REPOSITORY]).status).toBe(0);
    expect(lines('calls')).toHaveLength(1);
    rmSync(other, { recursive: true });
    writeFileSync(join(lab, 'in-use'), '');
    writeFileSync(join(lab, 'names'), `${REPOSITORY}:v9\n`);
    expect(run(['sweep', REPOSITORY]).status).toBe(0);
    expect(removed()).toEqual([]);
  });

  it('removes nothing while another app is staged', () => {
    mkdirSync(join(lab, 'home/do-deploy/blog/releases/20261124T000000Z-v8.partial'), { recursive: true });
    expect(run(['sweep', REPOSITORY])).toMatchObject({ status: 75, stderr: expect.stringContaining('sweep: nothing') });
    expect(lines('calls')).toEqual([]);
  });
});

describe('start-up.sh', () => {
  it.each([[[]], [['down']], [['--help']]])('with %j lists the verbs and does nothing', (args) => {
    const { status, stderr } = run(args);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/pull.*up.*prune/);
    expect(lines('calls')).toEqual([]);
  });

  it('has no exit code that a lost lock has, too', () => {
    const codes = [...readRoot(SCRIPT).matchAll(/\b(?:exit|code=)\s?(\d+)/g)].map(([, code]) => Number(code));
    expect(codes).toContain(73);
    expect(codes).not.toContain(NOT_HOLDER);
  });

  it('reads only the documented variables', () => {
    const text = readRoot(SCRIPT);
    const documented = [...text.matchAll(/^# {3}([A-Z_]+(?:, [A-Z_]+)*) /gm)].flatMap(([, names = '']) =>
      names.split(', '),
    );
    const read = [...text.replaceAll(/^ *#.*$/gm, '').matchAll(/\$\{?([A-Z_]+)/g)].map(([, name]) => name);
    const standard = ['HOME', 'DOCKER_CONFIG'];
    expect(new Set(read.filter((name) => !standard.includes(name ?? '')))).toEqual(
      new Set(documented.filter((name) => !['DEPLOY_ENV', 'IMAGE_TAG'].includes(name))),
    );
    expect(text, 'compose uses these two').toContain('export DEPLOY_ENV IMAGE_TAG');
  });
});

describe('whatever runs on droplets', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('sandbox'))
    .map((path) => join('src', path));

  it.each([SCRIPT, ...sources.filter((path) => /docker|compose/.test(readRoot(path)))])(
    'never prunes the system or removes a volume: %s',
    (path) => {
      const code = readRoot(path).replaceAll(/^ *(#|\/\/|\*|\/\*).*$/gm, '');
      expect(code).not.toMatch(
        /(system|volume|container|network|builder) prune|--volumes|\bdown\b[^\n]* -v|volume rm|rm -f.*volume/,
      );
    },
  );
});
