/**
 * What do-deploy requires of `docker`, as tests for the sandbox's stand-in and for a real Docker. Like do-deploy, they use
 * only a shell.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FIND_LAYERS } from '../../src/deploy/staging/room-command.js';

export interface DockerHost {
  /** Runs a POSIX sh script, always in the same folder, with this Docker first in PATH. */
  run(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Images that this Docker can pull; only `absent` does not exist. */
  images: {
    /** Serves HTTP on port 3000; /healthz answers 200. */
    web: string;
    /** Another version of `web`. */
    webNext: string;
    /** Runs, but /healthz never answers 200. */
    sick: string;
    /** Writes to standard error and exits with code 3. */
    exits: string;
    /** Writes a line and exits with code 0. */
    oneShot: string;
    absent: string;
  };
  /** Removes the containers of a test, whose health checks would slow down the next one. */
  clean?(): Promise<unknown>;
  /** Removes everything that the tests created. */
  dispose(): Promise<void>;
}

interface Inspected {
  Id: string;
  ResolvConfPath: string;
  Image: string;
  RestartCount: number;
  State: {
    Status: string;
    Running: boolean;
    Restarting: boolean;
    OOMKilled: boolean;
    ExitCode: number;
    Error: string;
    Pid: number;
    StartedAt: string;
    Health?: { Status: string; FailingStreak: number; Log: { ExitCode: number; Output: string }[] };
  };
  Config: { Image: string; Labels: Record<string, string> };
  HostConfig: { RestartPolicy: { Name: string; MaximumRetryCount: number }; NetworkMode: string };
  NetworkSettings: { Ports: Record<string, { HostIp: string; HostPort: string }[] | null> };
  Mounts: { Type: string; Name?: string; Source: string; Destination: string; RW: boolean }[];
}

const CHECK =
  "healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:3000/healthz'], interval: 500ms, timeout: 5s, retries: 2 }";
const UP = 'up --detach --no-build --pull never --remove-orphans';
/** A real Docker needs time to stop and start containers. */
const SOON = { timeout: 60_000, interval: 200 };

export function dockerContract(name: string, makeHost: () => Promise<DockerHost>): void {
  describe(`docker on ${name}`, { timeout: 120_000 }, () => {
    let host: DockerHost;
    beforeAll(async () => {
      host = await makeHost();
    });
    afterEach(() => host.clean?.());
    afterAll(() => host.dispose());

    /** Runs a script and expects exit code 0. */
    const sh = async (script: string): Promise<string> => {
      const { code, stdout, stderr } = await host.run(script);
      expect(code, `${script}\n${stderr}`).toBe(0);
      return stdout;
    };

    let projects = 0;
    /** A compose project in its own folder. */
    const project = () => {
      projects += 1;
      const label = `contract${projects}`;
      const compose = (args: string) => `docker compose --project-name ${label} -f ${label}/compose.yml ${args}`;
      const write = (file: string, text: string) =>
        sh(`mkdir -p ${label}\ncat >${label}/${file} <<'END'\n${text}\nEND`);
      const inspect = async (service?: string): Promise<Inspected[]> => {
        const filters = [`com.docker.compose.project=${label}`, 'com.docker.compose.oneoff=False'];
        if (service !== undefined) filters.push(`com.docker.compose.service=${service}`);
        const ids = await sh(`docker ps -aq --no-trunc ${filters.map((one) => `--filter label=${one}`).join(' ')}`);
        return ids === '' ? [] : JSON.parse(await sh(`docker inspect ${ids.trim().split('\n').join(' ')}`));
      };
      return {
        label,
        compose,
        write,
        inspect,
        /** The only container of a service. */
        one: async (service: string): Promise<Inspected> => {
          const [found, ...more] = await inspect(service);
          expect(more).toEqual([]);
          if (found === undefined) throw new Error(`no container of ${service}`);
          return found;
        },
        up: async (text: string) => {
          await write('compose.yml', text);
          await sh(compose('pull --quiet'));
          return await host.run(compose(UP));
        },
      };
    };

    it('prints the versions of the server and of compose', async () => {
      expect(await sh("docker version --format '{{.Server.Version}}'")).toMatch(/^\d+\.\d+/);
      expect(await sh('docker compose version --short')).toMatch(/^v?\d+\.\d+/);
    });

    it('prints its data folder', async () => {
      expect(await sh('test -d "$(docker info --format \'{{.DockerRootDir}}\')" && echo there')).toBe('there\n');
    });

    it('keeps the files of a container below its data folder', async () => {
      const { up, inspect } = project();
      await up(`services: { web: { image: "${host.images.web}" } }`);
      const [container] = await inspect('web');
      const root = (await sh("docker info --format '{{.DockerRootDir}}'")).trim();
      expect(container?.ResolvConfPath).toBe(`${root}/containers/${container?.Id}/resolv.conf`);
    });

    it('resolves compose files, interpolated and merged', async () => {
      const { write, compose, label } = project();
      await write(
        'compose.yml',
        `services:\n  app:\n    image: shop:\${TAG:?is missing}\n    ports: ["80:3000"]\n    env_file: app.env`,
      );
      await write(
        'over.yml',
        `services:\n  app:\n    environment: { MODE: "\${MODE:-quiet}" }\n    depends_on: { db: { condition: service_healthy } }\n  db: { image: "db", scale: 2 }`,
      );
      await write('app.env', 'MODE=loud\nNAME=shop');
      await write('vars.env', 'TAG=from-file');
      const over = compose(`-f ${label}/over.yml --env-file ${label}/vars.env config --format json`);
      const { services } = JSON.parse(await sh(over));
      expect(services.app).toMatchObject({
        image: 'shop:from-file',
        environment: { MODE: 'quiet', NAME: 'shop' },
        depends_on: { db: { condition: 'service_healthy' } },
        ports: [{ target: 3000, published: '80' }],
      });
      expect(services.db.scale).toBe(2);
      expect(JSON.parse(await sh(`TAG=from-process ${over}`)).services.app.image).toBe('shop:from-process');
    });

    it('prints extensions with what it puts in the places of variables; the last env file is in force', async () => {
      const { write, compose, label } = project();
      await write('compose.yml', 'services: { app: { image: shop, environment: [POOL, MODE] } }');
      await write('ask.yml', `{"x-variables":{"POOL":"\${POOL-}","PRICE":"\${PRICE-}","NONE":"\${NONE-}"}}`);
      await write('defaults.env', "POOL='5'\nMODE='a'\nPRICE='it costs $5'");
      await write('own.env', 'POOL=7');
      const files = `--env-file ${label}/defaults.env --env-file ${label}/own.env`;
      const config = JSON.parse(await sh(compose(`-f ${label}/ask.yml ${files} config --format json`)));
      expect(config.services.app.environment).toEqual({ POOL: '7', MODE: 'a' });
      expect(config['x-variables']).toEqual({ POOL: '7', PRICE: 'it costs $$5', NONE: '' });
    });

    it('refuses compose files with a missing variable or file', async () => {
      const { write, compose, label } = project();
      await write('compose.yml', `services:\n  app:\n    image: shop:\${TAG:?is missing}\n    env_file: app.env`);
      const unset = await host.run(compose('config --quiet'));
      expect(unset.code).not.toBe(0);
      expect(unset.stderr).toContain('required variable TAG is missing a value: is missing');
      const noFile = await host.run(`TAG=1 ${compose('config --quiet')}`);
      expect(noFile.code).not.toBe(0);
      expect(noFile.stderr).toContain(`${label}/app.env`);
      expect((await host.run(compose(`--env-file ${label}/none.env config --quiet`))).code).not.toBe(0);
    });

    it('warns of a variable that is not set', async () => {
      const { write, compose } = project();
      await write('compose.yml', 'services: { app: { image: "shop:$TAG" } }');
      const answer = await host.run(compose('config --format json'));
      expect(answer.code).toBe(0);
      expect(answer.stderr).toMatch(/The \\?"TAG\\?" variable is not set/);
    });

    it('reports an image that does not exist', async () => {
      const { write, compose } = project();
      await write('compose.yml', `services:\n  app: { image: '${host.images.absent}' }`);
      const pull = await host.run(compose('pull --quiet'));
      expect(pull.code).not.toBe(0);
      expect(pull.stderr).toMatch(/not found|manifest unknown/);
      const up = await host.run(compose(UP));
      expect(up.code).not.toBe(0);
      expect(up.stderr).toMatch(/No such image/);
      expect(await host.run(`docker image inspect ${host.images.absent}`)).toMatchObject({ code: 1, stdout: '[]\n' });
    });

    it('starts a service and shows its container', async () => {
      const { up, one, label } = project();
      expect(
        await up(`services:
  app:
    image: ${host.images.web}
    restart: on-failure:3
    ports: ['18181:3000']
    volumes: ['data:/data', './file:/file:ro']
    ${CHECK}
volumes:
  data:`),
      ).toMatchObject({ code: 0 });
      await expect.poll(async () => (await one('app')).State.Health?.Status, SOON).toBe('healthy');
      const shown = await one('app');
      expect(shown).toMatchObject({
        RestartCount: 0,
        State: { Status: 'running', Running: true, Restarting: false, OOMKilled: false, ExitCode: 0, Error: '' },
        Config: {
          Image: host.images.web,
          Labels: {
            'com.docker.compose.project': label,
            'com.docker.compose.service': 'app',
            'com.docker.compose.oneoff': 'False',
            'com.docker.compose.container-number': '1',
            'com.docker.compose.project.config_files': expect.stringMatching(new RegExp(`^/.*/${label}/compose.yml$`)),
          },
        },
        HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, NetworkMode: `${label}_default` },
      });
      expect(shown.State.Pid).toBeGreaterThan(0);
      expect(Date.parse(shown.State.StartedAt)).toBeGreaterThan(Date.now() - 600_000);
      expect(shown.State.Health?.Log.at(-1)).toMatchObject({ ExitCode: 0 });
      const bindings = Object.values(shown.NetworkSettings.Ports).flatMap((binding) => binding ?? []);
      expect(bindings.map(({ HostPort }) => HostPort)).toContain('18181');
      const mounts = [...shown.Mounts].sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
      expect(mounts).toMatchObject([
        { Type: 'volume', Name: `${label}_data`, Destination: '/data', RW: true },
        { Type: 'bind', Source: expect.stringMatching(new RegExp(`/${label}/file$`)), Destination: '/file', RW: false },
      ]);
      const [image] = JSON.parse(await sh(`docker image inspect ${host.images.web}`));
      expect(shown.Image).toBe(image.Id);
    });

    it('keeps unchanged containers', async () => {
      const { up, one } = project();
      const text = (mode: string) =>
        `services:\n  app: { image: '${host.images.web}', environment: { MODE: ${mode} } }\n  other: { image: '${host.images.web}' }`;
      await up(text('a'));
      const [app, other] = [await one('app'), await one('other')];
      await up(text('a'));
      expect((await one('app')).Id).toBe(app.Id);
      await up(text('b'));
      expect((await one('app')).Id).not.toBe(app.Id);
      expect((await one('other')).Id).toBe(other.Id);
      expect((await one('other')).State.StartedAt).toBe(other.State.StartedAt);
    });

    it('changes only the services that are named, without those that they depend on', async () => {
      const { up, one, write, compose } = project();
      const text = (mode: string) => `services:
  app: { image: '${host.images.web}', environment: { MODE: ${mode} }, depends_on: [other] }
  other: { image: '${host.images.web}', environment: { MODE: ${mode} } }`;
      await up(text('a'));
      const [app, other] = [await one('app'), await one('other')];
      await write('compose.yml', text('b'));
      const only = 'up --detach --no-build --pull never --no-deps';
      expect(await host.run(compose(`${only} app`))).toMatchObject({ code: 0 });
      expect((await one('app')).Id).not.toBe(app.Id);
      expect((await one('other')).Id).toBe(other.Id);
      const again = (await one('app')).Id;
      expect(await host.run(compose(`${only} --force-recreate app`))).toMatchObject({ code: 0 });
      expect((await one('app')).Id).not.toBe(again);
      expect((await one('other')).State.StartedAt).toBe(other.State.StartedAt);
      expect((await host.run(compose(`${only} nobody`))).code).not.toBe(0);
    });

    it('replaces the container of a new image, and removes the container of a removed service', async () => {
      const { up, inspect, one } = project();
      await up(`services:\n  app: { image: '${host.images.web}' }\n  gone: { image: '${host.images.web}' }`);
      const before = await one('app');
      await up(`services:\n  app: { image: '${host.images.webNext}' }`);
      expect((await one('app')).Image).not.toBe(before.Image);
      expect(await inspect()).toHaveLength(1);
    });

    it('runs an image by digest and by id', async () => {
      const { up, one, write, compose } = project();
      await sh(
        `mkdir -p pulled && cat >pulled/compose.yml <<'END'\nservices: { app: { image: '${host.images.web}' } }\nEND\ndocker compose -p pulled -f pulled/compose.yml pull -q`,
      );
      const [image] = JSON.parse(await sh(`docker image inspect ${host.images.web}`));
      const repository = host.images.web.replace(/:[^:/]+$/, '').replace(/^docker\.io\/(library\/)?/, '');
      const digest = image.RepoDigests.find((one: string) => one.startsWith(`${repository}@`));
      expect(digest).toMatch(/@sha256:[0-9a-f]{64}$/);
      expect(await up(`services:\n  app: { image: '${digest}' }`)).toMatchObject({ code: 0 });
      expect((await one('app')).Image).toBe(image.Id);
      await write('compose.yml', `services:\n  app: { image: '${image.Id}' }`);
      expect(await host.run(compose(UP))).toMatchObject({ code: 0 });
      expect((await one('app')).Config.Image).toBe(image.Id);
    });

    it('builds an image without a name in the compose file, and runs it by its id after another build, if it has another name', async () => {
      const { label, compose, write, inspect } = project();
      const dockerfile = (version: string) => write('Dockerfile', `FROM ${host.images.web}\nLABEL version=${version}`);
      await write('compose.yml', 'services: { app: { build: . } }');
      const config = JSON.parse(await sh(compose('config --format json')));
      expect(config.services.app).toMatchObject({ build: { dockerfile: 'Dockerfile' } });
      expect(config.services.app).not.toHaveProperty('image');

      await sh(compose('pull --quiet --ignore-buildable'));
      const built = async (version: string) => {
        await dockerfile(version);
        await sh(compose('build'));
        return JSON.parse(await sh(`docker image inspect ${label}-app`))[0].Id as string;
      };
      const first = await built('1');
      await sh(`docker image tag ${first} ${label}-app:kept`);
      expect((await sh(`docker image inspect --format '{{.Id}}' ${label}-app:kept`)).trim()).toBe(first);
      expect(await built('2')).not.toBe(first);
      await write('images.yml', `services: { app: { image: '${first}' } }`);
      await sh(compose(`-f ${label}/images.yml ${UP}`));
      expect((await inspect('app')).map(({ Image }) => Image)).toEqual([first]);

      await write('Dockerfile', `FROM ${host.images.web}\nCOPY nothing /`);
      const failure = await host.run(compose('build'));
      expect(failure.code).not.toBe(0);
      expect(failure.stderr).toContain('nothing');
    });

    it('scales', async () => {
      const { up, inspect } = project();
      const text = (replicas: number) =>
        `services:\n  app: { image: '${host.images.web}', deploy: { replicas: ${replicas} } }`;
      await up(text(3));
      expect(await inspect('app')).toHaveLength(3);
      await up(text(1));
      expect(await inspect('app')).toHaveLength(1);
    });

    it('waits until a service is healthy before it starts dependent services', async () => {
      const { up, one } = project();
      const { code } = await up(`services:
  app: { image: '${host.images.web}', ${CHECK} }
  after: { image: '${host.images.oneShot}', depends_on: { app: { condition: service_healthy } } }`);
      expect(code).toBe(0);
      expect((await one('app')).State.Health?.Status).toBe('healthy');
    });

    it('does not start services that depend on an unhealthy one, and shows the output of its check', async () => {
      const { up, one, label } = project();
      const { code, stderr } = await up(`services:
  app: { image: '${host.images.sick}', ${CHECK} }
  after: { image: '${host.images.web}', depends_on: { app: { condition: service_healthy } } }`);
      expect(code).toBe(1);
      expect(stderr).toContain(`dependency failed to start: container ${label}-app-1 is unhealthy`);
      expect((await one('after')).State.Status).toBe('created');
      const { State: state } = await one('app');
      expect(state.Status).toBe('running');
      expect(state.Health?.FailingStreak).toBeGreaterThanOrEqual(2);
      expect(state.Health?.Log.at(-1)?.ExitCode).toBe(1);
    });

    it('waits for a one-shot service, and stops if it fails', async () => {
      const { up, one } = project();
      const text = (image: string) => `services:
  job: { image: '${image}' }
  after: { image: '${host.images.web}', depends_on: { job: { condition: service_completed_successfully } } }`;
      expect((await up(text(host.images.oneShot))).code).toBe(0);
      expect((await one('after')).State.Status).toBe('running');
      const failed = await up(text(host.images.exits));
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain(`service "job" didn't complete successfully: exit 3`);
    });

    it('restarts containers that exit, and counts the restarts', async () => {
      const { up, one } = project();
      await up(`services:
  loops: { image: '${host.images.exits}', restart: unless-stopped }
  ends: { image: '${host.images.exits}' }`);
      await expect.poll(async () => (await one('loops')).RestartCount, SOON).toBeGreaterThanOrEqual(2);
      await expect
        .poll(async () => (await one('loops')).State, SOON)
        .toMatchObject({ Status: 'restarting', Restarting: true, ExitCode: 3 });
      await expect
        .poll(async () => (await one('ends')).State, SOON)
        .toMatchObject({ Status: 'exited', Running: false, ExitCode: 3 });
      expect((await one('ends')).RestartCount).toBe(0);
    });

    it('keeps logs, by stream', async () => {
      const { up, one } = project();
      await up(`services:\n  job: { image: '${host.images.oneShot}' }\n  bad: { image: '${host.images.exits}' }`);
      await expect.poll(async () => (await one('bad')).State.Status, SOON).toBe('exited');
      await expect.poll(async () => (await one('job')).State.Status, SOON).toBe('exited');
      const said = await host.run(`docker logs --tail 1 ${(await one('job')).Id}`);
      expect(said.stdout.trim()).not.toBe('');
      // The order of the two streams is not known.
      const { code, stdout, stderr } = await host.run(`docker logs --timestamps ${(await one('bad')).Id}`);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT\S+Z \S/);
      for (const line of stderr.trim().split('\n')) expect(stdout).not.toContain(line);
      const { stdout: out, stderr: err } = await host.run(`docker logs --tail 1 ${(await one('bad')).Id}`);
      expect((out + err).trim().split('\n')).toHaveLength(1);
    });

    it('refuses a port that another container publishes', async () => {
      const { up, one } = project();
      await up(`services:\n  one: { image: '${host.images.web}', ports: ['18182:3000'] }`);
      // Port holders are found in all projects.
      expect((await sh('docker ps -q --no-trunc')).split('\n')).toContain((await one('one')).Id);
      const { code, stderr } = await up(
        `services:\n  one: { image: '${host.images.web}', ports: ['18182:3000'] }\n  two: { image: '${host.images.web}', ports: ['18182:3000'] }`,
      );
      expect(code).toBe(1);
      expect(stderr).toContain('port is already allocated');
      expect((await one('one')).State.Status).toBe('running');
    });

    it('does not remove an image that a container uses', async () => {
      const { up } = project();
      await up(`services:\n  app: { image: '${host.images.webNext}' }`);
      const [{ Id: id }] = JSON.parse(await sh(`docker image inspect ${host.images.webNext}`));
      const refused = await host.run(`docker image rm ${id}`);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('conflict: unable to delete');
      expect(await sh(`docker image inspect ${id}`)).toContain(id);
    });

    it('does not remove an image with two names by its id, even in one repository, but by its names', async () => {
      const { label, compose, write } = project();
      await write('Dockerfile', `FROM ${host.images.web}\nLABEL contract="two names"`);
      await write('compose.yml', `services: { app: { build: . } }`);
      await sh(compose('build'));
      await sh(`docker image tag ${label}-app ${label}-app:second`);
      const [{ Id: id }] = JSON.parse(await sh(`docker image inspect ${label}-app`));
      const refused = await host.run(`docker image rm ${id}`);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('must be forced') });
      expect(await sh(`docker ps -aq --filter ancestor=${id}`)).toBe('');

      const template = '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}';
      const told = (await sh(`docker image inspect --format '${template}' ${id}`)).split('\n').filter(Boolean);
      const tags = [`${label}-app:latest`, `${label}-app:second`];
      expect(told.filter((name) => !name.includes('@')).sort()).toEqual(tags);
      for (const tag of tags) await sh(`docker image rm ${tag}`);
      expect((await host.run(`docker image inspect ${id}`)).code, 'removed with its last name').toBe(1);
      expect((await host.run(`docker image rm ${id}`)).code).toBe(1);
    });

    it('lists images by id, and the names of a repository with their ids', async () => {
      const { label, compose, write } = project();
      await write('Dockerfile', `FROM ${host.images.web}\nLABEL contract="listed"`);
      await write('compose.yml', `services: { app: { build: . } }`);
      await sh(compose('build'));
      await sh(`docker image tag ${label}-app ${label}-app:second; docker image tag ${label}-app ${label}-other:third`);
      const id = (await sh(`docker image inspect --format '{{.Id}}' ${label}-app`)).trim();
      expect((await sh('docker image ls --quiet --no-trunc')).split('\n')).toContain(id);
      const lines = (await sh(`docker image ls --no-trunc --format '{{.ID}} {{.Tag}}' ${label}-app`)).split('\n');
      expect(lines.filter(Boolean).sort()).toEqual([`${id} latest`, `${id} second`]);
      expect(await sh(`docker image ls --no-trunc --format '{{.ID}} {{.Tag}}' ${label}-none`)).toBe('');
      for (const name of ['app:latest', 'app:second', 'other:third']) await sh(`docker image rm ${label}-${name}`);
    });

    it('prints the layers of an image in its registry, and shows in its files which of them are there', async () => {
      const { write, compose } = project();
      const layersOf = async (image: string) => {
        const text = await sh(`docker manifest inspect --verbose --insecure ${image}`);
        const { Descriptor: descriptor, SchemaV2Manifest: docker, OCIManifest: oci } = JSON.parse(text);
        expect(descriptor.platform).toMatchObject({ os: 'linux', architecture: expect.any(String) });
        return (docker ?? oci).layers as { digest: string; size: number }[];
      };
      const found = async () => (await sh([...FIND_LAYERS, `printf '%s\\n' "$found"`].join('\n'))).split('\n');
      const layers = await layersOf(host.images.oneShot);
      expect(layers.length).toBeGreaterThan(0);
      for (const { size } of layers) expect(size).toBeGreaterThan(0);
      const digests = layers.map(({ digest }) => digest.replace(/^sha256:/, ''));

      await write('compose.yml', `services: { app: { image: '${host.images.oneShot}' } }`);
      await sh(compose('pull --quiet'));
      expect(await found()).toEqual(expect.arrayContaining(digests));
      const users = (await sh(`docker ps -aq --filter ancestor=${host.images.oneShot}`)).trim().replaceAll('\n', ' ');
      if (users !== '') await sh(`docker rm ${users}`);
      await sh(`docker image rm ${host.images.oneShot}`);
      // containerd's store removes what is unused a moment later.
      await expect.poll(async () => (await found()).filter((line) => digests.includes(line)), SOON).toEqual([]);
      expect(
        (await found()).filter((line) => / \d+% /.test(line)),
        'the disk',
      ).toHaveLength(1);

      expect((await host.run(`docker manifest inspect --verbose --insecure ${host.images.absent}`)).code).toBe(1);
      const insecure = '{{range .RegistryConfig.IndexConfigs}}{{if not .Secure}}{{println .Name}}{{end}}{{end}}';
      const names = (await sh(`docker info --format '${insecure}'`)).split('\n').filter(Boolean);
      for (const name of names) expect(name).toMatch(/^[\w.-]+(:\d+)?$/);
    });

    it('lists the containers of an image', async () => {
      const { one, up } = project();
      await up(`services:\n  app: { image: '${host.images.sick}' }`);
      const { Id: id, Image: image } = await one('app');
      expect((await sh(`docker ps -aq --no-trunc --filter ancestor=${image}`)).split('\n')).toContain(id);
    });

    it('keeps a named volume of a removed service', async () => {
      const { up, label } = project();
      await up(`services:\n  app: { image: '${host.images.web}', volumes: ['data:/data'] }\nvolumes:\n  data:`);
      await up(`services:\n  other: { image: '${host.images.web}' }`);
      expect((await sh('docker volume ls -q')).split('\n')).toContain(`${label}_data`);
    });

    it('fails for containers that do not exist', async () => {
      expect(await host.run('docker inspect no-such-container')).toMatchObject({ code: 1, stdout: '[]\n' });
      expect((await host.run('docker logs no-such-container')).code).toBe(1);
      expect(await sh('docker ps -aq --no-trunc --filter label=com.docker.compose.project=nowhere')).toBe('');
    });
  });
}
